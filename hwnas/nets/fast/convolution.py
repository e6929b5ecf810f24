"""Convolutions with quick first derivatives on a CPU and cheap second ones anywhere.

First: oneDNN has fast kernels for the weights' gradient of a depthwise convolution up to three
columns wide and without dilation, for its input's gradient without dilation; anything else falls to
kernels up to ten times slower (benchmarks/step.py). All can be said in the fast ones, and the
result is the same up to rounding:
- the input's gradient at stride 1 is a convolution of the output's gradient with the kernel turned
  by 180 degrees;
- columns of a wide kernel come from narrow ones on maps that are shifted by whole pixels in memory;
- with dilation d, pixels d apart become neighbours when rows and columns are read as (h/d, d, w/d,
  d).

Second: PyTorch differentiates the backward of a grouped convolution group by group in a loop: for a
depthwise convolution of 64 channels one Hessian-vector product took 8.5 first-order steps instead
of 2 (benchmarks/hypergradient.py). A convolution is bilinear in its input and its weight, so all
three second derivatives are convolutions of the same geometry.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn
from torch.autograd.function import Function, once_differentiable

from hwnas.nets.fast.maps import channels_last, even_pixels
from hwnas.nets.precision import lowered

Geometry = tuple[list[int], list[int], list[int], int]
"""Stride, padding, dilation, each (height, width) in pixels, and groups: as ``torch.conv2d``
takes them."""
_CHANNELS_IN_A_VECTOR = 16
_MAX_KERNEL = 15


def convolution(x: Tensor, weight: Tensor, geometry: Geometry) -> Tensor:
    """``torch.conv2d`` without bias, twice differentiable at the cost of convolutions.

    x: (n, c, h, w), weight: (out, c / groups, kh, kw) -> (n, out, h', w').
    """
    x, weight = lowered(x), lowered(weight)
    return _Convolution.apply(x, weight, geometry)  # type: ignore[no-any-return,no-untyped-call]


class Depthwise(nn.Conv2d):
    """A depthwise convolution of a supernet: as any other, with quicker derivatives while
    training."""

    def __init__(self, channels: int, kernel: int, stride: int = 1, dilation: int = 1) -> None:
        padding = dilation * (kernel // 2)
        super().__init__(
            channels, channels, kernel, stride, padding, dilation, channels, bias=False
        )
        # Taps two apart at every second pixel read the even pixels only, and of those they are
        # neighbours.
        self.halves = stride == dilation == 2
        if self.halves:
            stride, dilation, padding = 1, 1, kernel // 2
        self.geometry: Geometry = [stride] * 2, [padding] * 2, [dilation] * 2, channels
        # Three columns without dilation at a stride of one or two are quick as they are.
        self.slow = kernel > 3 or dilation > 1

    def forward(self, x: Tensor) -> Tensor:
        """(n, c, h, w) -> (n, c, ceil(h / stride), ceil(w / stride))."""
        quicker = x.device.type == "cpu" and (self.slow or self.halves)
        if not (quicker and self.training and torch.is_grad_enabled()):
            return super().forward(x)
        if self.halves:
            x = even_pixels(x)
        if self.slow:
            return convolution(x, self.weight, self.geometry)
        return torch.conv2d(x, self.weight, None, *self.geometry)


class Pointwise(nn.Conv2d):
    """A 1x1 convolution of a supernet: on a channels_last map it is a product of matrices, and
    quicker as one."""

    def forward(self, x: Tensor) -> Tensor:
        """(n, c, h, w) -> (n, out, h, w)."""
        if x.device.type == "cpu" and channels_last(x):
            return pointwise(x, self.weight, self.bias)
        return super().forward(x)


def pointwise(x: Tensor, weight: Tensor, bias: Tensor | None = None) -> Tensor:
    """x: (n, c, h, w) in channels_last, weight: (out, c, 1, 1) -> (n, out, h, w) in
    channels_last."""
    return nn.functional.linear(x.permute(0, 2, 3, 1), weight.flatten(1), bias).permute(0, 3, 1, 2)


class _Convolution(Function):
    @staticmethod
    def forward(ctx: Any, x: Tensor, weight: Tensor, geometry: Geometry) -> Tensor:
        ctx.save_for_backward(x, weight)
        ctx.geometry = geometry
        return torch.conv2d(x, weight, None, *geometry)

    @staticmethod
    def backward(ctx: Any, *grads: Tensor) -> tuple[Tensor | None, Tensor | None, None]:
        x, weight = ctx.saved_tensors
        wanted = ctx.needs_input_grad[0], ctx.needs_input_grad[1]
        if not torch.is_grad_enabled():  # nobody will differentiate this again
            return *_backward(grads[0], x, weight, ctx.geometry, wanted), None
        along_x, along_weight = _ConvolutionBackward.apply(
            grads[0], x, weight, ctx.geometry, wanted
        )  # type: ignore[no-untyped-call]
        return along_x, along_weight, None


class _ConvolutionBackward(Function):
    @staticmethod
    def forward(
        ctx: Any,
        grad: Tensor,
        x: Tensor,
        weight: Tensor,
        geometry: Geometry,
        wanted: tuple[bool, bool],
    ) -> tuple[Tensor | None, Tensor | None]:
        ctx.save_for_backward(grad, x, weight)
        ctx.geometry = geometry
        ctx.set_materialize_grads(False)
        return _backward(grad, x, weight, geometry, wanted)

    @staticmethod
    @once_differentiable
    def backward(
        ctx: Any, *grads: Tensor | None
    ) -> tuple[Tensor | None, Tensor | None, Tensor | None, None, None]:
        to_x, to_weight = grads
        grad, x, weight = ctx.saved_tensors
        geometry: Geometry = ctx.geometry
        along_grad = along_x = along_weight = None
        if to_x is not None:
            along_grad = torch.conv2d(to_x, weight, None, *geometry)
            if ctx.needs_input_grad[2]:
                along_weight = _backward(grad, to_x, weight, geometry, (False, True))[1]
        if to_weight is not None:
            more = torch.conv2d(x, to_weight, None, *geometry)
            along_grad = more if along_grad is None else along_grad.add_(more)
            if ctx.needs_input_grad[1]:
                along_x = _backward(grad, x, to_weight, geometry, (True, False))[0]
        return along_grad, along_x, along_weight, None, None


def _backward(
    grad: Tensor, x: Tensor, weight: Tensor, geometry: Geometry, wanted: tuple[bool, bool]
) -> tuple[Tensor | None, Tensor | None]:
    """(d/dx, d/dweight) of sum(grad * conv2d(x, weight)), each by the quickest way known, where
    wanted."""
    want_x, want_weight = wanted
    along_x = along_weight = None
    if _is_depthwise_same(grad, x, weight, geometry):
        if want_x:
            along_x = torch.conv2d(grad, weight.flip(2, 3), None, *geometry)
        if want_weight and (weight.shape[3] > 3 or geometry[2][0] > 1):
            along_weight = _along_weight(grad, x, weight.shape[2], geometry[2][0])
        want_x, want_weight = want_x and along_x is None, want_weight and along_weight is None
    if want_x or want_weight:
        rest = _plain_backward(grad, x, weight, geometry, (want_x, want_weight))
        along_x, along_weight = (
            rest[0] if want_x else along_x,
            rest[1] if want_weight else along_weight,
        )
    return along_x, along_weight


def _plain_backward(
    grad: Tensor, x: Tensor, weight: Tensor, geometry: Geometry, wanted: tuple[bool, bool]
) -> tuple[Tensor | None, Tensor | None]:
    stride, padding, dilation, groups = geometry
    grads = torch.ops.aten.convolution_backward(
        grad, x, weight, None, stride, padding, dilation, False, [0, 0], groups, [*wanted, False]
    )
    return grads[0], grads[1]


def _is_depthwise_same(grad: Tensor, x: Tensor, weight: Tensor, geometry: Geometry) -> bool:
    """Whether the quick ways hold (square odd kernel, stride 1, map size kept) and are quick
    (CPU, full vectors)."""
    stride, padding, dilation, groups = geometry
    kernel, channels = weight.shape[2], x.shape[1]
    return (
        x.device.type == "cpu"
        and groups == channels == grad.shape[1]
        and channels >= _CHANNELS_IN_A_VECTOR
        and stride == [1, 1]
        and dilation == [dilation[0]] * 2
        and weight.shape[3] == kernel <= _MAX_KERNEL
        and kernel % 2 == 1
        and padding == [dilation[0] * (kernel // 2)] * 2
        and channels_last(x)
        and channels_last(grad)
    )


def _along_weight(grad: Tensor, x: Tensor, kernel: int, dilation: int) -> Tensor:
    """The weights' gradient (c, 1, kernel, kernel) of a depthwise convolution at stride 1.

    Each narrow convolution, on a map shifted in memory, gives three columns of the kernel: the one
    that its shift names and the neighbours.
    """
    reach = kernel // 2
    shifts = range(1 - reach, reach, 2)
    (grads,) = _folded(grad, dilation, reach, range(1))
    weight = grad.new_empty(grads.shape[1], 1, kernel, 3)
    narrow: Geometry = [1, 1], [reach, 1], [1, 1], grads.shape[1]
    columns: list[Tensor] = []
    for shifted in _folded(x, dilation, reach, shifts):
        three = _plain_backward(grads, shifted, weight, narrow, (False, True))[1]
        assert three is not None
        columns.append(three[..., 1:] if columns else three)
    whole = torch.cat(columns, 3) if len(columns) > 1 else columns[0]
    return whole if dilation == 1 else whole.view(dilation, x.shape[1], 1, kernel, kernel).sum(0)


def _folded(x: Tensor, dilation: int, reach: int, shifts: range) -> list[Tensor]:
    """A map (n, c, h, w) as (n, d c, h/d, d (w/d + reach)), d = dilation: pixels d apart are
    neighbours.

    ``reach`` zero columns stand behind every row of w/d pixels, so that a shift in memory is a
    shift of the map. The result holds the map at each of ``shifts``, at most ``reach`` columns, all
    in one buffer.
    """
    n, c, height, width = x.shape
    rows, columns = -(-height // dilation), -(-width // dilation) + reach
    pixel = dilation * c
    whole = n * rows * dilation * columns * pixel
    buffer = x.new_zeros(whole + 2 * reach * pixel)
    inside = buffer[reach * pixel : reach * pixel + whole].view(
        n, rows * dilation, columns * dilation, c
    )
    inside[:, :height, :width].copy_(x.permute(0, 2, 3, 1))
    shape = (n, pixel, rows, dilation * columns)
    row = dilation * columns * pixel
    strides = (rows * row, 1, row, pixel)
    return [buffer.as_strided(shape, strides, (reach + shift) * pixel) for shift in shifts]
