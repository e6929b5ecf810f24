"""A chain of blocks as SVG: stages side by side, each block a bar as high as its output has
channels.

An absent block is hollow. The dark line at the foot of a bar is as wide as the block is inside, in
proportion to the widest one. So a narrow network, a skipped block and a bottleneck are seen at
once.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import lru_cache
from html import escape

from hwnas.report.layout_items import op_label
from hwnas.report.shades import shades
from hwnas.space.build import Key, graph_at, key_of
from hwnas.space.chain import image_at
from hwnas.space.chosen_size import chosen_size
from hwnas.space.encoding import to_choices
from hwnas.space.genotype import Genotype
from hwnas.space.graph import Graph, Node, discrete
from hwnas.space.size import CellSize, Task
from hwnas.space.space import NONE, SPACES, Space

BAR, GAP, STAGE_GAP = 30.0, 6.0, 22.0
"""Pixels: the width of a bar, between bars, and between stages."""
TALLEST, MARGIN, BASE = 96.0, 12.0, 118.0
"""Pixels: the highest bar, the margin, and where all bars stand."""
CHARACTER, LINE = 6.4, 16.0
"""Pixels of a character and of a line at the size of the labels: wide enough for any usual font."""
LEGEND = "Number and height: channels out. Dark foot: channels inside. Dashed: absent."
FIXED = "#d5dae1"
INK = "#1f2937"


@dataclass(frozen=True, kw_only=True)
class Bar:
    """One block: what it is called, its output's channels, and the channels inside; 0 and 0
    where it is absent."""

    group: str
    label: str
    channels: int
    inside: int
    colour: str


def bars(genotype: Genotype, channels: int | None = None) -> tuple[Bar, ...]:
    """The stem, every block and the head of a chain, with so many initial channels; None stands
    for its space's own."""
    space, choices = SPACES[genotype.space], to_choices(genotype)
    usual, cells = space.published_size
    channels = usual if channels is None else channels
    graph = _graph(space, channels, cells, key_of(space, choices))
    present = {node.name: node for node in discrete(graph, choices)}
    colours = shades(
        list(dict.fromkeys(name for one in space.decisions for name in one.operations))
    )
    found = []
    for node in graph:
        part = node.name.partition(".")[2]
        if node.row is not None:
            operation = space.decisions[node.row].operations[int(choices[node.row])]
            found.append(_bar(node.group, operation, present.get(node.name), colours))
        elif part.startswith("block") or node.name in ("stem.conv", "head.conv"):
            label = node.group if part == "conv" else "fixed"
            found.append(_bar(node.group, label, node, colours))
    return tuple(found)


@lru_cache(maxsize=32)
def _graph(space: Space, channels: int, cells: int, key: Key) -> Graph:
    """All options at one size: built once for the many drawings of a page."""
    task = Task(classes=2, image=(3, 32, 32))
    return graph_at(space, CellSize(channels=channels, cells=cells), task, key)


def _bar(group: str, operation: str, node: Node | None, colours: dict[str, str]) -> Bar:
    if node is None or operation == NONE:
        return Bar(group=group, label="", channels=0, inside=0, colour="none")
    inside = max(layer.channels_out for layer in node.layers)
    colour = colours.get(operation, FIXED)
    return Bar(
        group=group, label=op_label(operation), channels=node.channels, inside=inside, colour=colour
    )


def chain_svg(
    genotype: Genotype,
    name: str,
    heading: str = "",
    *,
    channels: int | None = None,
    image: tuple[int, int, int] | None = None,
) -> str:
    """The drawing as an SVG document with an accessible name; ``heading`` is written over it.

    ``channels``: as in `bars`. ``image``: (channels, height, width) of the task's images, where
    they are known.
    """
    found = bars(genotype, channels)
    # A head of 1,280 channels would leave no height to the blocks: it is drawn as high as the
    # widest of them.
    widest = max(bar.channels for bar in found if bar.group != "head")
    inside = max(bar.inside for bar in found)
    above = 26.0 if heading else 0.0
    parts, x, before = [], MARGIN, found[0].group
    for bar in found:
        x += STAGE_GAP - GAP if bar.group != before else 0.0
        parts.append(_drawn(bar, x, widest, inside))
        before, x = bar.group, x + BAR + GAP
    notes = [one for one in (size_words(genotype, image), LEGEND) if one]
    labels = BASE + 8 + CHARACTER * max(len(bar.label) for bar in found)
    width = max(x - GAP + MARGIN, 2 * MARGIN + CHARACTER * max(map(len, notes)))
    height = above + labels + LINE * len(notes) + MARGIN
    opened = (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width:.0f} {height:.0f}"'
        f' width="{width:.0f}" height="{height:.0f}" role="img" aria-label="{escape(name)}"'
        ' font-family="system-ui, sans-serif">'
    )
    text = (
        '<text x="10" y="18" font-size="14" font-weight="600"'
        f' fill="{INK}">{escape(heading)}</text>'
    )
    below = "".join(
        f'<text x="{MARGIN:.0f}" y="{above + labels + LINE * number:.0f}" font-size="11"'
        f' fill="#4b5563">{escape(note)}</text>'
        for number, note in enumerate(notes, start=1)
    )
    body = f'<g transform="translate(0 {above:.0f})">{"".join(parts)}</g>'
    return "".join([opened, text if heading else "", body, below, "</svg>"])


def size_words(genotype: Genotype, image: tuple[int, int, int] | None = None) -> str:
    """What the decisions about the size chose, in words: ``side 0.5 (32x32 of 64x64 pixels),
    width 0.35``; empty where there are none. ``image``: as in `chain_svg`."""
    words = chosen_size(genotype)
    if image is not None and "side" in words:
        _, height, width = image_at(image, float(words["side"]))
        words["side"] += f" ({height}x{width} of {image[1]}x{image[2]} pixels)"
    return ", ".join(f"{name} {value}" for name, value in words.items())


def _drawn(bar: Bar, x: float, widest: int, inside: int) -> str:
    """One bar, the channels of its output over it, its name under it."""
    if not bar.channels:
        return (
            f'<rect x="{x:.1f}" y="{BASE - 20:.1f}" width="{BAR:.0f}" height="20" rx="3"'
            ' fill="none" stroke="#9aa3af" stroke-dasharray="3 3"/>'
        )
    # Roots, so that a stem of 16 channels is still seen beside a block of 320.
    height = max(6.0, TALLEST * math.sqrt(min(1.0, bar.channels / widest)))
    core = max(2.0, BAR * math.sqrt(bar.inside / inside))
    top, middle = BASE - height, x + BAR / 2
    return (
        f'<rect x="{x:.1f}" y="{top:.1f}" width="{BAR:.0f}" height="{height:.1f}" rx="3"'
        f' fill="{bar.colour}"/><rect x="{middle - core / 2:.1f}" y="{BASE - 4:.1f}"'
        f' width="{core:.1f}" height="4" fill="{INK}"/><text x="{middle:.1f}" y="{top - 4:.1f}"'
        f' font-size="10" text-anchor="middle" fill="{INK}">{bar.channels}</text><text'
        f' transform="translate({middle + 3:.1f} {BASE + 8:.1f}) rotate(90)" font-size="11"'
        f' fill="{INK}">{escape(bar.label)}</text>'
    )
