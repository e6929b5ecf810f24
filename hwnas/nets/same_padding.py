"""TensorFlow's SAME padding in torch, whose convolutions pad both ends of a map alike.

What every size of map needs at both ends is the convolution's own padding. The rest, one row and
column at stride 2, is added before it. A copy of the map is the price: 4 % of a training step of
EfficientNet-Lite0 on one CPU thread, 11 % of a forward pass. A convolution that pads more and drops
its first row is quicker forwards and slower backwards, and is counted with that row; so is one with
a larger kernel, half of it zero.

It hangs on a plain ``nn.Conv2d`` as a hook, so that counters that go by the class know it.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch.nn.functional as F
from torch import Tensor, nn

from hwnas.space.layers import Size
from hwnas.space.padding import pads_of_every_size, same_pads


@dataclass(frozen=True, kw_only=True)
class SamePadding:
    """The zeros before a convolution that has ``both`` as its own padding.

    ``reach``, ``stride``: as in hwnas.space.layers, (height, width) in pixels.
    """

    reach: Size
    stride: Size

    @property
    def both(self) -> Size:
        """Rows and columns of zeros that maps of all sizes need at both ends."""
        rows, columns = (
            pads_of_every_size(reach, stride)
            for reach, stride in zip(self.reach, self.stride, strict=True)
        )
        return rows, columns

    def __call__(self, module: nn.Module, args: tuple[Tensor]) -> tuple[Tensor]:
        """A hook before the forward pass of ``module``."""
        return (self.padded(args[0]),)

    def padded(self, x: Tensor) -> Tensor:
        """(n, c, h, w) -> the map with its missing zeros; ``x`` itself where none are missing."""
        missing = [
            zeros - both
            for size, reach, stride, both in zip(
                x.shape[:1:-1], self.reach[::-1], self.stride[::-1], self.both[::-1], strict=True
            )
            for zeros in same_pads(size, reach, stride)
        ]
        return F.pad(x, missing) if any(missing) else x
