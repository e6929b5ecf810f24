"""The macro architectures of known networks: each is a space, of which hwnas.space.known names the
published points.

Sources, as far as the papers leave details open: torchvision and timm, whose modules give equal
logits (tests/nets/test_foreign.py). BatchNorm's epsilon is that of torchvision, else of timm.
"""

from __future__ import annotations

from dataclasses import replace

from hwnas.space.blocks import inverted
from hwnas.space.layers import Activation
from hwnas.space.macro import Head, Macro, SqueezeExciteRule, Stage, Stem
from hwnas.space.mobile import FBNET, PROXYLESS_CPU, PROXYLESS_GPU, PROXYLESS_MOBILE

_OF_INPUT = SqueezeExciteRule(of="input", divisor=1)
_ANY = (*inverted((3, 5, 7), (3, 6)), "none")
_ANY_GATED = (*inverted((3, 5, 7), (3, 6), "_se"), "none")


def _separable(width: int, activation: Activation) -> Stage:
    return Stage(width=width, depth=1, blocks=("separable_k3",), activation=activation)


def _stages(
    plan: tuple[tuple[int, int, int], ...],
    activation: Activation,
    gated: frozenset[int] = frozenset(),
    squeeze_excite: SqueezeExciteRule = _OF_INPUT,
) -> tuple[Stage, ...]:
    """Stages of (width, depth, stride) that offer every kernel and expansion; those in ``gated``
    with gates."""
    return tuple(
        Stage(
            width=width,
            depth=depth,
            stride=stride,
            blocks=_ANY_GATED if number in gated else _ANY,
            activation=activation,
            squeeze_excite=squeeze_excite,
        )
        for number, (width, depth, stride) in enumerate(plan)
    )


MOBILENET_V2 = Macro(
    name="mobilenet-v2",
    stem=Stem(width=32, activation="relu6"),
    stages=(
        _separable(16, "relu6"),
        *_stages(
            ((24, 2, 2), (32, 3, 2), (64, 4, 2), (96, 3, 1), (160, 3, 2), (320, 1, 1)), "relu6"
        ),
    ),
    head=Head(width=1280, activation="relu6", scales="up"),
    multipliers=(1.0, 0.35, 0.5, 0.75, 1.4),
)
"""arXiv 1801.04381."""

_V3_GATES = SqueezeExciteRule(inner="relu", gate="hard_sigmoid")


def _v3_stage(
    width: int, depth: int, stride: int, expansions: tuple[float, ...], form: str
) -> Stage:
    """``form``: "relu" or "hard_swish", and " se" behind it where the stage has gates."""
    activation, _, gated = form.partition(" ")
    return Stage(
        width=width,
        depth=depth,
        stride=stride,
        blocks=(*inverted((3, 5), expansions, "_se" if gated else ""), "none"),
        activation="relu" if activation == "relu" else "hard_swish",
        squeeze_excite=_V3_GATES,
    )


MOBILENET_V3_LARGE = Macro(
    name="mobilenet-v3-large",
    stem=Stem(width=16, activation="hard_swish"),
    stages=(
        _separable(16, "relu"),
        _v3_stage(24, 2, 2, (3, 4, 6), "relu"),
        _v3_stage(40, 3, 2, (3, 6), "relu se"),
        _v3_stage(80, 4, 2, (2.3, 2.5, 3, 6), "hard_swish"),
        _v3_stage(112, 2, 1, (3, 6), "hard_swish se"),
        _v3_stage(160, 3, 2, (3, 6), "hard_swish se"),
    ),
    head=Head(width=960, activation="hard_swish", hidden=1280),
    epsilon=1e-3,
    multipliers=(1.0, 0.75),
)
"""arXiv 1905.02244.

At 0.75 the last hidden layer keeps its width, as in the networks that were published.
"""

