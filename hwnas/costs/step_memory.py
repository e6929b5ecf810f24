"""Memory that one training step of a supernet needs, said before the first: an estimate from its
layers.

Kept for the gradient are the outputs of convolutions, pools, gates and activations, those of
BatchNorms inside an operation (a ReLU rectifies them in place, other activations don't), the
eight-byte places of maxima, maps with the zeros of SAME padding, and each map that options read or
add up to once, after_relu. A sampled path keeps at most the largest option of each node, a mixture
all of them. Weights count four times: themselves, gradient, momentum, and the copy of a checkpoint
being written. On top come copies that backward passes make; ``SPARE`` covers them (measured:
docs/log.md).
"""

from __future__ import annotations

from collections.abc import Hashable, Sequence
from dataclasses import dataclass, replace
from typing import Literal

from hwnas.costs.memory import FLOAT_BYTES
from hwnas.space.family import Family
from hwnas.space.graph import Graph, readers
from hwnas.space.layers import Layer
from hwnas.space.padding import pads_of_every_size

INDEX_BYTES = 8
COPIES = 4
SPARE = 1.3


@dataclass(frozen=True, slots=True, kw_only=True)
class Footprint:
    """Bytes of a training step: once for the weights, and for each image of the batch."""

    weights: int
    per_image: int

    def mib(self, batch: int) -> float:
        """A step with so many images, in MiB."""
        return SPARE * (self.weights + self.per_image * batch) / 2**20

    def largest_batch(self, mib: float) -> int:
        """The most images whose step fits into so much memory; 0 where none does."""
        return max(0, int((mib * 2**20 / SPARE - self.weights) // self.per_image))


def footprint(of: Family, weights: Literal["sampled", "mixture"]) -> Footprint:
    """The supernet with all operations of a family's space."""
    whole = list(of.graphs.values())
    # A step runs one size; the supernet holds the weights of all, once where they agree.
    held = {key: params for graph in whole for key, params in _weights(graph).items()}
    kept = max(_maps(graph, weights) for graph in whole)
    return Footprint(weights=COPIES * FLOAT_BYTES * sum(held.values()), per_image=kept)


def _maps(graph: Graph, weights: Literal["sampled", "mixture"]) -> int:
    """Bytes of one image's maps that a step keeps."""
    kept = 0
    read = readers(graph)
    for node in graph:
        options = [option for option in node.options if option]
        searched = node.row is not None
        sizes = [_kept(option) for option in options] or [0]
        kept += sum(sizes) if weights == "mixture" or not searched else max(sizes)
        if node.join == "sum" or any(reader.row is not None for reader in read[node.name]):
            kept += node.elements * FLOAT_BYTES
    return kept


def _weights(graph: Graph) -> dict[tuple[Hashable, ...], int]:
    """Parameters of every option of every node, under what makes the weights of two sizes one:
    name and shapes."""
    found: dict[tuple[Hashable, ...], int] = {}
    for node in graph:
        for column, option in enumerate(node.options):
            shapes = tuple(replace(layer, size=(1, 1)) for layer in option or ())
            # BatchNorms of what is searched have no scale and shift in a supernet.
            counted = [layer for layer in shapes if node.row is None or layer.kind != "batch_norm"]
            found[node.name, column, shapes] = sum(layer.params for layer in counted)
    return found


def _kept(layers: Sequence[Layer]) -> int:
    """Bytes per image that the gradient needs of a row of layers."""
    total = sum(
        _padded(before, layer) * FLOAT_BYTES
        for before, layer in zip((None, *layers), layers, strict=False)
        if layer.kind == "conv"
    )
    for number, layer in enumerate(layers):
        after = layers[number + 1].kind if number + 1 < len(layers) else None
        # The gradient of a sigmoid needs its result alone.
        if layer.kind == "relu" or (layer.kind == "batch_norm" and after in (None, "sigmoid")):
            continue
        height, width = layer.size_out
        elements = layer.channels_out * height * width
        if layer.kind == "squeeze_excite":
            # Means and gates, and what stands between them before and after the activation.
            elements += 2 * (layer.channels_out + layer.hidden)
        total += elements * (FLOAT_BYTES + (INDEX_BYTES if layer.kind == "max_pool" else 0))
    return total


def _padded(before: Layer | None, layer: Layer) -> int:
    """Numbers that SAME padding adds to what is kept of the layer ``before``.

    A convolution then reads a padded copy of its map. The map itself is kept only where the
    gradient of ``before`` needs its result, or where there is nothing before.
    """
    if not layer.shifts:
        return 0
    height, width = (
        size + sum(zeros) - 2 * pads_of_every_size(reach, stride)
        for size, zeros, reach, stride in zip(
            layer.size, layer.pads, layer.reach, layer.stride, strict=True
        )
    )
    if (height, width) == layer.size:
        return 0
    own = before is None or before.kind in ("relu", "sigmoid")
    map_itself = 0 if own else layer.size[0] * layer.size[1]
    return layer.channels_in * (height * width - map_itself)
