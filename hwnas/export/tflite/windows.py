"""Where windows lie: TFLite knows SAME and VALID only, and its SAME pads less at the beginning than
centred windows need at stride 2 on an even number of pixels."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from hwnas.space.layers import Layer

Ends = tuple[int, int]
"""Pixels before and after, along one axis."""


@dataclass(frozen=True, kw_only=True)
class Windows:
    """How to reach a layer's windows: `padding` SAME or VALID, after `pads` of rows and columns
    have been added (None: nothing to add)."""

    padding: str
    pads: tuple[Ends, Ends] | None = None


def windows(layer: Layer) -> Windows:
    """Those of a convolution or a pool."""
    wanted, same = ours(layer), tuple(_same(layer, axis) for axis in (0, 1))
    if wanted == same:
        return Windows(padding="SAME")
    rows, columns = wanted
    if wanted == ((0, 0), (0, 0)):
        return Windows(padding="VALID")
    return Windows(padding="VALID", pads=(rows, columns))


def ours(layer: Layer) -> tuple[Ends, Ends]:
    """Pixels that the windows reach beyond the map, (rows, columns)."""
    rows, columns = (_ends(layer, axis) for axis in (0, 1))
    return rows, columns


def _ends(layer: Layer, axis: int) -> Ends:
    tiles = layer.kind == "avg_pool" and layer.kernel == layer.stride
    if layer.kind == "conv":
        before = layer.pads[axis][0]
    else:
        before = 0 if tiles else layer.kernel[axis] // 2
    return before, max(0, _span(layer, axis) - layer.size[axis] - before)


def _span(layer: Layer, axis: int) -> int:
    """Pixels from the first one of the first window to the last one of the last."""
    return (layer.size_out[axis] - 1) * layer.stride[axis] + layer.reach[axis] + 1


def _same(layer: Layer, axis: int) -> Ends:
    """What TFLite's SAME adds."""
    total = max(0, _span(layer, axis) - layer.size[axis])
    return total // 2, total - total // 2


def correction(layer: Layer) -> NDArray[np.float32]:
    """(1, height, width, 1): pixels in a window, over those of them that lie on the map.

    An average over padded windows, times this, is the average of the pixels that there are.
    """
    factors = []
    for axis in (0, 1):
        before, _ = _ends(layer, axis)
        first = np.arange(layer.size_out[axis]) * layer.stride[axis] - before
        last = np.minimum(first + layer.kernel[axis], layer.size[axis])
        factors.append(layer.kernel[axis] / (last - np.maximum(first, 0)))
    both: NDArray[np.float32] = np.outer(*factors).astype(np.float32)[None, :, :, None]
    return both
