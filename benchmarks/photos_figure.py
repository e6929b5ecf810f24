"""The front on photos as one figure: accuracy over latency, with what is had by hand beside it."""

from __future__ import annotations

import statistics
from collections.abc import Sequence
from typing import Any

from hwnas.report.theme import CONFIG, INK, SCHEMA, layer

Row = dict[str, Any]
Spec = dict[str, Any]
SHADES = ("#1c4f8a", "#4a8bd0", "#9cc7ee")
"""Of the seeds of the front, in order."""
BY_HAND = {
    "uniform, 3 epochs": ("#b45309", ("third3", "half3")),
    "uniform, 8 epochs": ("#15803d", ("third8", "half8")),
    "uniform, 8 epochs, teacher's labels": ("#7c3aed", ("third8-soft", "half8-soft")),
    "half as wide, for the whole front's CPU time": ("#0e7490", ("one",)),
    "stock, 3 and 5 epochs": ("#111827", ("stock3", "stock5")),
}
SIX = "narrowed to the same latencies"
SIX_COLOUR = "#6b7280"
SCRATCH = "half as wide, from scratch"
SCRATCH_COLOUR = "#be185d"
FAR = 0.08
"""How far below all others a network from scratch is told in words instead of drawn."""


def figure(rows: Sequence[Row]) -> str:
    """The SVG; arms without rows are left out."""
    import vl_convert

    return str(vl_convert.vegalite_to_svg(spec(rows)))


def spec(rows: Sequence[Row]) -> Spec:
    """The figure as a Vega-Lite specification."""
    fronts = [
        _point(row, f"the search, seed {row['seed']}") for row in rows if row["arm"] == "front"
    ]
    fronts.sort(key=lambda row: (row["series"], row["latency"]))
    seeds = list(dict.fromkeys(row["series"] for row in fronts))
    hand = [point for name, (_, arms) in BY_HAND.items() for point in _means(rows, name, arms)]
    six = [_point(row, SIX) for row in rows if row["arm"] == "six"]
    scratch = [
        point
        for arm in dict.fromkeys(row["arm"] for row in rows if row["arm"].startswith("scratch"))
        for point in _means(rows, SCRATCH, (arm,))
    ]
    near = [*fronts, *hand, *six]
    floor = min((row["accuracy"] for row in near), default=0.0) - FAR
    drawn = [row for row in scratch if row["accuracy"] >= floor]
    colours = {
        **{name: SHADES[number % len(SHADES)] for number, name in enumerate(seeds)},
        **{name: colour for name, (colour, _) in BY_HAND.items()},
        SIX: SIX_COLOUR,
        SCRATCH: SCRATCH_COLOUR,
    }
    present = {row["series"] for row in (*near, *drawn)}
    colour = {
        "field": "series",
        "type": "nominal",
        "title": None,
        "scale": {
            "domain": [name for name in colours if name in present],
            "range": [shade for name, shade in colours.items() if name in present],
        },
        "legend": {"orient": "bottom", "columns": 2, "symbolOpacity": 1},
    }
    x, y = _axes([row for row in scratch if row["accuracy"] < floor])
    line: Spec = {"type": "line", "strokeWidth": 1.5, "opacity": 0.55}
    dots: Spec = {"type": "point", "filled": True, "opacity": 1}
    order = {"field": "latency"}
    uniform = [row for row in hand if not row["series"].startswith("stock")]
    layers = [
        layer(uniform, {**line, "strokeDash": [5, 4]}, x, y, color=colour, order=order),
        layer(fronts, line, x, y, color=colour, order=order),
        layer([*hand, *drawn], {**dots, "shape": "diamond", "size": 110}, x, y, color=colour),
        layer(six, {"type": "point", "shape": "square", "size": 55}, x, y, color=colour),
        layer(fronts, {**dots, "size": 60}, x, y, color=colour),
        layer(
            [row for row in hand if row["series"].startswith("stock")],
            {"type": "text", "align": "right", "dx": -9, "fontSize": 12, "color": INK},
            x,
            y,
            text={"field": "arm"},
        ),
    ]
    return {
        "$schema": SCHEMA,
        "config": CONFIG,
        "width": 640,
        "height": 380,
        "layer": [one for one in layers if one["data"]["values"]],
    }


def _point(row: Row, series: str) -> Spec:
    return {
        "series": series,
        "arm": row["arm"],
        "latency": float(row["of_stock"]),
        "accuracy": float(row["test_accuracy"]),
    }


def _means(rows: Sequence[Row], series: str, arms: Sequence[str]) -> list[Spec]:
    """One point for each of the arms that has rows: the mean over its seeds."""
    found = []
    for arm in arms:
        mine = [_point(row, series) for row in rows if row["arm"] == arm]
        if mine:
            means = {key: statistics.mean(p[key] for p in mine) for key in ("latency", "accuracy")}
            name = arm.replace("stock", "stock, ") + " epochs" if "stock" in arm else arm
            found.append({"series": series, "arm": name, **means})
    return found


def _axes(below: Sequence[Spec]) -> tuple[Spec, Spec]:
    """``below``: what lies too far below to be drawn, and is said beside the axis."""
    told = [
        f"from scratch ({row['arm'].removeprefix('scratch')} epochs): {100 * row['accuracy']:.1f} %, below"
        for row in below
    ]
    x = {
        "field": "latency",
        "type": "quantitative",
        "title": ["latency, of the stock network's, measured", "\u2190 less is better"],
        "scale": {"zero": False, "padding": 14},
        "axis": {"format": ".2~f", "tickCount": 9},
    }
    y = {
        "field": "accuracy",
        "type": "quantitative",
        "title": ["accuracy on the test photos", *told, "higher is better \u2192"],
        "scale": {"zero": False, "padding": 14},
        "axis": {"format": ".0%", "titleLimit": 380},
    }
    return x, y
