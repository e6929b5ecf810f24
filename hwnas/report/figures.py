"""Figures for papers: the front and its cells, each as SVG and as PNG, drawn from the same
values as the page."""

from __future__ import annotations

from pathlib import Path

from hwnas.report import charts, render
from hwnas.report.drawing import cell_svg
from hwnas.report.layout import pictures
from hwnas.report.load import RunData
from hwnas.runs.atomic import atomic_write_all
from hwnas.space.space import SPACES

WIDTH = 560  # pixels of a chart, a text column
UNCHOSEN = [{"name": "chosen", "value": ""}]
SCALE = 3  # pixels of a PNG per pixel of the SVG: sharp in print


def write_figures(data: RunData, folder: Path) -> list[str]:
    """Write front-<accuracy>-<cost> and cell-<key>-<kind> of every network of the front; returns
    the file names.

    Raises OSError where the folder can't be written, RendererEnded where nothing can be drawn.
    """
    drawings = {**_fronts(data), **_cells(data)}
    folder.mkdir(parents=True, exist_ok=True)
    files: dict[str, bytes] = {}
    for name, svg in drawings.items():
        files[f"{name}.svg"] = svg.encode()
        files[f"{name}.png"] = render.svg_to_png(svg, scale=SCALE)
    atomic_write_all(folder, files)
    return list(files)


def _fronts(data: RunData) -> dict[str, str]:
    found = {}
    for number, front in enumerate(data.fronts):
        kind = "trained" if number else "shared"
        uniform = None if number else data.summary.baseline.random
        for cost in data.costs:
            if any(cost.name in member.costs for member in front.members):
                spec = charts.front(front, cost, uniform) | {"width": WIDTH, "params": UNCHOSEN}
                found[f"front-{kind}-{cost.name}"] = render.vegalite_to_svg(spec)
    return found


def _cells(data: RunData) -> dict[str, str]:
    keys = {
        member.key
        for front in data.fronts
        for member in front.members
        if member.label in front.front
    }
    channels, image = data.summary.members[0].channels, data.summary.shape
    return {
        f"cell-{key}-{kind}": cell_svg(data.genotypes[key], kind, channels=channels, image=image)
        for key in sorted(keys)
        for kind in pictures(SPACES[data.genotypes[key].space])
    }
