"""Weights of the same network as others have built it: their tensors, in the order in which layers
run, are ours.

torchvision and timm define the layers of a block in the order in which they run, and so do we.
Names differ, order and shapes do not; a linear layer may be a 1x1 convolution there.
"""

from __future__ import annotations

from collections.abc import Mapping

from torch import Tensor, nn

from hwnas.space.graph import Graph
from profilers.errors import InputError


def names_in_order(network: nn.Module, graph: Graph) -> tuple[str, ...]:
    """The names of a network's tensors in the order in which its graph runs."""
    names = tuple(network.state_dict())
    return tuple(name for node in graph for name in names if name.startswith(f"{node.name}."))


def translated(network: nn.Module, graph: Graph, theirs: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """``theirs``, a state_dict in order of running, under our names and in our shapes.

    Raises InputError where the numbers of tensors or of their elements differ.
    """
    own = network.state_dict()
    names = names_in_order(network, graph)
    if len(names) != len(theirs):
        raise InputError(f"weights: {len(theirs)} tensors, but the network has {len(names)}")
    found: dict[str, Tensor] = {}
    for name, (their_name, tensor) in zip(names, theirs.items(), strict=True):
        if tuple(tensor.squeeze().shape) != tuple(own[name].squeeze().shape):
            raise InputError(
                f"weights: {their_name} is of shape {tuple(tensor.shape)}, but {name} of"
                f" {tuple(own[name].shape)}"
            )
        found[name] = tensor.reshape(own[name].shape)
    return found
