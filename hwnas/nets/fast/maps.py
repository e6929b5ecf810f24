"""Maps taken apart and put together for training on a CPU, where the gradient's layout in memory
is what costs."""

from __future__ import annotations

from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.autograd.function import Function

from hwnas.nets.precision import lowered


def channels_last(x: Tensor) -> bool:
    """Whether ``x`` (n, c, h, w) lies in memory pixel by pixel.

    Inside torch.func.vmap nobody can say: False.
    """
    try:
        return x.is_contiguous(memory_format=torch.channels_last)
    except RuntimeError:
        return False


def even_pixels(x: Tensor) -> Tensor:
    """(n, c, h, w) -> (n, c, ceil(h/2), ceil(w/2)): every second pixel from the first."""
    if (
        not torch.is_grad_enabled()
    ):  # what follows is for the gradient's sake, and torch.func knows it not
        return _parts(x, (0,))[0]
    return _Pixels.apply(x, (0,))[0]  # type: ignore[no-any-return,no-untyped-call]


def even_and_odd_pixels(x: Tensor) -> tuple[Tensor, Tensor]:
    """Every second pixel from the first and from the second on the diagonal, both (n, c, ceil(h/2),
    ceil(w/2)).

    Where the odd ones run out, at the end of an odd edge, they are zero.
    """
    if not torch.is_grad_enabled():
        even, odd = _parts(x, (0, 1))
        return even, odd
    return _Pixels.apply(x, (0, 1))  # type: ignore[no-any-return,no-untyped-call]


def joined(maps: list[Tensor]) -> Tensor:
    """``torch.cat(maps, dim=1)`` of maps that are equally wide, for training.

    The gradients of the parts come back dense. As slices of the whole, which autograd gives, they
    cost BatchNorm's backward twenty times its time in channels_last.
    """
    if not torch.is_grad_enabled():
        return torch.cat(maps, dim=1)
    return _Joined.apply(*maps)  # type: ignore[no-any-return,no-untyped-call]


def _parts(x: Tensor, offsets: tuple[int, ...]) -> list[Tensor]:
    height, width = x.shape[2:]
    parts = []
    for offset in offsets:
        part = x[:, :, offset::2, offset::2]
        if offset and (height % 2 or width % 2):
            part = F.pad(part, (0, width % 2, 0, height % 2))
        parts.append(part)
    return parts


class _Joined(Function):
    @staticmethod
    def forward(ctx: Any, *maps: Tensor) -> Tensor:
        ctx.count = len(maps)
        return torch.cat(maps, dim=1)

    @staticmethod
    def backward(ctx: Any, *grads: Tensor) -> tuple[Tensor, ...]:
        layout = torch.channels_last
        if not grads[0].is_contiguous(memory_format=layout):
            layout = torch.contiguous_format
        return tuple(
            part.contiguous(memory_format=layout) for part in grads[0].chunk(ctx.count, dim=1)
        )


class _Pixels(Function):
    """Every second pixel: a map is read once and its gradient written once, by one operation."""

    @staticmethod
    def forward(ctx: Any, x: Tensor, offsets: tuple[int, ...]) -> tuple[Tensor, ...]:
        ctx.size, ctx.offsets = x.shape, offsets
        return tuple(
            part.contiguous(memory_format=torch.channels_last) for part in _parts(x, offsets)
        )

    @staticmethod
    def backward(ctx: Any, *grads: Tensor) -> tuple[Tensor, None]:
        return _Scatter.apply(ctx.size, ctx.offsets, *grads), None  # type: ignore[no-untyped-call]


class _Scatter(Function):
    """The transpose of ``_Pixels``; its own derivative is ``_Pixels`` again."""

    @staticmethod
    def forward(ctx: Any, size: torch.Size, offsets: tuple[int, ...], *grads: Tensor) -> Tensor:
        ctx.offsets = offsets
        n, c, height, width = size
        whole = grads[0].new_zeros(n, height, width, c).permute(0, 3, 1, 2)
        for offset, grad in zip(offsets, grads, strict=True):
            part = whole[:, :, offset::2, offset::2]
            part.copy_(grad[:, :, : part.shape[2], : part.shape[3]])
        return whole

    @staticmethod
    def backward(ctx: Any, *grads: Tensor) -> tuple[Tensor | None, ...]:
        return None, None, *_Pixels.apply(grads[0], ctx.offsets)  # type: ignore[no-untyped-call]


class MeanPool(nn.AvgPool2d):
    """The average of what a k x k window covers of the map, k odd, the window centred on its pixel.

    As a depthwise convolution with ones it takes half of the time that torch's own kernel takes in
    channels_last.
    """

    def __init__(self, kernel: int, stride: int) -> None:
        super().__init__(kernel, stride, kernel // 2, count_include_pad=False)
        self._made: tuple[Any, Tensor, Tensor] | None = None

    def forward(self, x: Tensor) -> Tensor:
        """(n, c, h, w) -> (n, c, ceil(h / stride), ceil(w / stride))."""
        if x.device.type != "cpu" or not channels_last(x):
            return super().forward(x)
        x = lowered(x)
        ones, share = self._constants(x)
        return torch.conv2d(x, ones, None, self.stride, self.padding, 1, x.shape[1]) * share

    def _constants(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """Ones (c, 1, k, k), and 1 / (pixels that the window covers) (1, 1, h', w'); kept for
        the next map."""
        key = (x.shape[1:], x.dtype)
        if self._made is None or self._made[0] != key:
            size: Any = self.kernel_size
            ones = x.new_ones(x.shape[1], 1, size, size)
            covered = torch.conv2d(
                x.new_ones(1, 1, *x.shape[2:]), ones[:1], None, self.stride, self.padding
            )
            self._made = key, ones, 1 / covered
        return self._made[1:]
