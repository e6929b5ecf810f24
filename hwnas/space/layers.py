"""What a network executes, layer by layer, as pure values: the base of counts, tables and rooflines.

Structures: DARTS operations and CIFAR/ImageNet stems (arXiv 1806.09055), TND's additions (arXiv 2111.03892),
NAS-Bench-201's residual stacking (arXiv 2001.00326). Sizes halve with rounding up at stride 2.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

from hwnas.space.genotype import check_cells
from hwnas.space.space import NONE, SKIP, CellKind, Space

Kind = Literal["relu", "conv", "batch_norm", "max_pool", "avg_pool", "halve", "global_pool", "linear"]
Size = tuple[int, int]
Stem = Literal["cifar", "imagenet"]


@dataclass(frozen=True, slots=True)
class Layer:
    """One layer on a feature map. ``size`` is its input's height and width, in pixels.

    ``halve`` is DARTS's FactorizedReduce without its ReLU and BatchNorm: two 1x1 convolutions of stride 2,
    the second on the map shifted by one pixel, each giving half of the output channels.
    """

    kind: Kind
    channels_in: int
    channels_out: int
    size: Size
    kernel: Size = (1, 1)
    stride: Size = (1, 1)
    dilation: int = 1
    groups: int = 1

    @property
    def size_out(self) -> Size:
        """Height and width of the output, in pixels."""
        if self.kind in ("global_pool", "linear"):
            return (1, 1)
        return (-(-self.size[0] // self.stride[0]), -(-self.size[1] // self.stride[1]))

    @property
    def params(self) -> int:
        """Trainable numbers; BatchNorm counts its scale and shift, convolutions have no bias."""
        if self.kind in ("conv", "halve"):
            return self.channels_out * self.channels_in // self.groups * self.kernel[0] * self.kernel[1]
        if self.kind == "linear":
            return (self.channels_in + 1) * self.channels_out
        return 2 * self.channels_out if self.kind == "batch_norm" else 0

    @property
    def macs(self) -> int:
        """Multiply-accumulates for one image: convolutions and linear layers (bias not counted)."""
        if self.kind == "linear":
            return self.channels_in * self.channels_out
        height, width = self.size_out
        return self.params * height * width if self.kind in ("conv", "halve") else 0


Builder = Callable[[int, int, Size], tuple[Layer, ...]]
"""(channels, stride, input size) -> what a primitive executes."""


def relu_conv_bn(cin: int, cout: int, size: Size, kernel: int = 1, stride: int = 1) -> tuple[Layer, ...]:
    """ReLU, convolution, BatchNorm."""
    conv = Layer("conv", cin, cout, size, (kernel, kernel), (stride, stride))
    return (Layer("relu", cin, cin, size), conv, Layer("batch_norm", cout, cout, conv.size_out))


def factorized_reduce(cin: int, cout: int, size: Size) -> tuple[Layer, ...]:
    """ReLU, two interleaved 1x1 convolutions of stride 2, BatchNorm."""
    halve = Layer("halve", cin, cout, size, stride=(2, 2))
    return (Layer("relu", cin, cin, size), halve, Layer("batch_norm", cout, cout, halve.size_out))


def _depthwise_separable(
    channels: int, stride: int, size: Size, kernel: int, dilation: int = 1
) -> tuple[Layer, ...]:
    square = (kernel, kernel)
    depthwise = Layer("conv", channels, channels, size, square, (stride, stride), dilation, groups=channels)
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
    return lambda channels, stride, size: _depthwise_separable(channels, stride, size, kernel, dilation=2)


def _conv(kernel: int) -> Builder:
    return lambda channels, stride, size: relu_conv_bn(channels, channels, size, kernel, stride)


def _pool(kind: Kind, kernel: int) -> Builder:
    square = (kernel, kernel)
    return lambda channels, stride, size: (Layer(kind, channels, channels, size, square, (stride, stride)),)


def _skip(channels: int, stride: int, size: Size) -> tuple[Layer, ...]:
    return () if stride == 1 else factorized_reduce(channels, channels, size)


def _conv_3x1_1x3(channels: int, stride: int, size: Size) -> tuple[Layer, ...]:
    row = Layer("conv", channels, channels, size, (1, 3), (1, stride))
    column = Layer("conv", channels, channels, row.size_out, (3, 1), (stride, 1))
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


@dataclass(frozen=True, slots=True)
class CellSite:
    """One cell of a network: its kind, width, the sizes its edges see, and what prepares its inputs.

    ``size`` belongs to the two (or one) prepared inputs, ``size_out`` to every computed node. ``before``
    holds the layers in front of c_{k-2} and c_{k-1} (reduction_cells), or the two branches of the residual
    block that stands before the first cell of a group (residual_blocks; empty elsewhere).
    """

    kind: CellKind
    channels: int
    size: Size
    size_out: Size
    before: tuple[tuple[Layer, ...], ...]

    def edge(self, source: int, inputs: int) -> tuple[int, Size]:
        """(stride, input size) of an edge: stride 2 on edges from a reduction cell's inputs only."""
        if self.kind == "reduce" and source < inputs:
            return 2, self.size
        return 1, self.size_out


