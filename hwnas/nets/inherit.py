"""Weights from a whole network into an elastic supernet, from it into its parts, and back."""

from __future__ import annotations

from collections.abc import Mapping

import torch
from torch import Tensor

from hwnas.nets.elastic import part_of_state
from hwnas.nets.supernet import whole_prefix
from hwnas.space.graph import Graph
from hwnas.space.sliced import shares_weights


def into_supernet(state: Mapping[str, Tensor], graph: Graph) -> dict[str, Tensor]:
    """Tensors of the largest network under the names of the supernet ``graph``.

    Running statistics are left out: a supernet has none.
    """
    found: dict[str, Tensor] = {}
    for node in graph:
        prefix = whole_prefix(node) if shares_weights(node) else f"{node.name}."
        for name, tensor in _of_node(state, f"{node.name}.").items():
            if not is_statistic(name):
                found[prefix + name] = tensor
    return found


def inherited(state: Mapping[str, Tensor], graph: Graph, part: Graph) -> dict[str, Tensor]:
    """Tensors of one sub-network, cut out of the supernet's.

    ``graph``: the supernet's, at the size of the sub-network; ``part``: the sub-network's
    (hwnas.space.graph.discrete). Of BatchNorm there are scale and shift; its statistics belong to
    a network and have to be estimated.
    """
    return {name: tensor.clone() for name, tensor in _views(state, graph, part).items()}


@torch.no_grad()
def hand_back(
    state: Mapping[str, Tensor], graph: Graph, part: Graph, tensors: Mapping[str, Tensor]
) -> None:
    """Write the tensors of a sub-network over its part of the supernet's, in place; statistics of
    BatchNorm are left out. The arguments are those of ``inherited``, and what it gave."""
    for name, view in _views(state, graph, part).items():
        if not is_statistic(name):
            view.copy_(tensors[name])


def _views(state: Mapping[str, Tensor], graph: Graph, part: Graph) -> dict[str, Tensor]:
    """The tensors of a sub-network, as views of the supernet's."""
    whole = {node.name: node for node in graph}
    found: dict[str, Tensor] = {}
    for node in part:
        supernet = whole[node.name]
        if shares_weights(supernet):
            tensors = _of_node(state, whole_prefix(supernet))
            found |= part_of_state(tensors, node.layers, f"{node.name}.") if node.layers else {}
        else:
            tensors = _of_node(state, f"{node.name}.")
            found |= {f"{node.name}.{name}": tensor for name, tensor in tensors.items()}
    return found


def is_statistic(name: str) -> bool:
    """Whether a tensor holds what BatchNorm has seen, and not what is trained."""
    return name.rpartition(".")[2] in ("running_mean", "running_var", "num_batches_tracked")


def _of_node(state: Mapping[str, Tensor], prefix: str) -> dict[str, Tensor]:
    return {
        name.removeprefix(prefix): tensor
        for name, tensor in state.items()
        if name.startswith(prefix)
    }
