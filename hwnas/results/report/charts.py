"""The charts as Vega-Lite specifications: plain values, drawn alike by a browser and, for papers, by vl-convert.

Field names are fixed, whatever a run calls its costs: what comes from outside is only ever data or a title.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from hwnas.results.report.gather import Cost, Dot, Scored, Seen
from hwnas.results.report.layout import op_label
from hwnas.space.space import NONE, Space

Spec = dict[str, Any]

SCHEMA = "https://vega.github.io/schema/vega-lite/v6.json"
INK, FAINT, ACCENT, KNEE = "#1f2937", "#9aa3af", "#2563a8", "#c2410c"
HUES = ("#2563a8", "#c2410c", "#15803d", "#7c3aed", "#b45309", "#0e7490", "#be185d", "#4d7c0f")
CROSS = "M-0.5,-0.5L0.5,0.5M0.5,-0.5L-0.5,0.5"
LOG_FROM = 8.0
"""Largest over smallest cost from which an axis is logarithmic."""

CONFIG: Spec = {
    "font": "system-ui, -apple-system, 'Segoe UI', Roboto, 'DejaVu Sans', sans-serif",
    "background": "#ffffff",
    "view": {"stroke": None},
    "axis": {
        "grid": True,
        "gridColor": "#e8ebef",
        "domainColor": "#9aa3af",
        "tickColor": "#9aa3af",
        "labelColor": "#374151",
        "titleColor": INK,
        "labelFontSize": 12,
        "titleFontSize": 13,
        "titleFontWeight": 600,
        "titlePadding": 10,
        "labelOverlap": "greedy",
        "labelSeparation": 6,
    },
    "legend": {"labelFontSize": 12, "titleFontSize": 12, "labelLimit": 260, "orient": "bottom", "columns": 4},
}

SHADES = {
    NONE: "#eef0f3",
    "skip_connect": "#b6bcc6",
    "sep_conv_3x3": "#9cc7ee",
    "sep_conv_5x5": "#4a90cf",
    "sep_conv_7x7": "#1c5a96",
    "dil_conv_3x3": "#86cdb0",
    "dil_conv_5x5": "#2a8a66",
    "conv_1x1": "#f6cf8c",
    "conv_3x3": "#e39a2d",
    "conv_3x1_1x3": "#a86408",
    "nor_conv_1x1": "#f6cf8c",
    "nor_conv_3x3": "#e39a2d",
    "avg_pool_3x3": "#eda2bd",
    "max_pool_3x3": "#d7a5dd",
    "max_pool_5x5": "#a95fb3",
    "max_pool_7x7": "#6f2a79",
}
OTHERS = ("#c9b458", "#7f9445", "#8c6d62", "#5f86b8")


def front(scored: Scored, cost: Cost, uniform: Mapping[str, Sequence[float]] | None = None) -> Spec:
    """Accuracy against one cost: the front as a staircase, dominated networks faint, the knee marked.

    ``uniform``: accuracies and costs of uniform networks, drawn as crosses.
    """
    dots = [dot for dot in scored.dots if cost.name in dot.costs]
    x = _cost_axis(cost, [dot.costs[cost.name][0] for dot in dots])
    y = _accuracy_axis(scored.origin)
    layers: list[Spec] = []
    if uniform and uniform.get(cost.name) and "accuracy" in uniform:
        pairs = zip(uniform[cost.name], uniform["accuracy"], strict=True)
        rows = [{"cost": c, "accuracy": a} for c, a in pairs]
        floor = _floor([dot.accuracy for dot in dots], uniform["accuracy"])
        below = sum(row["accuracy"] < floor for row in rows)
        rows = [row for row in rows if row["accuracy"] >= floor]
        if below:
            y["title"] = [
                y["title"][0],
                f"{below} of {below + len(rows)} uniform ones lie lower",
                y["title"][1],
            ]
        mark = {"type": "point", "shape": CROSS, "size": 46, "color": FAINT, "filled": False}
        layers.append(_layer(rows, mark, x, y, tooltip=_tips(cost, "a uniform genotype")))
    # The front last, so that it lies on top.
    rows = sorted((_row(dot, cost, scored) for dot in dots), key=lambda row: bool(row["front"]))
    step = {"type": "line", "interpolate": "step-after", "color": ACCENT, "opacity": 0.45}
    layers.append(_layer(_stairs([row for row in rows if row["front"]]), step, x, y, order={"field": "cost"}))
    layers += _error_bars(rows, x, y)
    faint = {"condition": {"test": "datum.front", "value": 1}, "value": 0.28}
    shape = {"condition": {"test": "datum.knee", "value": "diamond"}, "value": "circle"}
    colour = {"condition": {"test": "datum.knee", "value": KNEE}, "value": ACCENT}
    size = {"condition": {"test": "datum.knee", "value": 190}, "value": 80}
    point = {"type": "point", "filled": True, "cursor": "pointer", "stroke": "#ffffff", "strokeWidth": 1}
    extra = {"opacity": faint, "shape": shape, "color": colour, "size": size, "tooltip": _tips(cost)}
    layers.append(_layer(rows, point, x, y, **extra))
    ring = {"type": "point", "size": 330, "color": INK, "strokeWidth": 2}
    chosen = _layer(rows, ring, x, y)
    chosen["transform"] = [{"filter": "datum.name === chosen"}]
    layers.append(chosen)
    named = {
        "type": "text",
        "text": "knee",
        "dy": 20,
        "dx": 8,
        "align": "left",
        "color": KNEE,
        "fontWeight": 600,
    }
    if scored.knee is not None:
        layers.append(_layer([row for row in rows if row["knee"]], named, x, y))
    # Never empty, or Vega warns of a layer without extent; a name no network has draws no ring.
    params = [{"name": "chosen", "value": scored.knee or next(iter(sorted(scored.front)), "")}]
    return _chart(layers, height=380) | {"params": params}


def _floor(found: Sequence[float], uniform: Sequence[float]) -> float:
    """Where the axis ends below: a few uniform networks that learnt nothing must not flatten the front."""
    return min(min(found), sorted(uniform)[len(uniform) // 4])


def _row(dot: Dot, cost: Cost, scored: Scored) -> Spec:
    value, low, high = dot.costs[cost.name]
    row: Spec = {
        "name": dot.name,
        "accuracy": dot.accuracy,
        "cost": value,
        "front": dot.name in scored.front,
        "knee": dot.name == scored.knee,
        "exact": f"{value:,.0f}" if value == int(value) else f"{value:,.5g}",
    }
    if low < high:
        row |= {"cost_low": low, "cost_high": high}
    if dot.interval is not None:
        row |= {"low": dot.interval[0], "high": dot.interval[1]}
    return row


def _stairs(rows: Sequence[Spec]) -> list[Spec]:
    """The corners of the staircase under accuracy and this one cost, by rising cost.

    A front of several costs, or one that keeps what is beaten only within its interval, has points beside it.
    """
    corners: list[Spec] = []
    for row in sorted(rows, key=lambda row: (row["cost"], -row["accuracy"])):
        if not corners or row["accuracy"] > corners[-1]["accuracy"]:
            corners.append(row)
    return corners


def _error_bars(rows: Sequence[Spec], x: Spec, y: Spec) -> list[Spec]:
    """Vertical and horizontal bars, where intervals are known; those of dominated networks stay away."""
    mark = {"type": "rule", "color": ACCENT, "opacity": 0.5, "strokeWidth": 1.4}
    upright = [row for row in rows if "low" in row and row["front"]]
    across = [row for row in rows if "cost_low" in row and row["front"]]
    layers = []
    if upright:
        layers.append(_layer(upright, mark, x, {**y, "field": "low"}, y2={"field": "high"}))
    if across:
        layers.append(_layer(across, mark, {**x, "field": "cost_low"}, y, x2={"field": "cost_high"}))
    return layers


def compared(series: Sequence[tuple[str, Sequence[Dot], frozenset[str]]], cost: Cost, origin: str) -> Spec:
    """Several fronts on the same axes, a colour each: (name, dots, names on the front)."""
    rows: list[Spec] = [
        {"series": name, "name": dot.name, "accuracy": dot.accuracy, "cost": dot.costs[cost.name][0]}
        for name, dots, members in series
        for dot in dots
        if dot.name in members
    ]
    x, y = _cost_axis(cost, [row["cost"] for row in rows]), _accuracy_axis(origin)
    colour = {
        "field": "series",
        "type": "nominal",
        "title": None,
        "scale": {"range": list(HUES)},
        "sort": None,
    }
    tips = [{"field": "series", "title": "front"}, *_tips(cost)[:2], {"field": "cost", "title": cost.name}]
    line = {"type": "line", "interpolate": "step-after", "opacity": 0.5}
    mine = [[row for row in rows if row["series"] == name] for name, _, _ in series]
    stairs = [row for part in mine for row in _stairs(part)]
    point = {"type": "point", "filled": True, "size": 70}
    layers = [
        _layer(stairs, line, x, y, color=colour, order={"field": "cost"}),
        _layer(rows, point, x, y, color=colour, tooltip=tips),
    ]
    return _chart(layers, height=380)


def volume(seen: Sequence[Seen]) -> Spec:
    """Hypervolume over evaluations of every run, with the levels that finalists and uniform networks reached."""
    rows = [
        {"run": one.name, **point, "part": f"{one.name} {point['stage']}"}
        for one in seen
        for point in one.curve
    ]
    finalists, uniform = "finalists, whole validation half", "uniform genotypes, the same"
    levels = [
        {"run": one.name, "level": label, "hypervolume": float(value)}
        for one in seen
        for label, value in (
            (finalists, one.summary["hypervolume"]),
            (uniform, one.summary["baseline"]["random_hypervolume"]),
        )
    ]
    x = {"field": "evaluations", "type": "quantitative", "title": "evaluations"}
    y = {
        "field": "hypervolume",
        "type": "quantitative",
        "title": "hypervolume \u00b7 more is better \u2192",
        "scale": {"zero": False},
    }
    colour = {"field": "run", "type": "nominal", "title": None, "scale": {"range": list(HUES)}, "sort": None}
    tips = [
        {"field": "evaluations", "format": ","},
        {"field": "hypervolume", "format": ".4f"},
        {"field": "stage"},
        {"field": "run"},
    ]
    dashes = {
        "field": "level",
        "type": "nominal",
        "title": None,
        "sort": None,
        "scale": {"domain": [finalists, uniform], "range": [[1, 0], [5, 4]]},
        "legend": {"columns": 1, "symbolSize": 500},
    }
    layers = [
        _layer(
            rows,
            {"type": "line", "strokeWidth": 2},
            x,
            y,
            color=colour,
            tooltip=tips,
            detail={"field": "part"},
        ),
        _layer(levels, {"type": "rule", "strokeWidth": 1.6}, None, y, color=colour, strokeDash=dashes),
    ]
    return _chart(layers, height=280)


def over_epochs(rows: Sequence[Spec], title: str, colours: Sequence[str] = HUES) -> Spec:
    """Lines over epochs: rows of {epoch, value, series, stage}; a line breaks where a stage ends."""
    series = list(dict.fromkeys(str(row["series"]) for row in rows))
    colour = {
        "field": "series",
        "type": "nominal",
        "title": None,
        "sort": None,
        "scale": {"domain": series, "range": list(colours)},
        "legend": None if len(series) < 2 else {"columns": 2},
    }
    x = {"field": "epoch", "type": "quantitative", "title": "epoch", "axis": {"tickMinStep": 1}}
    y = {"field": "value", "type": "quantitative", "title": title, "scale": {"zero": False}}
    tips = [{"field": "series"}, {"field": "epoch"}, {"field": "value", "format": ".4g"}, {"field": "stage"}]
    line = {"type": "line", "strokeWidth": 1.8, "point": {"size": 9}}
    return _chart(
        [_layer(rows, line, x, y, color=colour, detail={"field": "stage"}, tooltip=tips)], height=220
    )


def evolution(space: Space) -> Spec:
    """Edges against epochs: colour is the likeliest operation, strength its probability. Data: ``cells``."""
    colour = _operation_colour(space)
    opacity = {
        "field": "p",
        "type": "quantitative",
        "scale": {"type": "pow", "exponent": 0.6, "domain": [0, 1], "range": [0.1, 1]},
        "legend": None,
    }
    tips = [
        {"field": "edge"},
        {"field": "epoch"},
        {"field": "op", "title": "likeliest"},
        {"field": "p", "title": "probability", "format": ".3f"},
    ]
    encoding = {
        "x": {"field": "epoch", "type": "ordinal", "title": "epoch", "axis": _few_labels()},
        "y": {
            "field": "edge",
            "type": "ordinal",
            "title": None,
            "sort": None,
            "axis": {"labelLimit": 170, "grid": False},
        },
        "color": colour,
        "opacity": opacity,
        "tooltip": tips,
    }
    mark = {"type": "rect", "cursor": "pointer"}
    height = 16 * len(space.slots)
    return _base() | {
        "data": {"name": "cells", "values": []},
        "mark": mark,
        "encoding": encoding,
        "height": height,
    }


def probabilities(space: Space) -> Spec:
    """The probabilities of one edge's operations over epochs, stacked to 1. Data: ``edge``."""
    encoding = {
        "x": {
            "field": "epoch",
            "type": "quantitative",
            "title": "epoch",
            "axis": {"tickMinStep": 1},
            "scale": {"nice": False, "zero": False},
        },
        "y": {"field": "p", "type": "quantitative", "title": "probability", "stack": "normalize"},
        "color": _operation_colour(space, legend=False),
        "order": {"field": "rank"},
        "tooltip": [{"field": "op"}, {"field": "epoch"}, {"field": "p", "format": ".3f"}],
    }
    data = {"name": "edge", "values": []}
    return _base() | {"data": data, "mark": {"type": "area"}, "encoding": encoding, "height": 200}


