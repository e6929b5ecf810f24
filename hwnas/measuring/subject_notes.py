"""What `hwnas profile` says of the networks that it measures: their size, and which strides small
images leave out."""

from __future__ import annotations

from typing import TYPE_CHECKING

from hwnas.errors import several

if TYPE_CHECKING:
    from collections.abc import Sequence

    from hwnas.measuring.subjects import Named


def sizes_of(found: Sequence[Named]) -> list[str]:
    """At which size genotypes are measured, and how to choose another: a line for each; none for
    files, which have a size of their own."""
    from hwnas.space.chosen_size import chosen_size
    from hwnas.space.space import SPACES

    lines = []
    for one in found:
        if one.architecture is not None:
            at, space = one.architecture, SPACES[one.architecture.genotype.space]
            width = chosen_size(at.genotype).get("width", "1")
            channels = several(at.channels, "channel")
            if float(width) != 1:
                channels = f"width {width} of {channels}"
            size = (
                channels,
                several(at.cells, space.parts.removesuffix("s")),
                several(one.shape.classes, "class"),
                f"images of {'x'.join(map(str, one.shape.image))}",
            )
            cells = "--cells, " if space.depth is None else ""
            lines.append(
                f"{name(one)}: {', '.join(size)} (otherwise: --channels, {cells}--classes, --image)"
            )
    return lines


def strides_of(found: Sequence[Named]) -> list[str]:
    """Which strides of a chain of blocks its images are too small for: a line for each network."""
    from hwnas.space.macro import fewest_pixels, strides
    from hwnas.space.space import SPACES

    lines = []
    for one in found:
        macro = one.architecture and SPACES[one.architecture.genotype.space].macro
        if not macro:
            continue
        side = min(one.shape.image[1:])
        kept, all_of = strides(macro, side), strides(macro, fewest_pixels(macro))
        out = [number for number, stride in enumerate(kept) if stride < all_of[number]]
        if out:
            names = ", ".join("stem" if not number else f"stage {number - 1}" for number in out)
            count = sum(stride > 1 for stride in all_of)
            lines.append(
                f"{name(one)}: {len(out)} of its {several(count, 'stride')}"
                f" {'is' if len(out) == 1 else 'are'} left out on images of"
                f" {side} pixels ({names}), so its maps are larger and it takes more MACs; from"
                f" {fewest_pixels(macro)} pixels on all are kept"
            )
    return lines


def name(one: Named) -> str:
    """The name that a network is published by, else its key."""
    from hwnas.space.published import name_of

    return (one.architecture and name_of(one.architecture.genotype)) or one.key