MOBILENET_V3_SMALL = Macro(
    name="mobilenet-v3-small",
    stem=Stem(width=16, activation="hard_swish"),
    stages=(
        Stage(
            width=16,
            depth=1,
            stride=2,
            blocks=("separable_k3_se",),
            activation="relu",
            squeeze_excite=_V3_GATES,
        ),
        _v3_stage(24, 2, 2, (3, 3.67, 4.5, 6), "relu"),
        _v3_stage(40, 3, 2, (3, 4, 6), "hard_swish se"),
        _v3_stage(48, 2, 1, (3, 6), "hard_swish se"),
        _v3_stage(96, 3, 2, (3, 6), "hard_swish se"),
    ),
    head=Head(width=576, activation="hard_swish", hidden=1024),
    epsilon=1e-3,
    multipliers=(1.0, 0.75),
)
"""arXiv 1905.02244."""

MNASNET_A1 = Macro(
    name="mnasnet-a1",
    stem=Stem(width=32),
    stages=(
        _separable(16, "relu"),
        *_stages(
            ((24, 2, 2), (40, 3, 2), (80, 4, 2), (112, 2, 1), (160, 3, 2), (320, 1, 1)),
            "relu",
            frozenset({1, 3, 4}),
        ),
    ),
    head=Head(width=1280, scales="no"),
    multipliers=(1.0, 0.5, 0.75, 1.4),
)
"""arXiv 1807.11626, with gates."""

MNASNET_B1 = Macro(
    name="mnasnet-b1",
    stem=Stem(width=32),
    stages=(
        _separable(16, "relu"),
        *_stages(
            ((24, 3, 2), (40, 4, 2), (80, 4, 2), (96, 4, 1), (192, 4, 2), (320, 1, 1)), "relu"
        ),
    ),
    head=Head(width=1280, scales="no"),
    multipliers=(1.0, 0.5, 0.75, 1.3, 1.4),
)
"""arXiv 1807.11626, without gates; Single-Path NAS (arXiv 1904.02877) is of the same widths."""

_B0 = ((24, 2, 2), (40, 2, 2), (80, 3, 2), (112, 3, 1), (192, 4, 2), (320, 1, 1))

EFFICIENTNET_B0 = Macro(
    name="efficientnet-b0",
    stem=Stem(width=32, activation="swish"),
    stages=(
        Stage(
            width=16,
            depth=1,
            blocks=("separable_k3_se",),
            activation="swish",
            squeeze_excite=_OF_INPUT,
        ),
        *_stages(_B0, "swish", frozenset(range(len(_B0)))),
    ),
    head=Head(width=1280, activation="swish"),
)
"""arXiv 1905.11946."""

EFFICIENTNET_LITE0 = Macro(
    name="efficientnet-lite0",
    stem=Stem(width=32, activation="relu6", scales="no"),
    stages=(_separable(16, "relu6"), *_stages(_B0, "relu6")),
    head=Head(width=1280, activation="relu6", scales="no"),
)
"""B0 without gates, with ReLU6: for runtimes that are quick at nothing else."""

EFFICIENTNET_LITE0_SAME = replace(
    EFFICIENTNET_LITE0, name="efficientnet-lite0-same", padding="same", epsilon=1e-3
)
"""The same with TensorFlow's padding and epsilon, as it was published and trained."""


def _residual(width: int, stride: int) -> Stage:
    return Stage(
        width=width,
        depth=3,
        stride=stride,
        blocks=("plain_k3", "plain_k5", "none"),
        first=("plain_k3",),
        projection=True,
        after="relu",
    )


RESNET = Macro(
    name="resnet",
    stem=Stem(width=16, stride=1),
    stages=(_residual(16, 1), _residual(32, 2), _residual(64, 2)),
)
"""Residual networks for images of 32 pixels (arXiv 1512.03385), with 1x1 convolutions round
blocks of stride 2."""

KNOWN_MACROS = (
    MOBILENET_V2,
    MOBILENET_V3_SMALL,
    MOBILENET_V3_LARGE,
    MNASNET_A1,
    MNASNET_B1,
    FBNET,
    PROXYLESS_MOBILE,
    PROXYLESS_CPU,
    PROXYLESS_GPU,
    EFFICIENTNET_B0,
    EFFICIENTNET_LITE0,
    EFFICIENTNET_LITE0_SAME,
    RESNET,
)
