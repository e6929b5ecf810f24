"""A space that holds every kind of layer, each in the forms that a rendering may get wrong.

Tests sweep it, so a kind without a rendering fails in each of them; `test_layers.py` sees to it
that none is missing.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from hwnas.space.encoding import to_genotype
from hwnas.space.genotype import Architecture
from hwnas.space.graph import IMAGE, Builder, Graph
from hwnas.space.layers import ACTIVATIONS, Layer, Size
from hwnas.space.size import CellSize, Task
from hwnas.space.space import Choices, Decision, Space, strongest

CLASSES, WIDTH, WIDER = 5, 6, 8
PICTURE = (3, 9, 8)
"""One odd side and one even: what pads and what tiles does different things there."""
Step = tuple[str, dict[str, Any]]
Row = tuple[Layer, ...]


def step(kind: str, **options: Any) -> Step:
    """A layer that keeps the number of channels, unless ``out`` says another."""
    return kind, options


def conv(kernel: int = 3, **options: Any) -> Step:
    return "conv", {"kernel": (kernel, kernel), **options}


def norm(epsilon: float = 1e-5) -> Step:
    return "batch_norm", {"epsilon": epsilon}


def chain(size: Size, *steps: Step, channels: int = WIDTH) -> Row:
    """Layers in a row on a map of so many channels and pixels."""
    made: list[Layer] = []
    for kind, options in steps:
        out = options.get("out", channels)
        rest = {name: value for name, value in options.items() if name != "out"}
        made.append(Layer(kind, channels, out, size, **rest))  # type: ignore[arg-type]
        channels, size = out, made[-1].size_out
    return tuple(made)


def keeping(size: Size) -> dict[str, Row]:
    """Name -> layers that keep the number of channels and of pixels."""
    steps: dict[str, tuple[Step, ...]] = {"conv": (conv(),), "nothing": ()}
    for kind in ACTIVATIONS:
        gated = step("squeeze_excite", hidden=3, inner=kind, gate=kind)
        steps[kind] = (step(kind),)
        steps[f"{kind}_in_a_block"] = (conv(), norm(), step(kind), conv(1), norm(), step(kind))
        steps[f"{kind}_as_a_gate"] = (conv(), norm(), gated)
    steps |= {
        "bias": (conv(bias=True),),
        "bias_norm": (conv(bias=True), norm()),
        "pointwise": (conv(1), norm()),
        "pointwise_bias": (conv(1, bias=True), norm()),
        "grouped": (conv(groups=2), norm()),
        "grouped_pointwise": (conv(1, groups=3), norm(), step("relu6")),
        "grouped_bias": (conv(5, groups=3, bias=True), step("relu")),
        "depthwise": (conv(5, groups=WIDTH), norm(), conv(1), norm()),
        "depthwise_bias": (conv(groups=WIDTH, dilation=2, bias=True), norm()),
        "depthwise_row": (
            *(step("conv", kernel=(1, 3), groups=WIDTH), norm()),
            *(step("conv", kernel=(3, 1)), norm()),
        ),
        "multiplier": (
            conv(groups=WIDTH, out=12),
            norm(),
            step("swish"),
            conv(1, out=WIDTH),
            norm(),
        ),
        "dilated": (step("relu"), conv(dilation=2), norm()),
        "same": (conv(5, padding="same"), norm(), conv(4, padding="same", bias=True)),
        "norm": (norm(0.1),),
        "epsilon": (conv(), norm(0.1), conv(1), norm(1e-3)),
        "max_pool": (step("max_pool", kernel=(3, 3)),),
        "avg_pool": (step("avg_pool", kernel=(3, 3)),),
        "squeeze_excite": (step("squeeze_excite", hidden=2),),
        "relu_squeeze_excite": (step("relu"), step("squeeze_excite", hidden=9)),
        "inverted_residual": (
            *(conv(1, out=18), norm(1e-3), step("hard_swish")),
            *(conv(5, groups=18), norm(1e-3), step("hard_swish")),
            *(
                step("squeeze_excite", hidden=5, gate="hard_sigmoid"),
                conv(1, out=WIDTH),
                norm(1e-3),
            ),
        ),
    }
    return {name: chain(size, *row) for name, row in steps.items()}


def narrowing(size: Size) -> dict[str, Row]:
    """Name -> layers that give WIDER channels and half of the pixels per side."""
    two = {"stride": (2, 2)}
    to_wider = conv(1, out=WIDER)
    steps: dict[str, tuple[Step, ...]] = {
        "conv": (conv(out=WIDER, **two), norm()),
        "grouped": (conv(out=WIDER, groups=2, **two), norm(), step("hard_swish")),
        "depthwise": (conv(groups=WIDTH, **two), norm(), step("swish"), to_wider, norm()),
        "depthwise_dilated": (conv(groups=WIDTH, dilation=2, **two), norm(), to_wider),
        "depthwise_bias": (conv(groups=WIDTH, bias=True, **two), conv(1, out=WIDER, bias=True)),
        "same": (conv(padding="same", out=WIDER, **two), norm(), step("relu6")),
        "same_depthwise": (
            *(conv(5, groups=WIDTH, padding="same", **two), norm(), step("relu6")),
            *(to_wider, norm()),
        ),
        "same_grouped": (
            *(conv(out=WIDER, groups=2, dilation=2, bias=True, padding="same", **two), norm()),
        ),
        "factorized_reduce": (step("factorized_reduce", out=WIDER, **two),),
        "halve_bias": (
            step("relu"),
            step("factorized_reduce", out=WIDER, bias=True, **two),
            norm(0.1),
        ),
        "halve_odd": (
            step("factorized_reduce", out=7, bias=True, **two),
            step("relu6"),
            to_wider,
            norm(),
        ),
        "max_pool": (step("max_pool", kernel=(3, 3), **two), conv(1, out=WIDER, bias=True)),
        "avg_pool": (step("avg_pool", kernel=(3, 3), **two), to_wider, norm()),
        "tiles": (step("avg_pool", kernel=(2, 2), **two), to_wider, norm()),
    }
    return {name: chain(size, *row) for name, row in steps.items()}


def heads(size: Size, classes: int) -> dict[str, Row]:
    """Name -> layers that end in logits; two linear layers and an activation between them are
    MobileNetV3's."""
    pool, last = step("global_pool"), step("linear", out=classes)
    steps: dict[str, tuple[Step, ...]] = {"linear": (pool, last)}
    for kind in ACTIVATIONS:
        steps[f"linear_{kind}"] = (pool, step("linear", out=7), step(kind), last)
    steps["conv"] = (conv(1, out=9, bias=True), step("hard_swish"), pool, last)
    return {name: chain(size, *row, channels=WIDER) for name, row in steps.items()}


