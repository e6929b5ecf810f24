"""A small elastic chain with everything that is sliced: kernels, widths, gates, absence, sides."""

from __future__ import annotations

from hwnas.space.chain import chain_space
from hwnas.space.elastic import options_of_block
from hwnas.space.family import Family, family
from hwnas.space.macro import Head, Macro, Stage, Stem

CLASSES, IMAGE = 4, (3, 20, 16)


def _stage(width: int, depth: int, block: str, stride: int = 1, **more: object) -> Stage:
    offered = options_of_block(block)
    blocks = (*offered, "none") if depth > 1 else offered
    return Stage(
        width=width,
        depth=depth,
        stride=stride,
        blocks=blocks,
        first=offered,
        **more,  # type: ignore[arg-type]
    )


TINY_ELASTIC = Macro(
    name="tiny-elastic",
    stem=Stem(width=8, activation="relu6"),
    stages=(
        Stage(width=8, depth=1, blocks=("separable_k3",), activation="relu6"),
        _stage(8, 2, "k5_e3", 2, activation="relu6"),
        _stage(16, 2, "k3_e3_se", 1, activation="swish"),
    ),
    head=Head(width=24, activation="relu6"),
    divisor=4,
    padding="same",
    sides=(1.0, 0.5),
    smallest_map=2,
    sliced=True,
)


def tiny_family() -> Family:
    """The networks of the small elastic chain for small images of odd and even sides."""
    return family(chain_space(TINY_ELASTIC), channels=8, cells=5, classes=CLASSES, image=IMAGE)
