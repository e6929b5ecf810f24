"""What a network executes, layer by layer, as pure values: the base of counts, tables and
rooflines.

Structures: DARTS operations and CIFAR/ImageNet stems (arXiv 1806.09055), TND's additions (arXiv
2111.03892), NAS-Bench-201's residual blocks (arXiv 2001.00326). Sizes halve with rounding up at
stride 2.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Literal, NoReturn, get_args

from hwnas.space.padding import Padding, same_pads
from hwnas.space.space import NONE, SKIP
from profilers.errors import InputError

Kind = Literal[
    "relu",
    "relu6",
    "swish",
    "hard_swish",
    "sigmoid",
    "hard_sigmoid",
    "squeeze_excite",
    "conv",
    "batch_norm",
    "max_pool",
    "avg_pool",
    "factorized_reduce",
    "global_pool",
    "linear",
]
Activation = Literal["relu", "relu6", "swish", "hard_swish", "sigmoid", "hard_sigmoid"]
ACTIVATIONS: tuple[Activation, ...] = get_args(Activation)
"""Element by element, with no parameters. relu6: min(max(x, 0), 6). swish: x sigmoid(x) (arXiv
1710.05941). hard_sigmoid: min(max(x + 3, 0), 6) / 6; hard_swish: x times that (arXiv
1905.02244)."""
Size = tuple[int, int]
Stem = Literal["cifar", "imagenet"]


@dataclass(frozen=True, slots=True)
class Layer:
    """One layer on a feature map. ``size`` is its input's height and width, in pixels.

    ``factorized_reduce`` is DARTS's FactorizedReduce without its ReLU and BatchNorm: two 1x1
    convolutions of stride 2, the second on the map shifted by one pixel, each giving half of the
    output channels.

    ``squeeze_excite`` (arXiv 1709.01507) multiplies every channel by a gate in 0..1: the mean of
    the map, a 1x1 convolution with bias to ``hidden`` channels, the activation ``inner``, a 1x1
    convolution with bias back, and the activation ``gate``.

    ``bias``: the convolution has one; ``padding``: where its zeros are. ``epsilon``: what BatchNorm
    adds to the variance.
    """

    kind: Kind
    channels_in: int
    channels_out: int
    size: Size
    kernel: Size = field(default=(1, 1), kw_only=True)
    stride: Size = field(default=(1, 1), kw_only=True)
    dilation: int = field(default=1, kw_only=True)
    groups: int = field(default=1, kw_only=True)
    bias: bool = field(default=False, kw_only=True)
    hidden: int = field(default=0, kw_only=True)
    inner: Activation = field(default="relu", kw_only=True)
    gate: Activation = field(default="sigmoid", kw_only=True)
    epsilon: float = field(default=1e-5, kw_only=True)
    padding: Padding = field(default="centred", kw_only=True)

    @property
    def size_out(self) -> Size:
        """Height and width of the output, in pixels."""
        if self.kind in ("global_pool", "linear"):
            return (1, 1)
        return (-(-self.size[0] // self.stride[0]), -(-self.size[1] // self.stride[1]))

    @property
    def reach(self) -> Size:
        """How many pixels lie between the first and the last that a window reads, in height and
        width."""
        return (self.dilation * (self.kernel[0] - 1), self.dilation * (self.kernel[1] - 1))

    @property
    def pads(self) -> tuple[Size, Size]:
        """Of a convolution: rows of zeros before and after the map, and columns, in pixels."""
        rows, columns = (
            same_pads(size, reach, stride) if self.padding == "same" else (reach // 2, reach // 2)
            for size, reach, stride in zip(self.size, self.reach, self.stride, strict=True)
        )
        return rows, columns

    @property
    def shifts(self) -> bool:
        """Whether the padding of this convolution differs from the centred one on maps of some
        size."""
        return self.padding == "same" and any(
            reach % 2 or (reach and stride > 1)
            for reach, stride in zip(self.reach, self.stride, strict=True)
        )

    @property
    def params(self) -> int:
        """Trainable numbers: weights and biases; BatchNorm counts its scale and shift."""
        if self.kind in ("conv", "factorized_reduce"):
            return self._weights + self.bias * self.channels_out
        if self.kind == "linear":
            return (self.channels_in + 1) * self.channels_out
        if self.kind == "squeeze_excite":
            return self._weights + self.hidden + self.channels_out
        return 2 * self.channels_out if self.kind == "batch_norm" else 0

    @property
    def macs(self) -> int:
        """Multiply-accumulates for one image: convolutions and linear layers (bias not counted).

        Of squeeze_excite, those of its two convolutions on one pixel; the products with the map are
        not counted.
        """
        if self.kind == "linear":
            return self.channels_in * self.channels_out
        if self.kind == "squeeze_excite":
            return self._weights
        height, width = self.size_out
        return self._weights * height * width if self.kind in ("conv", "factorized_reduce") else 0

    @property
    def _weights(self) -> int:
        """The numbers in the weights of a convolution, or of both of squeeze_excite."""
        if self.kind == "squeeze_excite":
            return self.hidden * (self.channels_in + self.channels_out)
        return self.channels_out * self.channels_in // self.groups * self.kernel[0] * self.kernel[1]


def unknown_layer(kind: NoReturn) -> NoReturn:
    """Refuse a kind of layer that a rendering has no rule for: never guess. mypy checks that all
    are handled."""
    raise InputError(f"layer kind {kind!r}: not known here")


def check_layer(layer: Layer, where: str) -> None:
    """Raise InputError, which begins with ``where``, for a layer that no rendering can build as
    it is counted."""
    kind, cin, cout = layer.kind, layer.channels_in, layer.channels_out
    if kind not in ("conv", "factorized_reduce", "linear") and cin != cout:
        raise InputError(f"{where}: a {kind} has as many channels out as in, not {cout} of {cin}")
    if kind != "conv" and layer.padding != "centred":
        raise InputError(f"{where}: a {kind} is padded as 'centred', not {layer.padding!r}")
    if kind == "conv" and (layer.groups < 1 or cin % layer.groups or cout % layer.groups):
        raise InputError(
            f"{where}: {layer.groups} groups do not divide a conv of {cin} to {cout} channels"
        )
    if kind == "squeeze_excite" and layer.hidden < 1:
        raise InputError(
            f"{where}: a squeeze_excite needs hidden channels, such as hidden={max(1, cin // 4)}"
        )
    if kind in ("conv", "max_pool", "avg_pool"):
        _check_windows(layer, where)


def _check_windows(layer: Layer, where: str) -> None:
    """Raise InputError where a convolution or pool gives another number of pixels than
    ``size_out`` says."""
    if layer.kind == "avg_pool" and layer.kernel == layer.stride:
        return  # tiles: what reaches over an edge counts as a pixel
    pads = layer.pads if layer.kind == "conv" else tuple((k // 2, k // 2) for k in layer.kernel)
    for size, out, kernel, stride, reach, zeros in zip(
        layer.size, layer.size_out, layer.kernel, layer.stride, layer.reach, pads, strict=True
    ):
        windows = (size + sum(zeros) - reach - 1) // stride + 1
        if windows != out:
            raise InputError(
                f"{where}: a {layer.kind} with a kernel of {kernel} and a stride of {stride} gives"
                f" {windows} of {size} pixels, where {out} are counted; take an odd kernel"
            )


Builder = Callable[[int, int, Size], tuple[Layer, ...]]
"""(channels, stride, input size) -> what a primitive executes."""


def relu_conv_bn(
    cin: int, cout: int, size: Size, kernel: int = 1, stride: int = 1
) -> tuple[Layer, ...]:
    """ReLU, convolution, BatchNorm."""
    conv = Layer("conv", cin, cout, size, kernel=(kernel, kernel), stride=(stride, stride))
    return (Layer("relu", cin, cin, size), conv, Layer("batch_norm", cout, cout, conv.size_out))


def factorized_reduce(cin: int, cout: int, size: Size) -> tuple[Layer, ...]:
    """ReLU, two interleaved 1x1 convolutions of stride 2, BatchNorm."""
    halve = Layer("factorized_reduce", cin, cout, size, stride=(2, 2))
    return (Layer("relu", cin, cin, size), halve, Layer("batch_norm", cout, cout, halve.size_out))


def _depthwise_separable(
    channels: int, stride: int, size: Size, kernel: int, dilation: int = 1
) -> tuple[Layer, ...]:
    square = (kernel, kernel)
    depthwise = Layer(
        "conv",
        channels,
        channels,
        size,
        kernel=square,
        stride=(stride, stride),
        dilation=dilation,
        groups=channels,
    )
    out = depthwise.size_out
    pointwise = Layer("conv", channels, channels, out)
    relu = Layer("relu", channels, channels, size)
    return (relu, depthwise, pointwise, Layer("batch_norm", channels, channels, out))


def _sep_conv(kernel: int) -> Builder:
    def build(channels: int, stride: int, size: Size) -> tuple[Layer, ...]:
        first = _depthwise_separable(channels, stride, size, kernel)
        return first + _depthwise_separable(channels, 1, first[-1].size, kernel)

    return build


def _dil_conv(kernel: int) -> Builder:
    return lambda channels, stride, size: _depthwise_separable(
        channels, stride, size, kernel, dilation=2
    )


def _conv(kernel: int) -> Builder:
    return lambda channels, stride, size: relu_conv_bn(channels, channels, size, kernel, stride)


def _pool(kind: Kind, kernel: int) -> Builder:
    square = (kernel, kernel)
    return lambda channels, stride, size: (
        Layer(kind, channels, channels, size, kernel=square, stride=(stride, stride)),
    )


def _skip(channels: int, stride: int, size: Size) -> tuple[Layer, ...]:
    return () if stride == 1 else factorized_reduce(channels, channels, size)


def _conv_3x1_1x3(channels: int, stride: int, size: Size) -> tuple[Layer, ...]:
    row = Layer("conv", channels, channels, size, kernel=(1, 3), stride=(1, stride))
    column = Layer("conv", channels, channels, row.size_out, kernel=(3, 1), stride=(stride, 1))
    return (
        Layer("relu", channels, channels, size),
        row,
        column,
        Layer("batch_norm", channels, channels, column.size_out),
    )


PRIMITIVES: dict[str, Builder] = {
    NONE: lambda channels, stride, size: (),
    SKIP: _skip,
    "max_pool_3x3": _pool("max_pool", 3),
    "max_pool_5x5": _pool("max_pool", 5),
    "max_pool_7x7": _pool("max_pool", 7),
    "avg_pool_3x3": _pool("avg_pool", 3),
    "sep_conv_3x3": _sep_conv(3),
    "sep_conv_5x5": _sep_conv(5),
    "sep_conv_7x7": _sep_conv(7),
    "dil_conv_3x3": _dil_conv(3),
    "dil_conv_5x5": _dil_conv(5),
    "conv_1x1": _conv(1),
    "conv_3x3": _conv(3),
    "conv_3x1_1x3": _conv_3x1_1x3,
    "nor_conv_1x1": _conv(1),
    "nor_conv_3x3": _conv(3),
}
"""What each primitive executes. A user's own operation is one more entry."""


def half(size: Size) -> Size:
    """Height and width after stride 2."""
    return (-(-size[0] // 2), -(-size[1] // 2))


def conv_bn(cin: int, cout: int, size: Size, stride: int = 1) -> tuple[Layer, ...]:
    """Convolution and BatchNorm, without a ReLU before them."""
    return relu_conv_bn(cin, cout, size, 3, stride)[1:]
