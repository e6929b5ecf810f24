"""Options that share weights: each is a part of one whole, its first channels and the middle of
its kernels."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from hwnas.space.layers import ACTIVATIONS, Layer
from hwnas.space.node import Graph, Node
from hwnas.space.space import Choices, Space
from profilers.errors import InputError


def shares_weights(node: Node) -> bool:
    """Whether something is decided at this node between options that share weights."""
    return node.weights == "sliced" and node.row is not None


def is_sliced(graph: Graph) -> bool:
    """Whether options of this supernet share weights."""
    return any(map(shares_weights, graph))


def whole_of(node: Node) -> tuple[Layer, ...]:
    """The option of a `sliced` node that all its others are parts of.

    Raises InputError where none is.
    """
    options = [option for option in node.options if option]
    if not options:
        raise InputError(f"node {node.name}: options that share weights need one with layers")
    whole = max(options, key=_weights)
    for option in options:
        if len(option) != len(whole) or not all(map(_is_part, option, whole)):
            raise InputError(
                f"node {node.name}: options that share weights must be parts of the largest one:"
                " the same layers, with as many channels and pixels of kernel or fewer"
            )
    return whole


def largest_choices(space: Space, graphs: Mapping[tuple[int, ...], Graph]) -> Choices:
    """The sample (decisions,) that is the largest network: whole blocks, the largest image."""
    key = max(graphs, key=lambda one: graphs[one][0].size)
    choices = np.zeros(len(space.decisions), dtype=np.int64)
    choices[list(space.size_rows)] = key
    for node in graphs[key]:
        if node.row is not None:
            choices[node.row] = node.options.index(whole_of(node))
    return choices


def _weights(option: tuple[Layer, ...]) -> int:
    return sum(layer.params for layer in option)


def _is_part(layer: Layer, whole: Layer) -> bool:
    """Whether a layer's weights are part of another one's."""
    if layer.kind != whole.kind or layer.stride != whole.stride or layer.size != whole.size:
        return False
    if layer.kind not in ("conv", "batch_norm", "squeeze_excite", *ACTIVATIONS):
        return False
    if _kept(layer) != _kept(whole):
        return False
    kernels = zip(layer.kernel, whole.kernel, strict=True)
    smaller = all(k <= of and (of - k) % 2 == 0 for k, of in kernels)
    narrower = layer.channels_in <= whole.channels_in and layer.channels_out <= whole.channels_out
    return smaller and narrower and layer.hidden <= whole.hidden and _groups_fit(layer, whole)


def _kept(layer: Layer) -> tuple[object, ...]:
    """What a part has in common with the whole, beside its kind."""
    inside = (layer.inner, layer.gate, layer.epsilon)
    return (layer.dilation, layer.bias, layer.padding, *inside)


def _groups_fit(layer: Layer, whole: Layer) -> bool:
    """Dense convolutions are parts of dense ones, depthwise ones of depthwise ones."""
    depthwise = (layer.groups == layer.channels_in, whole.groups == whole.channels_in)
    return layer.groups == whole.groups == 1 or all(depthwise)
