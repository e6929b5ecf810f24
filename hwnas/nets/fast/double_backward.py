"""Convolution and BatchNorm whose second derivatives cost what their first derivatives cost.

PyTorch differentiates the backward of a convolution through ones with kernels as large as the map,
of a grouped one group by group (9 to 12 first-order steps for a depthwise one of 64 channels,
instead of 2), and that of BatchNorm through some twenty passes over the map. Convolutions go
through hwnas.nets.fast.convolution; BatchNorm's second derivatives are written out below. Figures:
benchmarks/hypergradient.py, docs/evidence/ndarts.md.
"""

from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor
from torch.autograd.function import Function, once_differentiable
from torch.overrides import TorchFunctionMode

from hwnas.nets.fast.convolution import convolution

Maybe = Tensor | None


class cheap_double_backward(TorchFunctionMode):
    """Inside, `conv2d` and BatchNorm on batch statistics are twice differentiable cheaply, and
    hard-sigmoid at all.

    Values and derivatives are those of PyTorch up to rounding; third derivatives raise.
    """

    def __torch_function__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        """Divert these functions in the form in which torch.nn calls them; pass everything else
        on."""
        if not kwargs and len(args) == 7 and func is torch.conv2d and not isinstance(args[4], str):
            return _convolution(*args)
        if func is F.batch_norm and kwargs and kwargs["training"] and args[0].dim() == 4:
            return _batch_norm(*args, **kwargs)
        if func is F.hardsigmoid:
            return F.relu6(args[0] + 3) / 6  # torch has no second derivative of its own kernel
        return func(*args, **(kwargs or {}))


def _convolution(
    x: Tensor, weight: Tensor, bias: Maybe, stride: Any, padding: Any, dilation: Any, groups: int
) -> Tensor:
    out = convolution(x, weight, (_pair(stride), _pair(padding), _pair(dilation), groups))
    return out if bias is None else out + bias[:, None, None]


def _batch_norm(
    x: Tensor,
    running_mean: Maybe,
    running_var: Maybe,
    weight: Maybe,
    bias: Maybe,
    training: bool,
    momentum: float,
    eps: float,
) -> Tensor:
    # The CPU kernels read a weight's memory as if it were contiguous, and past its end where it is
    # expanded.
    weight = None if weight is None else weight.contiguous()
    apply: Any = _BatchNorm.apply
    out: Tensor = apply(x, weight, bias, running_mean, running_var, momentum, eps)
    return out


class _BatchNorm(Function):
    """y = weight * xn + bias, xn = (x - mean) * r, r = (var + eps)^-1/2, mean and var per
    channel of this batch."""

    @staticmethod
    def forward(
        ctx: Any,
        x: Tensor,
        weight: Maybe,
        bias: Maybe,
        running_mean: Maybe,
        running_var: Maybe,
        momentum: float,
        eps: float,
    ) -> Tensor:
        y, mean, r = torch.native_batch_norm(
            x, weight, bias, running_mean, running_var, True, momentum, eps
        )
        ctx.save_for_backward(x, weight, mean, r)
        ctx.eps = eps
        return y

    @staticmethod
    def backward(ctx: Any, *grads: Tensor) -> tuple[Maybe, ...]:
        apply: Any = _BatchNormBackward.apply
        along_x, *rest = apply(*grads, *ctx.saved_tensors, ctx.eps)
        affine = [
            grad if needed else None
            for grad, needed in zip(rest, ctx.needs_input_grad[1:3], strict=True)
        ]
        return along_x, *affine, None, None, None, None


class _BatchNormBackward(Function):
    """weight * r * P(g) for the input, sum g xn for the weight, sum g for the bias.

    P(g) = g - mean(g) - xn * mean(g xn), the means per channel.
    """

    @staticmethod
    def forward(
        ctx: Any, grad: Tensor, x: Tensor, weight: Maybe, mean: Tensor, r: Tensor, eps: float
    ) -> tuple[Tensor, Tensor, Tensor]:
        along_x, scaled, plain = _batch_norm_backward(
            grad, x, weight=weight, mean=mean, r=r, eps=eps
        )
        ctx.save_for_backward(grad, x, weight, mean, r, scaled, plain)
        ctx.eps = eps
        ctx.set_materialize_grads(False)
        return along_x, scaled, plain

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, *grads: Maybe) -> tuple[Maybe, ...]:
        # The scalar is <u, weight r P(g)> + <s, sum g xn> + <t, sum g>. Per channel a derivative is
        # a sum of multiples of u, g, x and 1; the multiples are worked out on vectors of one number
        # per channel.
        u, s, t = grads
        g, x, weight, mean, r, g_xn, g_sum = ctx.saved_tensors
        gain = r if weight is None else weight * r
        size = x.numel() // x.shape[1]
        zero = torch.zeros_like(r)
        if u is None:
            along_g, b, u_mean, inner = torch.zeros_like(g), zero, zero, zero
        else:
            along_g, u_xn, u_sum = _batch_norm_backward(
                u, x, weight=weight, mean=mean, r=r, eps=ctx.eps
            )
            b, u_mean = u_xn / size, u_sum / size
            inner = (u * g).sum((0, 2, 3)) - u_mean * g_sum - b * g_xn  # <u, P(g)>
        if s is not None or t is not None:
            s, t = zero if s is None else s, zero if t is None else t
            along_g += _line(x, s * r, t - s * mean * r)
        a, g_mean = g_xn / size, g_sum / size
        of_u, of_g = -gain * a * r, ((zero if s is None else s) - gain * b) * r
        of_xn = -(of_u * b + of_g * a) - gain * inner * r / size
        along_x = _line(x, of_xn * r, -of_u * u_mean - of_g * g_mean - of_xn * mean * r)
        along_x.addcmul_(g, _channels(of_g))
        if u is not None:
            along_x.addcmul_(u, _channels(of_u))
        along_weight = None if weight is None else inner * r
        return along_g, along_x, along_weight, None, None, None


def _batch_norm_backward(
    grad: Tensor, x: Tensor, weight: Maybe, mean: Tensor, r: Tensor, eps: float
) -> tuple[Tensor, Tensor, Tensor]:
    if weight is None and x.device.type != "cpu":
        # CUDA's kernels for channels_last maps hand back sums of 0 elements where there is no
        # scale.
        weight = mean.new_ones(x.shape[1])
    found: tuple[Tensor, Tensor, Tensor] = torch.ops.aten.native_batch_norm_backward(
        grad, x, weight, None, None, mean, r, True, eps, [True, True, True]
    )
    return found


def _line(x: Tensor, slope: Tensor, offset: Tensor) -> Tensor:
    """slope * x + offset with one slope and offset per channel."""
    return (x * _channels(slope)).add_(_channels(offset))


def _channels(vector: Tensor) -> Tensor:
    return vector[:, None, None]


def _pair(value: Any) -> list[int]:
    return [value, value] if isinstance(value, int) else list(value) * (2 // len(value))
