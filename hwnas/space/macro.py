"""A macro architecture: the table from which a chain of blocks is built, as a pure value.

A chain is a stem, stages of blocks, and a head (MobileNetV2, arXiv 1801.04381; MnasNet, 1807.11626;
FBNet, 1812.03443; EfficientNet, 1905.11946). Widths are those at multiplier 1; hwnas.space.chain
writes the graph.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Literal

from hwnas.space.layers import Activation
from hwnas.space.padding import Padding

Scales = Literal["yes", "up", "no"]
"""How a width follows the multiplier: always, only above 1, or never."""


@dataclass(frozen=True, kw_only=True, slots=True)
class SqueezeExciteRule:
    """How wide the gates of a stage are inside (squeeze-and-excitation, arXiv 1709.01507).

    ``ratio`` is taken of the channels that are gated ("hidden") or of the block's input ("input"),
    and rounded to a multiple of ``divisor``. ``inner`` None stands for the activation of the stage.
    """

    ratio: float = 0.25
    of: Literal["hidden", "input"] = "hidden"
    divisor: int = 8
    inner: Activation | None = None
    gate: Activation = "sigmoid"


@dataclass(frozen=True, kw_only=True, slots=True)
class Stem:
    """The first convolution, on the image.

    ``width`` in channels; ``kernel`` and ``stride`` of both sides.
    """

    width: int
    kernel: int = 3
    stride: int = 2
    activation: Activation = "relu"
    scales: Scales = "yes"


@dataclass(frozen=True, kw_only=True, slots=True)
class Stage:
    """``depth`` blocks of one width; the first has the stride.

    ``blocks`` are the options of each block by name (hwnas.space.blocks); ``none`` is not offered
    to the first one, which may change the shape of the map. ``first``: the options of the first
    block, where they are others.

    ``projection``: where the first block has no way round it, a 1x1 convolution is one. ``after``:
    what follows every sum. Both are there for residual networks (arXiv 1512.03385); chains of
    inverted residuals have neither.
    """

    width: int
    depth: int
    blocks: tuple[str, ...]
    first: tuple[str, ...] = ()
    stride: int = 1
    activation: Activation = "relu"
    squeeze_excite: SqueezeExciteRule = SqueezeExciteRule()
    projection: bool = False
    after: Activation | None = None


@dataclass(frozen=True, kw_only=True, slots=True)
class Head:
    """What follows the last stage: a 1x1 convolution to ``width`` channels (0: none), mean,
    classifier.

    ``hidden``: channels of one more linear layer after the mean (0: none).
    """

    width: int = 0
    activation: Activation = "relu"
    scales: Scales = "yes"
    hidden: int = 0
    hidden_scales: Scales = "no"


@dataclass(frozen=True, kw_only=True, slots=True)
class Macro:
    """A whole table. Widths are rounded to multiples of ``divisor``, not below 90 %.

    ``sides``: the image sides that may be chosen, as fractions of the task's; ``multipliers``:
    those of the widths. Either is a decision about the size where there are several.

    ``smallest_map``: on images so small that the last map would have fewer pixels a side, the first
    strides are left out: the stem's, then those of the first stages. So a network for 224 pixels is
    also one for 32.

    ``sliced``: the options of a block share weights, each is a part of the largest
    (hwnas.space.sliced).
    ``padding``: that of all convolutions. Weights that were trained in TensorFlow need "same".
    """

    name: str
    stem: Stem
    stages: tuple[Stage, ...]
    head: Head = Head()
    divisor: int = 8
    epsilon: float = 1e-5
    sides: tuple[float, ...] = (1.0,)
    multipliers: tuple[float, ...] = (1.0,)
    smallest_map: int = 3
    sliced: bool = False
    padding: Padding = "centred"

    @property
    def depth(self) -> int:
        """The number of blocks, those that may be absent included."""
        return sum(stage.depth for stage in self.stages)


def rounded(width: float, divisor: int) -> int:
    """The multiple of ``divisor`` nearest to ``width`` channels; the next one where it is below 90
    %.

    >>> rounded(96 * 0.35, 8), rounded(32 * 0.35, 8)
    (32, 16)
    """
    nearest = max(divisor, int(width + divisor / 2) // divisor * divisor)
    return nearest + divisor if nearest < 0.9 * width else nearest


def scaled(width: int, base: float, multiplier: float, scales: Scales, divisor: int) -> int:
    """A width in channels at a multiplier.

    ``base``: how much narrower the whole chain is, multiplier or not.
    """
    if scales == "no" or (scales == "up" and multiplier < 1.0):
        multiplier = 1.0
    return rounded(width * base * multiplier, divisor)


def strides(macro: Macro, side: int) -> tuple[int, ...]:
    """The strides of the stem and of each stage on images whose shorter side has so many pixels."""
    kept = [macro.stem.stride, *(stage.stride for stage in macro.stages)]
    for number, stride in enumerate(kept):
        if last_side(kept, side) >= macro.smallest_map:
            break
        kept[number] = min(stride, 1)
    return tuple(kept)


def fewest_pixels(macro: Macro) -> int:
    """The shortest side, in pixels, of images on which no stride is left out."""
    every = [macro.stem.stride, *(stage.stride for stage in macro.stages)]
    return math.prod(every) * (macro.smallest_map - 1) + 1


def last_side(strides: list[int], side: int) -> int:
    """Pixels a side of the last map: each stride divides, rounding up."""
    for stride in strides:
        side = -(-side // stride)
    return side
