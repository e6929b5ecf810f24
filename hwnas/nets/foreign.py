"""Weights of the same network as others have built it: their tensors, in the order in which layers
run, are ours.

torchvision and timm define the layers of a block in the order in which they run, and so do we.
Names differ, order and shapes do not; a linear layer may be a 1x1 convolution there.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping

import torch
from torch import Tensor

from hwnas.space.graph import Graph, tensor_prefix
from hwnas.space.layers import Layer
from profilers.errors import InputError

Shape = tuple[int, ...]
COUNTER = "num_batches_tracked"
"""How many batches a BatchNorm has seen: no weight, and missing in old files."""


def shapes_in_order(graph: Graph) -> dict[str, Shape]:
    """Name -> shape of the tensors of a discrete chain, in the order in which it runs, without
    counters."""
    return {
        f"{tensor_prefix(node, number)}.{name}": shape
        for node in graph
        for number, layer in enumerate(node.layers)
        for name, shape in _shapes(layer)
    }


def _shapes(layer: Layer) -> Iterator[tuple[str, Shape]]:
    cin, cout = layer.channels_in, layer.channels_out
    if layer.kind == "conv":
        yield "weight", (cout, cin // layer.groups, *layer.kernel)
        if layer.bias:
            yield "bias", (cout,)
    elif layer.kind == "batch_norm":
        for name in ("weight", "bias", "running_mean", "running_var"):
            yield name, (cout,)
    elif layer.kind == "linear":
        yield "weight", (cout, cin)
        yield "bias", (cout,)
    elif layer.kind == "squeeze_excite":
        for part, before, after in (("reduce", cin, layer.hidden), ("expand", layer.hidden, cout)):
            yield f"{part}.weight", (after, before, 1, 1)
            yield f"{part}.bias", (after,)
    elif layer.params:
        raise InputError(f"weights: the tensors of a {layer.kind} are not known here")


def misfit(shapes: Mapping[str, Shape], theirs: Mapping[str, Tensor]) -> tuple[int, str]:
    """(how many tensors fit before the first that does not, what is wrong); empty where all is
    well.

    ``theirs``: in order of running, without counters.
    """
    for number, ((name, shape), (their_name, tensor)) in enumerate(
        zip(shapes.items(), theirs.items(), strict=False)
    ):
        if _squeezed(tuple(tensor.shape)) != _squeezed(shape):
            given = f"{their_name} is of shape {tuple(tensor.shape)}"
            return number, f"{given}, but {name} of {shape}"
        if _kind(name) != _kind(their_name):
            return number, f"{their_name} stands where {name} is expected"
    if len(shapes) != len(theirs):
        wrong = f"{len(theirs)} tensors, but the network has {len(shapes)}"
        return min(len(shapes), len(theirs)), wrong
    return len(shapes), ""


def translated(shapes: Mapping[str, Shape], theirs: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """``theirs``, a state_dict in order of running, under our names and in our shapes.

    Counters are passed over, and ours begin at zero. Raises InputError where the numbers of tensors
    or of their elements differ.
    """
    weights = {name: one for name, one in theirs.items() if not name.endswith(f".{COUNTER}")}
    _, wrong = misfit(shapes, weights)
    if wrong:
        raise InputError(f"weights: {wrong}")
    found: dict[str, Tensor] = {}
    for (name, shape), tensor in zip(shapes.items(), weights.values(), strict=True):
        found[name] = tensor.reshape(shape)
        if _kind(name) == "running_var":
            found[f"{name.rpartition('.')[0]}.{COUNTER}"] = torch.zeros((), dtype=torch.int64)
    return found


def _squeezed(shape: Shape) -> Shape:
    return tuple(side for side in shape if side != 1)


def _kind(name: str) -> str:
    return name.rpartition(".")[2]
