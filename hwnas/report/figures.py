"""Figures for papers: the front and its cells, each as SVG and as PNG, drawn from the same values as the page."""

from __future__ import annotations

from pathlib import Path

from hwnas.report import charts
from hwnas.report.drawing import cell_svg
from hwnas.report.layout import pictures
from hwnas.report.load import Seen
from hwnas.runs.atomic import atomic_write_all
from hwnas.space.space import SPACES

WIDTH = 560  # pixels of a chart, a text column
UNCHOSEN = [{"name": "chosen", "value": ""}]
SCALE = 3  # pixels of a PNG per pixel of the SVG: sharp in print


def write_figures(seen: Seen, folder: Path) -> list[str]:
    """Write front-<accuracy>-<cost> and cell-<key>-<kind> of every network of the front; returns the file names.

    Raises OSError where the folder can't be written.
    """
    import vl_convert

    drawings = {**_fronts(seen), **_cells(seen)}
    folder.mkdir(parents=True, exist_ok=True)
    files: dict[str, bytes] = {}
    for name, svg in drawings.items():
        files[f"{name}.svg"] = svg.encode()
        files[f"{name}.png"] = vl_convert.svg_to_png(svg, scale=SCALE)
    atomic_write_all(folder, files)
    return list(files)


def _fronts(seen: Seen) -> dict[str, str]:
    import vl_convert

    found = {}
    for number, scored in enumerate(seen.scored):
        kind = "trained" if number else "shared"
        uniform = None if number else seen.summary["baseline"].get("random")
        for cost in seen.costs:
            if any(cost.name in dot.costs for dot in scored.dots):
                spec = charts.front(scored, cost, uniform) | {"width": WIDTH, "params": UNCHOSEN}
                found[f"front-{kind}-{cost.name}"] = str(vl_convert.vegalite_to_svg(spec))
    return found


def _cells(seen: Seen) -> dict[str, str]:
    keys = {dot.key for scored in seen.scored for dot in scored.dots if dot.name in scored.front}
    return {
        f"cell-{key}-{kind}": cell_svg(seen.genotypes[key], kind)
        for key in sorted(keys)
        for kind in pictures(SPACES[seen.genotypes[key].space])
    }
