"""The blocks that a chain is made of, by name, as rows of layers.

A name says all: ``k5_e6`` is an inverted residual (arXiv 1801.04381) with a 5x5 depthwise
convolution on 6 times its input's channels, ``k5_e6_se`` the same with squeeze-and-excitation,
``k3_e1_g2`` one whose 1x1 convolutions have two groups (arXiv 1812.03443, without its shuffle of
channels). ``separable_k3``: a depthwise and a 1x1 convolution.
``fused_k3_e4``: a 3x3 convolution in place of the first two (arXiv 2104.00298). ``plain_k3``: two
3x3 convolutions (arXiv 1512.03385). ``none``: absent. The way round a block is the chain's, not the
block's.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Literal

from hwnas.space.layers import Activation, Layer, Size
from hwnas.space.macro import SqueezeExciteRule, rounded
from hwnas.space.padding import Padding
from hwnas.space.space import NONE
from profilers.errors import InputError

BlockKind = Literal["inverted", "separable", "fused", "plain"]
_EXPANSION = r"[1-9][0-9]?(?:\.[0-9]{1,2})?"
_NAME = re.compile(
    r"(?:(?P<kind>separable|fused|plain)_)?k(?P<kernel>[1-9])"
    rf"(?:_e(?P<expansion>{_EXPANSION}))?(?:_g(?P<groups>[2-8]))?(?P<gated>_se)?"
)
FORMS = "k5_e6, k5_e6_se, k3_e1_g2, separable_k3, separable_k3_se, fused_k3_e4, plain_k3 or none"


@dataclass(frozen=True, kw_only=True, slots=True)
class Block:
    """What the name of a block says.

    ``expansion``: how many times wider it is inside than its input.
    """

    kind: BlockKind
    kernel: int
    expansion: float = 1.0
    groups: int = 1
    gated: bool = False


def block_of(name: str) -> Block:
    """Read the name of a block that is not absent. Raises InputError for one that says none."""
    found = _NAME.fullmatch(name)
    if found is None or int(found["kernel"]) % 2 == 0:
        raise InputError(f"unknown block {name!r}: a block is called {FORMS}{_wrong_number(name)}")
    kind: BlockKind = found["kind"] or "inverted"  # type: ignore[assignment]
    block = Block(
        kind=kind,
        kernel=int(found["kernel"]),
        expansion=float(found["expansion"] or 1.0),
        groups=int(found["groups"] or 1),
        gated=found["gated"] is not None,
    )
    widens, splits = kind in ("inverted", "fused"), kind == "inverted"
    if (
        (found["expansion"] is None) == widens
        or (block.groups > 1 and not splits)
        or (block.gated and kind == "plain")
    ):
        raise InputError(f"unknown block {name!r}: a block is called {FORMS}")
    return block


def _wrong_number(name: str) -> str:
    """Which number of a name is out of its bounds, as the end of a line; empty where it isn't of
    such a form."""
    parts = re.fullmatch(r"(?:[a-z]+_)?k([0-9]+)(?:_e([0-9.]+))?(?:_g([0-9]+))?(?:_se)?", name)
    if parts is None:
        return ""
    if not re.fullmatch("[13579]", parts[1]):
        return f"; its kernel must be odd, of 1..9, not {parts[1]}"
    if parts[2] and not re.fullmatch(_EXPANSION, parts[2]):
        return f"; its expansion (e) must be of 1..99.99, with at most two decimals, not {parts[2]}"
    if parts[3] and not re.fullmatch("[2-8]", parts[3]):
        return f"; its groups (g) must be of 2..8, not {parts[3]}"
    return ""


def inverted(
    kernels: Iterable[int], expansions: Iterable[float], suffix: str = ""
) -> tuple[str, ...]:
    """The names of inverted residuals of all kernels and expansions, from the smallest to the
    largest kernel."""
    return tuple(
        f"k{kernel}_e{expansion:g}{suffix}" for kernel in kernels for expansion in expansions
    )


@dataclass(frozen=True, kw_only=True, slots=True)
class Site:
    """Where a block stands: channels in and out, its input's height and width in pixels, and
    what its stage says."""

    channels_in: int
    channels_out: int
    size: Size
    stride: int
    activation: Activation
    squeeze_excite: SqueezeExciteRule
    divisor: int
    epsilon: float
    padding: Padding = "centred"


def block_layers(name: str, site: Site) -> tuple[Layer, ...] | None:
    """What a block executes; None where it is absent. Ends in a BatchNorm without an activation."""
    if name == NONE:
        return None
    block = block_of(name)
    cin, cout, size = site.channels_in, site.channels_out, site.size
    if block.kind == "plain":
        first = conv_bn_act(cin, cout, size, site, kernel=block.kernel, stride=site.stride)
        return first + conv_bn(cout, cout, first[-1].size, site, kernel=block.kernel)
    hidden = rounded(cin * block.expansion, site.divisor)
    layers: tuple[Layer, ...] = ()
    if block.kind == "fused":
        layers += conv_bn_act(cin, hidden, size, site, kernel=block.kernel, stride=site.stride)
    else:
        if block.kind == "inverted":
            layers += conv_bn_act(cin, hidden, size, site, groups=block.groups)
        else:
            hidden = cin
        layers += conv_bn_act(
            hidden, hidden, size, site, kernel=block.kernel, stride=site.stride, groups=hidden
        )
    out = layers[-1].size_out
    if block.gated:
        layers += (_gate(hidden, cin, out, site),)
    return layers + conv_bn(hidden, cout, out, site, groups=block.groups)


def conv_bn(
    cin: int,
    cout: int,
    size: Size,
    site: Site,
    *,
    kernel: int = 1,
    stride: int = 1,
    groups: int = 1,
) -> tuple[Layer, ...]:
    """A convolution and its BatchNorm."""
    conv = Layer(
        "conv",
        cin,
        cout,
        size,
        kernel=(kernel, kernel),
        stride=(stride, stride),
        groups=groups,
        padding=site.padding,
    )
    return (conv, Layer("batch_norm", cout, cout, conv.size_out, epsilon=site.epsilon))


def conv_bn_act(
    cin: int,
    cout: int,
    size: Size,
    site: Site,
    *,
    kernel: int = 1,
    stride: int = 1,
    groups: int = 1,
) -> tuple[Layer, ...]:
    """A convolution, its BatchNorm and the activation of the stage."""
    layers = conv_bn(cin, cout, size, site, kernel=kernel, stride=stride, groups=groups)
    return (*layers, Layer(site.activation, cout, cout, layers[-1].size))


def _gate(hidden: int, channels_in: int, size: Size, site: Site) -> Layer:
    how = site.squeeze_excite
    squeezed = rounded(how.ratio * (hidden if how.of == "hidden" else channels_in), how.divisor)
    inner = site.activation if how.inner is None else how.inner
    return Layer(
        "squeeze_excite", hidden, hidden, size, hidden=squeezed, inner=inner, gate=how.gate
    )
