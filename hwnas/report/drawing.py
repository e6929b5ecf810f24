"""A cell as SVG: one self-contained text, readable in a page and in a paper.

Everything in it is escaped.
"""

from __future__ import annotations

from html import escape

from hwnas.report.chain import chain_svg
from hwnas.report.layout import Box, Layout, lay_out, title
from hwnas.space.genotype import Genotype
from hwnas.space.space import NONE, SKIP, SPACES

Image = tuple[int, int, int]
FONT = "system-ui, -apple-system, 'Segoe UI', Roboto, 'DejaVu Sans', sans-serif"
WIRES = ("#7a869a", "#a07f52", "#4c8f86", "#8d6aa8", "#b06a6a", "#5f86b8", "#7f9445")
"""One hue per state, so that a wire can be followed past others."""

FAMILIES = (
    ("sep_conv", "#cfe3f7", "#1c5a96"),
    ("dil_conv", "#d3ede3", "#1d6b4f"),
    ("max_pool", "#efdcf1", "#7a3a83"),
    ("avg_pool", "#f7dde6", "#94325a"),
    (SKIP, "#eceef1", "#4b5563"),
    (NONE, "#ffffff", "#9aa3af"),
    ("", "#fbe7c8", "#8a5200"),
)
"""(beginning of the operation's name, fill, ink); convolutions of other kinds are the last."""


def colours(op: str) -> tuple[str, str]:
    """Fill and ink of an operation's box, by its family."""
    return next((fill, ink) for begin, fill, ink in FAMILIES if op.startswith(begin))


def cell_svg(
    genotype: Genotype,
    picture: str,
    above: str = "",
    *,
    channels: int | None = None,
    image: Image | None = None,
) -> str:
    """One picture of a genotype as an SVG document with an accessible name; ``above`` is written
    over it. ``channels``, ``image``: as in `picture_svg`."""
    name = f"{title(picture)} of {genotype.key}"
    return picture_svg(genotype, picture, name, above, channels=channels, image=image)


def picture_svg(
    genotype: Genotype,
    picture: str,
    name: str,
    above: str = "",
    *,
    channels: int | None = None,
    image: Image | None = None,
) -> str:
    """One picture of a genotype under any name: a chain of blocks as bars, all others as boxes
    and wires. A chain says its widths at so many initial ``channels`` (None: those of its table),
    and its own side of the task's ``image`` (channels, height, width)."""
    if SPACES[genotype.space].macro is not None:
        return chain_svg(genotype, name, above, channels=channels, image=image)
    return to_svg(lay_out(genotype, picture), name, above)


def to_svg(layout: Layout, name: str, heading: str = "") -> str:
    """A layout as an SVG document."""
    above = 26.0 if heading else 0.0
    width, height = layout.width, layout.height + above
    parts = [
        (
            f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width:.0f} {height:.0f}"'
            f' width="{width:.0f}" height="{height:.0f}" role="img" aria-label="{escape(name)}"'
            f' font-family="{escape(FONT)}">'
        ),
    ]
    if heading:
        parts.append(
            '<text x="10" y="18" font-size="14" font-weight="600"'
            f' fill="#1f2937">{escape(heading)}</text>'
        )
    parts.append(f'<g transform="translate(0 {above:.0f})">')
    parts += [*_wires(layout), *_boxes(layout)]
    return "".join([*parts, "</g></svg>"])


def _wires(layout: Layout) -> list[str]:
    """One path per state: its lanes through layers, and its curves between them."""
    paths: dict[int, list[str]] = {}
    for box in layout.boxes:
        if box.kind == "lane":
            begin, end = box.x - box.width / 2, box.x + box.width / 2
            paths.setdefault(box.state, []).append(f"M{_n(begin)} {_n(box.y)}H{_n(end)}")
    for wire in layout.wires:
        middle = _n((wire.x0 + wire.x1) / 2)
        y0, y1 = _n(wire.y0), _n(wire.y1)
        curve = f"M{_n(wire.x0)} {y0}C{middle} {y0} {middle} {y1} {_n(wire.x1)} {y1}"
        paths.setdefault(wire.state, []).append(curve)
    drawn = [
        f'<path d="{"".join(found)}" stroke="{WIRES[state % len(WIRES)]}"/>'
        for state, found in sorted(paths.items())
    ]
    return ['<g fill="none" stroke-width="1.6" stroke-linecap="round">', *drawn, "</g>"]


def _boxes(layout: Layout) -> list[str]:
    """Rectangles, then what they say, in groups of one colour."""
    groups: dict[tuple[str, str, str], list[Box]] = {}
    for box in layout.boxes:
        if box.kind != "lane":
            fill, ink = colours(box.op) if box.kind == "op" else ("#1f2937", "#1f2937")
            groups.setdefault((fill, ink, ink if box.kind == "op" else "#ffffff"), []).append(box)
    parts = []
    for (fill, stroke, ink), boxes in groups.items():
        parts.append(f'<g fill="{fill}" stroke="{stroke}">{"".join(map(_rectangle, boxes))}</g>')
        weight = 500 if boxes[0].kind == "op" else 600
        attributes = f'font-size="12" font-weight="{weight}" text-anchor="middle" fill="{ink}"'
        parts.append(f"<g {attributes}>{''.join(map(_label, boxes))}</g>")
    return parts


def _rectangle(box: Box) -> str:
    left, top = box.x - box.width / 2, box.y - box.height / 2
    return (
        f'<rect x="{_n(left)}" y="{_n(top)}" width="{_n(box.width)}" height="{_n(box.height)}"'
        ' rx="6"/>'
    )


def _label(box: Box) -> str:
    return f'<text x="{_n(box.x)}" y="{_n(box.y + 4)}">{escape(box.label)}</text>'


def _n(value: float) -> str:
    """A coordinate to a tenth of a pixel, as short as it can be written."""
    return f"{value:.1f}".removesuffix(".0")
