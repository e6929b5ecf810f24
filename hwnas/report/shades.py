"""A colour for every block of a chain: its kind and kernel give the hue, what it is inside the
lightness."""

from __future__ import annotations

import colorsys
from collections.abc import Sequence

from hwnas.space.blocks import block_of
from profilers.errors import InputError

HUES = {"inverted": 0.58, "fused": 0.08, "plain": 0.13, "separable": 0.92}
KERNEL_TURN = 0.055
"""Of the colour wheel, from one kernel to the next larger one."""


def shades(blocks: Sequence[str]) -> dict[str, str]:
    """The colour of each name that is a block's, as #rrggbb; blocks of one hue differ in
    lightness."""
    hues: dict[float, list[str]] = {}
    for name in blocks:
        try:
            block = block_of(name)
        except InputError:
            continue
        hue = HUES[block.kind] - KERNEL_TURN * (block.kernel - 3) / 2
        hues.setdefault(hue, []).append(name)
    return {
        name: _colour(hue, 0.80 - 0.45 * number / max(1, len(names) - 1))
        for hue, names in hues.items()
        for number, name in enumerate(names)
    }


def _colour(hue: float, lightness: float) -> str:
    red, green, blue = colorsys.hls_to_rgb(hue % 1.0, lightness, 0.55)
    return f"#{round(255 * red):02x}{round(255 * green):02x}{round(255 * blue):02x}"


def greys(count: int) -> list[str]:
    """So many greys, from light to dark: for what has no order of kinds, such as widths and
    image sides."""
    return [_grey(0.82 - 0.5 * number / max(1, count - 1)) for number in range(count)]


def _grey(lightness: float) -> str:
    value = round(255 * lightness)
    return f"#{value:02x}{value:02x}{min(255, value + 6):02x}"
