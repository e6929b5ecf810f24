"""Which channels inside a block matter most, and the same network with those first.

A channel's importance is the L1 norm of the weights that read it times the standard deviation of
its activation: a constant is as good as the bias that follows. Activations of normalised maps are
taken as normal, with the mean and deviation that BatchNorm's shift and scale give them. Measured on
photos, at half width and untrained: 67.7 % right, against 55.4 % by L1 times scale.
"""

from __future__ import annotations

from collections.abc import Mapping

import torch
from torch import Tensor

from hwnas.nets.activations import activation
from hwnas.space.graph import Graph
from hwnas.space.layers import ACTIVATIONS, Layer
from hwnas.space.node import Node
from hwnas.space.sliced import shares_weights, whole_of

_GRID = torch.linspace(-4.0, 4.0, 161, dtype=torch.float64)


def channels_sorted(state: Mapping[str, Tensor], graph: Graph) -> dict[str, Tensor]:
    """The same network, to the bit but for the order of sums, with the most important channels of
    each block that can be narrowed first.

    ``state``: tensors of the largest network, under the names of hwnas.nets.network. ``graph``:
    the supernet's. Raises InputError where a sliced node is none of parts.
    """
    found = dict(state)
    for node in graph:
        if shares_weights(node):
            found |= _sorted(found, node)
    return found


def _sorted(state: Mapping[str, Tensor], node: Node) -> dict[str, Tensor]:
    """Every tensor of one block with its hidden channels in their new order."""
    layers = whole_of(node)
    convolutions = [number for number, layer in enumerate(layers) if layer.kind == "conv"]
    first, last = convolutions[0], convolutions[-1]
    if layers[first].groups > 1:  # nothing is widened, so nothing can be narrowed
        return {}
    order = torch.argsort(_importance(state, node.name, layers, last), descending=True, stable=True)
    found: dict[str, Tensor] = {}
    for number in range(first, last + 1):
        prefix = f"{node.name}.{number}."
        for name, tensor in state.items():
            if not name.startswith(prefix):
                continue
            axis = _hidden_axis(number, first, last, name.removeprefix(prefix), tensor)
            if axis is not None:
                found[name] = tensor.index_select(axis, order).contiguous()
    return found


def _hidden_axis(number: int, first: int, last: int, rest: str, tensor: Tensor) -> int | None:
    """The axis of a tensor along which hidden channels lie; None where they do not."""
    if not tensor.dim():
        return None  # how many batches BatchNorm has seen
    if number == last:
        return 1 if rest == "weight" else None
    if rest.startswith("reduce."):
        return 1 if rest == "reduce.weight" else None
    return 0


def _importance(
    state: Mapping[str, Tensor], name: str, layers: tuple[Layer, ...], last: int
) -> Tensor:
    """(hidden,): see the module."""
    reads = state[f"{name}.{last}.weight"].double().abs().sum((0, 2, 3))
    norm = max(number for number in range(last) if layers[number].kind == "batch_norm")
    kind = layers[norm + 1].kind
    mean, deviation = (state[f"{name}.{norm}.{part}"].double() for part in ("bias", "weight"))
    values = mean[:, None] + deviation.abs()[:, None] * _GRID
    if kind in ACTIVATIONS:
        values = activation(kind)(values)
    density = torch.exp(-_GRID.square() / 2)
    density = density / density.sum()
    average = (values * density).sum(1, keepdim=True)
    return reads * ((values - average).square() * density).sum(1).sqrt()
