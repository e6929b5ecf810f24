"""The spaces of chains to search in: `mobile` and `mobile-small` (ours), `fbnet` and `proxyless` as
published.

FBNet: arXiv 1812.03443. ProxylessNAS: arXiv 1812.00332.
"""

from __future__ import annotations

from hwnas.space.blocks import inverted
from hwnas.space.macro import Head, Macro, Stage, Stem

_MOBILE = (*inverted((3, 5), (3, 6)), "plain_k3", "none")
_MOBILE_WIDE_MAPS = (*inverted((3, 5), (3, 6)), "fused_k3_e3", "plain_k3", "none")

MOBILE = Macro(
    name="mobile",
    stem=Stem(width=16),
    stages=(
        Stage(
            width=16, depth=2, blocks=("separable_k3", "k3_e3", "fused_k3_e3", "plain_k3", "none")
        ),
        Stage(width=24, depth=3, stride=2, blocks=_MOBILE_WIDE_MAPS),
        Stage(width=40, depth=3, stride=2, blocks=_MOBILE_WIDE_MAPS),
        Stage(width=80, depth=3, stride=2, blocks=_MOBILE),
        Stage(width=112, depth=3, blocks=_MOBILE),
        Stage(width=160, depth=3, stride=2, blocks=_MOBILE),
    ),
    head=Head(width=640),
    sides=(1.0, 0.75, 0.5),
    multipliers=(1.0, 0.7, 0.5, 0.35),
)
"""Ours.

ReLU, because it costs nothing on every runtime; each width is 0.7 of the one before, half the MACs.
"""

_SMALL = ("separable_k3", "k3_e3", "fused_k3_e2", "plain_k3", "none")


def _small(width: int, stride: int) -> Stage:
    return Stage(width=width, depth=2, stride=stride, blocks=_SMALL, projection=True, after="relu")


MOBILE_SMALL = Macro(
    name="mobile-small",
    stem=Stem(width=16),
    stages=(_small(32, 1), _small(64, 2), _small(128, 2)),
)
"""Ours, for images of 32 pixels: residual networks of 8 layers and what is cheaper, at half their
side.

The stem's stride pays: on a CPU, blocks on 32 x 32 maps take most of a residual network's time, and
the same time buys twice the width on 16 x 16 (docs/evidence/mobile.md).
"""

_FBNET = ("k3_e1", "k3_e1_g2", "k3_e3", "k3_e6", "k5_e1", "k5_e1_g2", "k5_e3", "k5_e6", "none")

FBNET = Macro(
    name="fbnet",
    stem=Stem(width=16),
    stages=(
        Stage(width=16, depth=1, blocks=_FBNET),
        Stage(width=24, depth=4, stride=2, blocks=_FBNET),
        Stage(width=32, depth=4, stride=2, blocks=_FBNET),
        Stage(width=64, depth=4, stride=2, blocks=_FBNET),
        Stage(width=112, depth=4, blocks=_FBNET),
        Stage(width=184, depth=4, stride=2, blocks=_FBNET),
        Stage(width=352, depth=1, blocks=_FBNET),
    ),
    head=Head(width=1984),
    epsilon=1e-3,
)
"""Nine options of 22 blocks. BatchNorm's epsilon is that of the published weights of FBNet-C."""


def proxyless(name: str, stem: int, first: int, widths: tuple[int, ...], head: int) -> Macro:
    """ProxylessNAS's table at the widths of one target.

    Its first block is separable and not searched.
    """
    blocks = (*inverted((3, 5, 7), (3, 6)), "none")
    plan = zip(widths, (4, 4, 4, 4, 4, 1), (2, 2, 2, 1, 2, 1), strict=True)
    return Macro(
        name=name,
        stem=Stem(width=stem, activation="relu6"),
        stages=(
            Stage(width=first, depth=1, blocks=("separable_k3",), activation="relu6"),
            *(
                Stage(width=width, depth=depth, stride=stride, blocks=blocks, activation="relu6")
                for width, depth, stride in plan
            ),
        ),
        head=Head(width=head, activation="relu6"),
        epsilon=1e-3,
    )


PROXYLESS = proxyless("proxyless", 32, 16, (24, 40, 80, 96, 192, 320), 1280)
"""Six options of six blocks that open a stage, seven of fifteen others: 6^6 x 7^15 networks."""
PROXYLESS_MOBILE = proxyless("proxyless-mobile", 32, 16, (32, 40, 80, 96, 192, 320), 1280)
PROXYLESS_CPU = proxyless("proxyless-cpu", 40, 24, (32, 48, 88, 104, 216, 360), 1432)
PROXYLESS_GPU = proxyless("proxyless-gpu", 40, 24, (32, 56, 112, 128, 256, 432), 1728)
"""The widths that were searched differ a little from those of the three networks that were
published."""

SEARCHED = (MOBILE, MOBILE_SMALL, FBNET, PROXYLESS)
