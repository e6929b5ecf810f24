"""Elastic spaces: all the smaller networks inside one known network (Once-for-All, arXiv
1908.09791).

Each block may be narrower inside (`PARTS` of its expansion), have a smaller kernel, or be absent.
Every option is a part of the largest one, so all share its weights, which may be trained ones.
"""

from __future__ import annotations

from dataclasses import replace

from hwnas.space import known_macros as macros
from hwnas.space.blocks import Block, block_of
from hwnas.space.macro import Macro, Stage
from hwnas.space.space import NONE
from profilers.errors import InputError

PARTS = (1.0, 2 / 3, 1 / 2, 1 / 3)
"""How wide a block may be inside, as shares of the known network's."""
SIDES = (1.0,)
"""Image sides. Smaller ones among the options misled: on five sixths of the side wide networks had
as good inherited accuracies as on the whole, and were 1 to 2 points behind after tuning
(docs/log.md, 2026-11-29). A whole search can be asked for a smaller side."""


def elastic(
    name: str,
    macro: Macro,
    text: str,
    sides: tuple[float, ...] = SIDES,
    parts: tuple[float, ...] = PARTS,
) -> Macro:
    """The table of all parts of one network of ``macro``.

    ``text``: the block that each of its stages is made of, divided by bars, after how often it
    stands there. ``parts``: how wide a block may be inside, as shares, 1 first. Raises InputError
    for a block that has none.
    """
    stages = zip(macro.stages, text.split("|"), strict=True)
    return replace(
        macro,
        name=f"{name}-elastic",
        stages=tuple(_stage(stage, part, parts) for stage, part in stages),
        sides=sides,
        multipliers=(1.0,),
        sliced=True,
    )


def _stage(stage: Stage, text: str, parts: tuple[float, ...]) -> Stage:
    times, name = text.split()
    offered, depth = options_of_block(name, parts), int(times)
    # The first block of a stage changes the shape of the map, so it is never absent.
    first = offered if depth > 1 else ()
    return replace(stage, depth=depth, blocks=(*offered, NONE) if first else offered, first=first)


def options_of_block(name: str, parts: tuple[float, ...] = PARTS) -> tuple[str, ...]:
    """The names of a block's parts, the whole block first; itself alone where it is separable.

    >>> options_of_block("k3_e6")
    ('k3_e6', 'k3_e4', 'k3_e3', 'k3_e2')
    """
    block = block_of(name)
    if block.kind == "separable":
        return (name,)
    if block.kind != "inverted" or block.groups > 1:
        raise InputError(f"elastic: a block {name} has no parts; inverted residuals have")
    kernels = range(block.kernel, 2, -2)
    names = (_part(block, kernel, share) for kernel in kernels for share in parts)
    return tuple(dict.fromkeys(names))


def _part(block: Block, kernel: int, share: float) -> str:
    expansion = max(0.01, round(block.expansion * share, 2))
    return f"k{kernel}_e{expansion:g}{'_se' if block.gated else ''}"


EFFICIENTNET = (
    "1 separable_k3{} | 2 k3_e6{} | 2 k5_e6{} | 3 k3_e6{} | 3 k5_e6{} | 4 k5_e6{} | 1 k3_e6{}"
)
"""The blocks of EfficientNet-B0; of Lite0 without gates."""

ELASTIC: dict[str, Macro] = {
    "EFFICIENTNET_LITE0_SAME": elastic(
        "efficientnet-lite0", macros.EFFICIENTNET_LITE0_SAME, EFFICIENTNET.replace("{}", "")
    ),
    "MOBILENET_V2": elastic(
        "mobilenet-v2",
        macros.MOBILENET_V2,
        "1 separable_k3 | 2 k3_e6 | 3 k3_e6 | 4 k3_e6 | 3 k3_e6 | 3 k3_e6 | 1 k3_e6",
    ),
    "MNASNET_B1": elastic(
        "mnasnet-b1",
        macros.MNASNET_B1,
        "1 separable_k3 | 3 k3_e3 | 3 k5_e3 | 3 k5_e6 | 2 k3_e6 | 4 k5_e6 | 1 k3_e6",
    ),
    "EFFICIENTNET_B0": elastic(
        "efficientnet-b0", macros.EFFICIENTNET_B0, EFFICIENTNET.replace("{}", "_se")
    ),
}
"""Known network -> the space of its parts."""