@dataclass(frozen=True, slots=True)
class Skeleton:
    """A network without its cells' edges: the layers that every genotype executes, and where the cells stand.

    ``stem`` has one part per map that the first cell reads: the ImageNet stem goes on where c_{k-2} is taken.
    """

    stem: tuple[tuple[Layer, ...], ...]
    cells: tuple[CellSite, ...]
    head: tuple[Layer, ...]

    @property
    def fixed(self) -> tuple[Layer, ...]:
        """All layers that do not depend on the genotype."""
        parts = [*self.stem, *(part for cell in self.cells for part in cell.before), self.head]
        return tuple(layer for part in parts for layer in part)


def skeleton(
    space: Space,
    channels: int,
    cells: int,
    classes: int,
    image: tuple[int, int, int],
    stem: Stem = "cifar",
) -> Skeleton:
    """Everything but the edges. ``image``: (channels, height, width) in pixels."""
    check_cells(space, cells)
    if space.stacking == "residual_blocks":
        return _residual_blocks(channels, cells, classes, image)
    return _reduction_cells(channels, cells, classes, image, stem)


def reduction_positions(cells: int) -> frozenset[int]:
    """Indices of the reduction cells: a third and two thirds of the depth."""
    return frozenset({cells // 3, 2 * cells // 3})


def _conv_bn(cin: int, cout: int, size: Size, stride: int = 1) -> tuple[Layer, ...]:
    return relu_conv_bn(cin, cout, size, 3, stride)[1:]


def _stem(channels: int, image: tuple[int, int, int], stem: Stem) -> tuple[tuple[Layer, ...], ...]:
    size = (image[1], image[2])
    if stem == "cifar":
        return (_conv_bn(image[0], 3 * channels, size),)
    quarter = half(half(size))
    first = _conv_bn(image[0], channels // 2, size, 2)
    second = relu_conv_bn(channels // 2, channels, half(size), 3, 2)
    return first + second, relu_conv_bn(channels, channels, quarter, 3, 2)


def _reduction_cells(
    channels: int, cells: int, classes: int, image: tuple[int, int, int], stem: Stem
) -> Skeleton:
    parts = _stem(channels, image, stem)
    width_before, size_before = parts[0][-1].channels_out, parts[0][-1].size_out
    width, size = parts[-1][-1].channels_out, parts[-1][-1].size_out
    sites = []
    for index in range(cells):
        kind: CellKind = "reduce" if index in reduction_positions(cells) else "normal"
        channels = 2 * channels if kind == "reduce" else channels
        if size_before != size:
            first = factorized_reduce(width_before, channels, size_before)
        else:
            first = relu_conv_bn(width_before, channels, size)
        size_out = half(size) if kind == "reduce" else size
        sites.append(CellSite(kind, channels, size, size_out, (first, relu_conv_bn(width, channels, size))))
        width_before, width = width, 4 * channels
        size_before, size = size, size_out
    return Skeleton(parts, tuple(sites), _head(width, classes, size))


def _residual_blocks(channels: int, cells: int, classes: int, image: tuple[int, int, int]) -> Skeleton:
    size: Size = (image[1], image[2])
    stem = _conv_bn(image[0], channels, size)
    sites: list[CellSite] = []
    for index in range(cells):
        before: tuple[tuple[Layer, ...], ...] = ()
        if index and index % (cells // 3) == 0:
            before = _residual_block(channels, size)
            channels, size = 2 * channels, half(size)
        sites.append(CellSite("normal", channels, size, size, before))
    last = (Layer("batch_norm", channels, channels, size), Layer("relu", channels, channels, size))
    return Skeleton((stem,), tuple(sites), (*last, *_head(channels, classes, size)))


def _residual_block(channels: int, size: Size) -> tuple[tuple[Layer, ...], ...]:
    """Main branch and shortcut of the step between two groups."""
    main = relu_conv_bn(channels, 2 * channels, size, 3, 2)
    main += relu_conv_bn(2 * channels, 2 * channels, half(size), 3)
    pool = Layer("avg_pool", channels, channels, size, (2, 2), (2, 2))
    return main, (pool, Layer("conv", channels, 2 * channels, half(size)))


def _head(width: int, classes: int, size: Size) -> tuple[Layer, ...]:
    return (Layer("global_pool", width, width, size), Layer("linear", width, classes, (1, 1)))