def operation_colours(space: Space) -> dict[str, str]:
    """Label of every operation of a space, in order, to its colour."""
    ops = list(dict.fromkeys(op for slot in space.slots for op in slot.ops))
    return {op_label(op): SHADES.get(op, OTHERS[i % len(OTHERS)]) for i, op in enumerate(ops)}


def _operation_colour(space: Space, legend: bool = True) -> Spec:
    table = operation_colours(space)
    scale = {"domain": list(table), "range": list(table.values())}
    shown = {"title": None, "columns": 5} if legend else None
    return {"field": "op", "type": "nominal", "scale": scale, "legend": shown}


def _few_labels() -> Spec:
    return {"labelOverlap": "greedy", "labelAngle": 0, "ticks": False, "grid": False}


def _cost_axis(cost: Cost, values: Sequence[float]) -> Spec:
    positive = [value for value in values if value > 0]
    log = len(positive) == len(values) > 0 and max(values) / min(values) >= LOG_FROM
    return {
        "field": "cost",
        "type": "quantitative",
        "title": [f"{cost.name} ({cost.unit}), {cost.origin}", "\u2190 less is better"],
        "scale": {"type": "log", "nice": False, "padding": 18} if log else {"zero": False, "padding": 18},
        "axis": {
            **({"format": "~s"} if max(values, default=0) >= 1000 else {}),
            "tickCount": 8,
        },
    }


