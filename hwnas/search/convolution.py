"""Grouped convolutions with second derivatives that cost what convolutions cost.

PyTorch differentiates the backward of a grouped convolution group by group in a loop: for a depthwise
convolution of 64 channels one Hessian-vector product took 8.5 first-order steps instead of 2
(benchmarks/hypergradient.py). A convolution is bilinear in its input and its weight, so all three second
derivatives are convolutions of the same geometry.
"""

from typing import Any

import torch
from torch import Tensor
from torch.autograd.function import Function, once_differentiable
from torch.overrides import TorchFunctionMode

Geometry = tuple[list[int], list[int], list[int], int]  # stride, padding, dilation, groups


def _backward(
    grad: Tensor, x: Tensor, weight: Tensor, geometry: Geometry, wanted: tuple[bool, bool]
) -> tuple[Tensor | None, Tensor | None]:
    stride, padding, dilation, groups = geometry
    mask = [*wanted, False]
    grads = torch.ops.aten.convolution_backward(
        grad, x, weight, None, stride, padding, dilation, False, [0, 0], groups, mask
    )
    return grads[0], grads[1]


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
        along_x, along_weight = _ConvolutionBackward.apply(grads[0], x, weight, ctx.geometry, wanted)  # type: ignore[no-untyped-call]
        return along_x, along_weight, None


class _ConvolutionBackward(Function):
    @staticmethod
    def forward(
        ctx: Any, grad: Tensor, x: Tensor, weight: Tensor, geometry: Geometry, wanted: tuple[bool, bool]
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
        along_grad = along_x = along_weight = None
        if to_x is not None:
            along_grad = torch.conv2d(to_x, weight, None, *ctx.geometry)
            along_weight = _backward(grad, to_x, weight, ctx.geometry, (False, True))[1]
        if to_weight is not None:
            more = torch.conv2d(x, to_weight, None, *ctx.geometry)
            along_grad = more if along_grad is None else along_grad + more
            along_x = _backward(grad, x, to_weight, ctx.geometry, (True, False))[0]
        return along_grad, along_x, along_weight, None, None


class grouped_double_backward(TorchFunctionMode):
    """Inside, `torch.conv2d` with groups > 1 (so every `nn.Conv2d` with groups) is twice differentiable
    cheaply."""

    def __torch_function__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        """Divert grouped convolutions; everything else is passed on."""
        if (
            func is torch.conv2d
            and not kwargs
            and len(args) == 7
            and args[6] > 1
            and not isinstance(args[4], str)
        ):
            x, weight, bias, stride, padding, dilation, groups = args
            geometry = _pair(stride), _pair(padding), _pair(dilation), groups
            out = _Convolution.apply(x, weight, geometry)  # type: ignore[no-untyped-call]
            return out if bias is None else out + bias[:, None, None]
        return func(*args, **(kwargs or {}))


def _pair(value: Any) -> list[int]:
    return [value, value] if isinstance(value, int) else list(value) * (2 // len(value))