def build(space: Space, size: CellSize, task: Task, options: tuple[str, ...]) -> Graph:
    draft = Builder(task.image)
    steps = (conv(out=WIDTH), norm(), step("relu"))
    last = draft.layers("stem.conv", IMAGE, chain(task.image[1:], *steps, channels=task.image[0]))
    body = draft.open("body.keeping", last, list(keeping(draft.shape(last)[1]).values()), 0)
    last = draft.sum("body.residual", [last, body])
    last = draft.open("body.narrowing", last, list(narrowing(draft.shape(last)[1]).values()), 1)
    draft.open("head.classifier", last, list(heads(draft.shape(last)[1], task.classes).values()), 2)
    return draft.graph()


NAMES = tuple(tuple(rows) for rows in (keeping((8, 8)), narrowing((8, 8)), heads((4, 4), 2)))
SPACE = Space(
    name="every-layer",
    rule=strongest,
    build=build,
    decisions=tuple(
        Decision(name=name, operations=operations, remaining=(len(operations), 2), group=name)
        for name, operations in zip(("keeping", "narrowing", "head"), NAMES, strict=True)
    ),
)

SAMPLES: dict[str, Choices] = {
    " ".join(names[number % len(names)] for names in NAMES): np.array(
        [number % len(names) for names in NAMES]
    )
    for number in range(max(map(len, NAMES)))
}
"""What is in each -> samples; each option of each decision is in at least one."""


def architecture(choices: Choices) -> Architecture:
    """One sample; the space must be announced."""
    return Architecture(to_genotype(SPACE, choices), channels=4, cells=3)
