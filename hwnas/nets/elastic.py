"""Blocks whose options share weights: an option runs the first channels of the whole block, and the
middle of its kernels (Once-for-All, arXiv 1908.09791, without its matrices between kernels)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from hwnas.nets.fast.convolution import convolution, pointwise
from hwnas.nets.fast.maps import channels_last
from hwnas.nets.operations import module_of
from hwnas.nets.same_padding import SamePadding
from hwnas.nets.squeeze_excite import SqueezeExcite
from hwnas.space.layers import Layer


class Whole(nn.Sequential):
    """The layers of a block's largest option, (n, c, h, w) -> (n, c', h', w'), and all its parts.

    BatchNorm normalises by the statistics of its batch: each part has others.
    """

    def __init__(self, layers: Sequence[Layer]) -> None:
        super().__init__(*(module_of(layer, affine=True, running=False) for layer in layers))

    def part(self, x: Tensor, layers: Sequence[Layer]) -> Tensor:
        """What one option makes of x; ``layers``: its own, as many as the whole has."""
        for module, layer in zip(self, layers, strict=True):
            x = _layer(module, layer, x)
        return x


@dataclass(frozen=True, slots=True, eq=False)
class BlockPart:
    """One option, callable as a module is."""

    whole: Whole
    layers: tuple[Layer, ...]

    def __call__(self, x: Tensor) -> Tensor:
        """(n, c, h, w) -> (n, c', h', w')."""
        return self.whole.part(x, self.layers)


def _layer(module: nn.Module, layer: Layer, x: Tensor) -> Tensor:
    if isinstance(module, nn.Conv2d):
        return _convolution(module, layer, x)
    if isinstance(module, nn.BatchNorm2d):
        channels = layer.channels_out
        weight, bias = module.weight[:channels], module.bias[:channels]
        return F.batch_norm(x, None, None, weight, bias, True, 0.0, module.eps)
    if isinstance(module, SqueezeExcite):
        return _squeeze_excite(module, layer, x)
    # BatchNorm's backward does not look at its result, so these may overwrite it.
    if layer.kind == "relu":
        return F.relu_(x)
    if layer.kind == "relu6":
        return F.hardtanh_(x, 0.0, 6.0)
    return module(x)  # type: ignore[no-any-return]


def _convolution(module: nn.Conv2d, layer: Layer, x: Tensor) -> Tensor:
    weight = sliced_weight(module.weight, layer)
    bias = None if module.bias is None else module.bias[: layer.channels_out]
    if layer.kernel == layer.stride == (1, 1) and layer.groups == 1 and channels_last(x):
        return pointwise(x, weight, bias)
    padding = SamePadding(reach=layer.reach, stride=layer.stride) if layer.shifts else None
    x = x if padding is None else padding.padded(x)
    both = [reach // 2 for reach in layer.reach] if padding is None else list(padding.both)
    geometry = (list(layer.stride), both, [layer.dilation] * 2, layer.groups)
    # Kernels of more than three columns have quicker derivatives of our own.
    own = layer.groups > 1 and layer.kernel[1] > 3 and torch.is_grad_enabled()
    if own and bias is None and x.device.type == "cpu":
        return convolution(x, weight, geometry)
    return torch.conv2d(x, weight, bias, *geometry)


def sliced_weight(weight: Tensor, layer: Layer) -> Tensor:
    """The part of a convolution's weight (out, in / groups, kh, kw) that a layer has, as a view."""
    depth = layer.channels_in // layer.groups
    height, width = ((of - k) // 2 for of, k in zip(weight.shape[2:], layer.kernel, strict=True))
    return weight[
        : layer.channels_out,
        :depth,
        height : height + layer.kernel[0],
        width : width + layer.kernel[1],
    ]


def _squeeze_excite(module: SqueezeExcite, layer: Layer, x: Tensor) -> Tensor:
    channels, hidden = layer.channels_in, layer.hidden
    reduce, expand = module.reduce, module.expand
    assert reduce.bias is not None and expand.bias is not None
    mean = F.adaptive_avg_pool2d(x, 1)
    inner = torch.conv2d(mean, reduce.weight[:hidden, :channels], reduce.bias[:hidden])
    gate = torch.conv2d(
        module.inner(inner), expand.weight[:channels, :hidden], expand.bias[:channels]
    )
    return x * module.gate(gate)  # type: ignore[no-any-return]


def part_of_state(
    whole: dict[str, Tensor], layers: Sequence[Layer], prefix: str
) -> dict[str, Tensor]:
    """The tensors of one option, as views of those of the whole block.

    ``whole``: by layer and name, such as "0.weight", running statistics included where it has any;
    the result is named ``prefix`` + that.
    """
    found: dict[str, Tensor] = {}
    for name, tensor in whole.items():
        number, _, rest = name.partition(".")
        found[f"{prefix}{name}"] = _part_of(tensor, layers[int(number)], rest)
    return found


def _part_of(tensor: Tensor, layer: Layer, name: str) -> Tensor:
    if layer.kind == "conv" and name == "weight":
        return sliced_weight(tensor, layer)
    if layer.kind == "squeeze_excite":
        sizes = {
            "reduce.weight": (layer.hidden, layer.channels_in),
            "reduce.bias": (layer.hidden,),
            "expand.weight": (layer.channels_out, layer.hidden),
            "expand.bias": (layer.channels_out,),
        }[name]
        return tensor[tuple(slice(size) for size in sizes)]
    return tensor[: layer.channels_out] if tensor.dim() else tensor