def _accuracy_axis(origin: str) -> Spec:
    return {
        "field": "accuracy",
        "type": "quantitative",
        "title": [f"accuracy, {origin}", "higher is better \u2192"],
        "scale": {"zero": False, "padding": 12},
        "axis": {"format": ".1%", "titleLimit": 340},
    }


def _tips(cost: Cost, what: str = "") -> list[Spec]:
    exact = "cost" if what else "exact"
    named = [] if what else [{"field": "name", "title": "network"}]
    shown = [{"field": "accuracy", "format": ".4f"}, {"field": exact, "title": f"{cost.name} ({cost.unit})"}]
    interval = [] if what else [{"field": "low", "format": ".4f"}, {"field": "high", "format": ".4f"}]
    return [*named, *shown, *interval]


def _layer(rows: Sequence[Spec], mark: Spec, x: Spec | None, y: Spec, **encoding: Any) -> Spec:
    axes = {"y": y} if x is None else {"x": x, "y": y}
    return {"data": {"values": list(rows)}, "mark": mark, "encoding": {**axes, **encoding}}


def _chart(layers: Sequence[Spec], height: int) -> Spec:
    return _base() | {"layer": list(layers), "height": height}


def _base() -> Spec:
    return {
        "$schema": SCHEMA,
        "width": "container",
        "autosize": {"type": "fit-x", "contains": "padding"},
        "config": CONFIG,
    }
