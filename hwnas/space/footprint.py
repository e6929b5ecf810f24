"""Memory that one training step of a supernet needs, said before the first: an estimate from its layers.

Kept for the gradient are the outputs of convolutions and pools, those of BatchNorms inside an operation (rectified in
place), the eight-byte places of maxima, and each state of a cell once, rectified. A sampled path keeps at most the
largest operation of each edge, a mixture all of them. Weights count four times: themselves, gradient, momentum, and
the copy of a checkpoint being written. On top come copies that backward passes make; ``SPARE`` covers them
(measured: docs/log.md).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from hwnas.space.layers import PRIMITIVES, Layer, Stem, skeleton
from hwnas.space.memory import FLOAT_BYTES
from hwnas.space.space import NONE, Space

INDEX_BYTES = 8
COPIES = 4
SPARE = 1.3


@dataclass(frozen=True, slots=True)
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


def footprint(
    space: Space,
    channels: int,
    cells: int,
    classes: int,
    image: tuple[int, int, int],
    weights: Literal["sampled", "mixture"],
    stem: Stem = "cifar",
) -> Footprint:
    """The supernet with all operations of ``space``; ``image``: (channels, height, width) in pixels."""
    frame = skeleton(space, channels, cells, classes, image, stem)
    outside = [layer for part in frame.stem for layer in part] + list(frame.head)
    outside += [layer for site in frame.cells for part in site.before for layer in part]
    kept, params = _kept(outside), sum(layer.params for layer in outside)
    for site in frame.cells:
        for row in space.rows(site.kind):
            slot = space.slots[row]
            stride, size = site.edge(slot.source, space.inputs)
            found = [PRIMITIVES[op](site.channels, stride, size) for op in slot.ops if op != NONE]
            params += sum(layer.params for layers in found for layer in layers if layer.kind != "batch_norm")
            sizes = [_kept(layers) for layers in found] or [0]
            kept += max(sizes) if weights == "sampled" else sum(sizes)
        height, width = site.size_out
        kept += (space.inputs + space.nodes) * site.channels * height * width * FLOAT_BYTES
    return Footprint(COPIES * FLOAT_BYTES * params, kept)


def _kept(layers: Sequence[Layer]) -> int:
    """Bytes per image that the gradient needs of a row of layers."""
    total = 0
    for number, layer in enumerate(layers):
        if layer.kind == "relu" or (layer.kind == "batch_norm" and number + 1 == len(layers)):
            continue
        height, width = layer.size_out
        elements = layer.channels_out * height * width
        total += elements * (FLOAT_BYTES + (INDEX_BYTES if layer.kind == "max_pool" else 0))
    return total
