"""Where a convolution puts the zeros round a map."""

from __future__ import annotations

from typing import Literal

Padding = Literal["centred", "same"]
"""centred: as many zeros before a map as after it, so that an odd kernel is centred on its pixels.

same: TensorFlow's SAME, as few zeros as the windows need, the smaller half first. The two differ at
strides above 1 and for even kernels: at stride 2 on an even map, a 3x3 kernel reads a row of zeros
above the map if centred, and one below it if same."""


def same_pads(size: int, reach: int, stride: int) -> tuple[int, int]:
    """Pixels of zeros before and after one side of a map under SAME padding.

    >>> same_pads(8, 2, 2), same_pads(9, 2, 2), same_pads(8, 4, 2)
    ((0, 1), (1, 1), (1, 2))
    """
    total = max(0, reach + 1 - (size % stride or stride))
    return total // 2, total - total // 2


def pads_of_every_size(reach: int, stride: int) -> int:
    """Pixels of zeros that maps of every size have at both ends under SAME padding.

    >>> pads_of_every_size(2, 2), pads_of_every_size(4, 2)
    (0, 1)
    """
    return max(0, reach + 1 - stride) // 2
