"""The charts as Vega-Lite specifications: plain values, drawn alike by a browser and, for papers,
by vl-convert.

Field names are fixed, whatever a run calls its costs: what comes from outside is only ever data or
a title.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from hwnas.report.front_marks import baseline_marks, baseline_rows, target_marks
from hwnas.report.load import CostAxis, EvaluatedFront
from hwnas.report.theme import ACCENT, FAINT, HUES, INK, KNEE, Spec, chart, layer
from hwnas.runs.summary import Member
from hwnas.runs.training_record import TrainingRecord

CROSS = "M-0.5,-0.5L0.5,0.5M0.5,-0.5L-0.5,0.5"
LOG_FROM = 8.0
"""Largest over smallest cost from which an axis is logarithmic."""


def front(
    evaluated: EvaluatedFront,
    cost: CostAxis,
    uniform: Mapping[str, Sequence[float]] | None = None,
    baselines: Sequence[TrainingRecord] = (),
) -> Spec:
    """Accuracy against one cost: the front as a staircase, dominated networks faint, the knee
    marked.

    A target of this cost is a dashed line, what is within it is shaded, and what is over any target
    is hollow. ``uniform``: accuracies and costs of uniform networks, drawn as crosses.
    ``baselines``: squares.
    """
    members = [member for member in evaluated.members if cost.name in member.costs]
    values = [float(member.costs[cost.name].value) for member in members]
    y = _accuracy_axis(evaluated.provenance)
    beside = baseline_rows(baselines, cost)
    values += [row["cost"] for row in beside]
    x = _cost_axis(cost, values)
    layers = target_marks(evaluated, cost, values, x)
    if uniform and uniform.get(cost.name) and "accuracy" in uniform:
        pairs = zip(uniform[cost.name], uniform["accuracy"], strict=True)
        rows = [{"cost": c, "accuracy": a} for c, a in pairs]
        floor = _floor([member.accuracy.value for member in members], uniform["accuracy"])
        below = sum(row["accuracy"] < floor for row in rows)
        rows = [row for row in rows if row["accuracy"] >= floor]
        if below:
            y["title"] = [
                y["title"][0],
                f"{below} of {below + len(rows)} random ones lie lower",
                y["title"][1],
            ]
        mark = {"type": "point", "shape": CROSS, "size": 46, "color": FAINT, "filled": False}
        layers.append(layer(rows, mark, x, y, tooltip=_tips(cost, "a random network")))
    # The front last, so that it lies on top.
    rows = sorted(
        (_row(member, cost, evaluated) for member in members), key=lambda row: bool(row["front"])
    )
    step = {"type": "line", "interpolate": "step-after", "color": ACCENT, "opacity": 0.45}
    layers.append(
        layer(_stairs([row for row in rows if row["front"]]), step, x, y, order={"field": "cost"})
    )
    layers += _error_bars(rows, x, y)
    faint = {"condition": {"test": "datum.front", "value": 1}, "value": 0.28}
    shape = {"condition": {"test": "datum.knee", "value": "diamond"}, "value": "circle"}
    colour = {"condition": {"test": "datum.knee", "value": KNEE}, "value": ACCENT}
    size = {"condition": {"test": "datum.knee", "value": 190}, "value": 80}
    point = {
        "type": "point",
        "filled": True,
        "cursor": "pointer",
        "stroke": "#ffffff",
        "strokeWidth": 1,
    }
    extra = {
        "opacity": faint,
        "shape": shape,
        "color": colour,
        "size": size,
        "tooltip": _tips(cost),
    }
    if evaluated.targets:
        point = {"type": "point", "filled": True, "cursor": "pointer", "strokeWidth": 1.6}
        extra = {name: value for name, value in extra.items() if name != "color"} | _hollow()
    layers += baseline_marks(beside, values, x, y)
    layers.append(layer(rows, point, x, y, **extra))
    ring = {"type": "point", "size": 330, "color": INK, "strokeWidth": 2}
    chosen = layer(rows, ring, x, y)
    chosen["transform"] = [{"filter": "datum.name === chosen"}]
    layers.append(chosen)
    named = {
        "type": "text",
        "text": "knee" if evaluated.is_met else "nearest to the target",
        "dy": 20,
        "dx": 8,
        "align": "left",
        "color": KNEE,
        "fontWeight": 600,
    }
    if evaluated.knee is not None:
        layers.append(layer([row for row in rows if row["knee"]], named, x, y))
    # Never empty, or Vega warns of a layer without extent; a name no network has draws no ring.
    params = [
        {"name": "chosen", "value": evaluated.knee or next(iter(sorted(evaluated.front)), "")}
    ]
    words = f"Accuracy, {evaluated.provenance}, against {cost.name} of {len(rows)} networks."
    return chart(layers, height=380) | {"params": params, "description": words}


def _hollow() -> Spec:
    """Fill and edge of points where the search had a target: what is over it is hollow."""
    over, middle = ({"test": f"datum.{name}"} for name in ("over", "knee"))
    fill = [{**over, "value": "#ffffff"}, {**middle, "value": KNEE}]
    edge = [{**middle, "value": KNEE}, {**over, "value": ACCENT}]
    return {
        "fill": {"condition": fill, "value": ACCENT},
        "stroke": {"condition": edge, "value": "#ffffff"},
    }


def _floor(found: Sequence[float], uniform: Sequence[float]) -> float:
    """Where the axis ends below: a few uniform networks that learnt nothing must not flatten the
    front."""
    return min(min(found), sorted(uniform)[len(uniform) // 4])


def _row(member: Member, cost: CostAxis, evaluated: EvaluatedFront) -> Spec:
    value, label = float(member.costs[cost.name].value), member.label
    low, high = member.costs[cost.name].interval
    row: Spec = {
        "name": label,
        "accuracy": float(member.accuracy.value),
        "cost": value,
        "front": label in evaluated.front,
        "knee": label == evaluated.knee,
        "over": bool(evaluated.targets) and label not in evaluated.within,
        "exact": f"{value:,.0f}" if value == int(value) else f"{value:,.5g}",
    }
    if low < high:
        row |= {"cost_low": float(low), "cost_high": float(high)}
    interval = evaluated.intervals.get(label)
    if interval is not None:
        row |= {"low": interval[0], "high": interval[1]}
    return row


def _stairs(rows: Sequence[Spec]) -> list[Spec]:
    """The corners of the staircase under accuracy and this one cost, by rising cost.

    A front of several costs, or one that keeps what is beaten only within its interval, has points
    beside it.
    """
    corners: list[Spec] = []
    for row in sorted(rows, key=lambda row: (row["cost"], -row["accuracy"])):
        if not corners or row["accuracy"] > corners[-1]["accuracy"]:
            corners.append(row)
    return corners


def _error_bars(rows: Sequence[Spec], x: Spec, y: Spec) -> list[Spec]:
    """Vertical and horizontal bars, where intervals are known; those of dominated networks stay
    away."""
    mark = {"type": "rule", "color": ACCENT, "opacity": 0.5, "strokeWidth": 1.4}
    upright = [row for row in rows if "low" in row and row["front"]]
    across = [row for row in rows if "cost_low" in row and row["front"]]
    layers = []
    if upright:
        layers.append(layer(upright, mark, x, {**y, "field": "low"}, y2={"field": "high"}))
    if across:
        layers.append(layer(across, mark, {**x, "field": "cost_low"}, y, x2={"field": "cost_high"}))
    return layers


def compared(
    series: Sequence[tuple[str, Sequence[Member], frozenset[str]]], cost: CostAxis, provenance: str
) -> Spec:
    """Several fronts on the same axes, a colour each: (name, networks, labels of those on the
    front)."""
    rows: list[Spec] = [
        {
            "series": name,
            "name": member.label,
            "accuracy": float(member.accuracy.value),
            "cost": float(member.costs[cost.name].value),
        }
        for name, members, labels in series
        for member in members
        if member.label in labels
    ]
    x, y = _cost_axis(cost, [row["cost"] for row in rows]), _accuracy_axis(provenance)
    colour = {
        "field": "series",
        "type": "nominal",
        "title": None,
        "scale": {"range": list(HUES)},
        "sort": None,
    }
    tips = [
        {"field": "series", "title": "front"},
        *_tips(cost)[:2],
        {"field": "cost", "title": cost.name},
    ]
    line = {"type": "line", "interpolate": "step-after", "opacity": 0.5}
    mine = [[row for row in rows if row["series"] == name] for name, _, _ in series]
    stairs = [row for part in mine for row in _stairs(part)]
    point = {"type": "point", "filled": True, "size": 70}
    layers = [
        layer(stairs, line, x, y, color=colour, order={"field": "cost"}),
        layer(rows, point, x, y, color=colour, tooltip=tips),
    ]
    return chart(layers, height=380)


def _cost_axis(cost: CostAxis, values: Sequence[float]) -> Spec:
    positive = [value for value in values if value > 0]
    log = len(positive) == len(values) > 0 and max(values) / min(values) >= LOG_FROM
    return {
        "field": "cost",
        "type": "quantitative",
        "title": [f"{cost.name} ({cost.unit}), {cost.provenance}", "\u2190 less is better"],
        "scale": {"type": "log", "nice": False, "padding": 18}
        if log
        else {"zero": False, "padding": 18},
        "axis": {
            **({"format": "~s"} if max(values, default=0) >= 1000 else {}),
            "tickCount": 8,
        },
    }


def _accuracy_axis(provenance: str) -> Spec:
    return {
        "field": "accuracy",
        "type": "quantitative",
        "title": [f"accuracy, {provenance}", "higher is better \u2192"],
        # Rounded ends would reach beyond 100 %.
        "scale": {"zero": False, "nice": False, "padding": 12},
        "axis": {"format": ".1%", "titleLimit": 340},
    }


def _tips(cost: CostAxis, what: str = "") -> list[Spec]:
    exact = "cost" if what else "exact"
    named = [] if what else [{"field": "name", "title": "network"}]
    shown = [
        {"field": "accuracy", "format": ".4f"},
        {"field": exact, "title": f"{cost.name} ({cost.unit})"},
    ]
    interval = (
        [] if what else [{"field": "low", "format": ".4f"}, {"field": "high", "format": ".4f"}]
    )
    return [*named, *shown, *interval]
