"""A cell as SVG: one self-contained text, readable in a page and in a paper. Everything in it is escaped."""

from __future__ import annotations

from html import escape

from hwnas.results.report.layout import Box, Layout, lay_out
from hwnas.space.genotype import Genotype
from hwnas.space.space import NONE, SKIP, CellKind

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


def cell_svg(genotype: Genotype, cell: CellKind, title: str = "") -> str:
    """One cell as an SVG document with an accessible name; ``title`` is drawn above it where given."""
    return to_svg(lay_out(genotype, cell), f"{cell} cell of {genotype.key}", title)


def to_svg(layout: Layout, name: str, title: str = "") -> str:
    """A layout as an SVG document."""
    above = 26.0 if title else 0.0
    width, height = layout.width, layout.height + above
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width:.0f} {height:.0f}" width="{width:.0f}"'
        f' height="{height:.0f}" role="img" aria-label="{escape(name)}" font-family="{escape(FONT)}">',
    ]
    if title:
        parts.append(
            f'<text x="10" y="18" font-size="14" font-weight="600" fill="#1f2937">{escape(title)}</text>'
        )
    parts.append(f'<g transform="translate(0 {above:.0f})">')
    parts += _wires(layout)
    parts += [_box(box) for box in layout.boxes if box.kind != "lane"]
    return "".join([*parts, "</g></svg>"])


def _wires(layout: Layout) -> list[str]:
    """One path per state: its lanes through layers, and its curves between them."""
    paths: dict[int, list[str]] = {}
    for box in layout.boxes:
        if box.kind == "lane":
            begin, end = box.x - box.width / 2, box.x + box.width / 2
            paths.setdefault(box.state, []).append(f"M{begin:.1f} {box.y:.1f}H{end:.1f}")
    for wire in layout.wires:
        middle = (wire.x0 + wire.x1) / 2
        paths.setdefault(wire.state, []).append(
            f"M{wire.x0:.1f} {wire.y0:.1f}C{middle:.1f} {wire.y0:.1f} {middle:.1f} {wire.y1:.1f}"
            f" {wire.x1:.1f} {wire.y1:.1f}"
        )
    return [
        f'<path d="{"".join(found)}" fill="none" stroke="{WIRES[state % len(WIRES)]}" stroke-width="1.6"'
        ' stroke-linecap="round"/>'
        for state, found in sorted(paths.items())
    ]


def _box(box: Box) -> str:
    left, top = box.x - box.width / 2, box.y - box.height / 2
    fill, ink = colours(box.op) if box.kind == "op" else ("#1f2937", "#ffffff")
    radius, size, weight = (6, 12, 500) if box.kind == "op" else (8, 12, 600)
    return (
        f'<rect x="{left:.1f}" y="{top:.1f}" width="{box.width:.1f}" height="{box.height:.0f}" rx="{radius}"'
        f' fill="{fill}" stroke="{ink}" stroke-width="1"/>'
        f'<text x="{box.x:.1f}" y="{box.y + 4:.1f}" font-size="{size}" font-weight="{weight}"'
        f' text-anchor="middle" fill="{ink}">{escape(box.label)}</text>'
    )
