"""torch modules of the layer lists in hwnas.space.layers: one description, counted there and
built here."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Sequence

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from hwnas.nets.activations import activation
from hwnas.nets.fast.convolution import Depthwise, Pointwise, pointwise
from hwnas.nets.fast.maps import MeanPool, even_and_odd_pixels
from hwnas.nets.precision import BatchNorm
from hwnas.nets.same_padding import SamePadding
from hwnas.nets.squeeze_excite import SqueezeExcite
from hwnas.space.layers import Layer, Size


class FactorizedReduce(nn.Module):
    """Two 1x1 convolutions of stride 2 side by side, the second on the map shifted by one pixel.

    (n, channels_in, h, w) -> (n, channels_out, ceil(h/2), ceil(w/2)). An odd edge is padded with
    one zero, so that images of any size can be halved; even sizes are as in DARTS (arXiv
    1806.09055, FactorizedReduce).
    """

    def __init__(self, channels_in: int, channels_out: int, bias: bool = False) -> None:
        super().__init__()
        half = channels_out // 2
        self.even = nn.Conv2d(channels_in, half, 1, stride=2, bias=bias)
        self.odd = nn.Conv2d(channels_in, channels_out - half, 1, stride=2, bias=bias)

    def forward(self, x: Tensor) -> Tensor:
        """See the class."""
        if self.training and x.device.type == "cpu" and not torch.compiler.is_compiling():
            # Taking the pixels first spares the convolutions' backward two passes over the whole
            # map each.
            even, odd = even_and_odd_pixels(x)
            left = pointwise(even, self.even.weight, self.even.bias)
            return torch.cat([left, pointwise(odd, self.odd.weight, self.odd.bias)], dim=1)
        missing = (0, x.shape[3] % 2, 0, x.shape[2] % 2)
        padded = F.pad(x, missing) if any(missing) else x
        return torch.cat([self.even(x), self.odd(padded[:, :, 1:, 1:])], dim=1)


class GlobalPool(nn.AdaptiveAvgPool2d):
    """The mean of each channel, (n, c, h, w) -> (n, c): as a mean it exports to fewer nodes than
    a pooling."""

    def __init__(self) -> None:
        super().__init__(1)

    def forward(self, x: Tensor) -> Tensor:
        """See the class."""
        return x.mean((2, 3))


class Pooled(nn.Sequential):
    """The layers after a global pooling, numbered from 1.

    The mean is no module: counters know it costs nothing.
    """

    def forward(self, x: Tensor) -> Tensor:
        """(n, c, h, w) -> what the layers make of (n, c)."""
        return super().forward(x.mean((2, 3)))  # type: ignore[no-any-return,no-untyped-call]


def module_of(layer: Layer, affine: bool, running: bool) -> nn.Module:
    """The torch module of one layer.

    BatchNorm: with ``affine`` scale and shift, ``running`` statistics.

    Where nothing runs along (a supernet), convolutions and averages have the quicker ways of
    hwnas.nets.fast.convolution and hwnas.nets.fast.maps.
    """
    if layer.kind == "conv":
        return _convolution(layer, quick=not running)
    if layer.kind == "batch_norm":
        kind = nn.BatchNorm2d if running else BatchNorm
        return kind(layer.channels_out, layer.epsilon, affine=affine, track_running_stats=running)
    if layer.kind == "max_pool":
        return nn.MaxPool2d(layer.kernel, layer.stride, _centred(layer.kernel))
    if layer.kind == "avg_pool":
        # A pool whose kernel is its stride (the residual block's shortcut) tiles the map: no
        # padding.
        tiled = layer.kernel == layer.stride
        if not tiled and not running and _is_square(layer):
            return MeanPool(layer.kernel[0], layer.stride[0])
        padding = (0, 0) if tiled else _centred(layer.kernel)
        return nn.AvgPool2d(
            layer.kernel, layer.stride, padding, ceil_mode=tiled, count_include_pad=False
        )
    if layer.kind == "factorized_reduce":
        return FactorizedReduce(layer.channels_in, layer.channels_out, layer.bias)
    if layer.kind == "global_pool":
        return GlobalPool()
    if layer.kind == "linear":
        return nn.Linear(layer.channels_in, layer.channels_out)
    if layer.kind == "squeeze_excite":
        return SqueezeExcite(layer.channels_in, layer.hidden, layer.inner, layer.gate)
    return activation(layer.kind)


def _convolution(layer: Layer, quick: bool) -> nn.Conv2d:
    """Keeps the map's size at stride 1.

    ``quick``: with quicker derivatives, where there are any.
    """
    if layer.shifts:
        return _same(layer)
    depthwise = layer.groups == layer.channels_in == layer.channels_out > 1
    if quick and depthwise and _is_square(layer) and layer.kernel[0] % 2 and not layer.bias:
        return Depthwise(layer.channels_in, layer.kernel[0], layer.stride[0], layer.dilation)
    pointwise = layer.kernel == layer.stride == (1, 1) and layer.groups == 1
    padding = (layer.reach[0] // 2, layer.reach[1] // 2)
    return (Pointwise if quick and pointwise else nn.Conv2d)(
        layer.channels_in,
        layer.channels_out,
        layer.kernel,
        layer.stride,
        padding,
        layer.dilation,
        layer.groups,
        bias=layer.bias,
    )


def _same(layer: Layer) -> nn.Conv2d:
    """A plain convolution, before which the map gets the zeros that torch does not add."""
    padding = SamePadding(reach=layer.reach, stride=layer.stride)
    conv = nn.Conv2d(
        layer.channels_in,
        layer.channels_out,
        layer.kernel,
        layer.stride,
        padding.both,
        layer.dilation,
        layer.groups,
        bias=layer.bias,
    )
    conv.register_forward_pre_hook(padding)
    return conv


def _centred(kernel: Size) -> Size:
    """The padding of a pool whose windows are centred on their pixels."""
    return kernel[0] // 2, kernel[1] // 2


def _is_square(layer: Layer) -> bool:
    return layer.kernel[0] == layer.kernel[1] and layer.stride[0] == layer.stride[1]


def sequence(layers: Sequence[Layer], affine: bool = True, running: bool = True) -> nn.Sequential:
    """The modules of ``layers`` in order; the identity for none.

    A ReLU after a BatchNorm works in place. The gradients of other activations need the map that
    they read, so torch would copy it first.
    """
    modules = [module_of(layer, affine, running) for layer in layers]
    for before, module in zip(layers, modules[1:], strict=False):
        if isinstance(module, nn.ReLU) and before.kind == "batch_norm":
            module.inplace = True
    if layers and layers[0].kind == "global_pool":
        numbered = {str(number): module for number, module in enumerate(modules)}
        return Pooled(OrderedDict(list(numbered.items())[1:]))
    return nn.Sequential(*(modules or [nn.Identity()]))


def body(
    layers: Sequence[Layer], affine: bool = True, running: bool = True
) -> tuple[bool, nn.Sequential]:
    """(whether a ReLU comes first, the modules after it).

    Several readers of one map begin with the same ReLU: it is computed once for all of them.
    """
    after_relu = bool(layers) and layers[0].kind == "relu"
    return after_relu, sequence(layers[1:] if after_relu else layers, affine, running)
