"""What stands in the chart of a front beside its networks: baselines, and the target."""

from __future__ import annotations

from collections.abc import Sequence

from hwnas.costs.short import exact_amount
from hwnas.report.load import CostAxis, EvaluatedFront
from hwnas.report.theme import INK, Spec, layer
from hwnas.runs.training_record import TrainingRecord

TARGET_NEAR = 2.0
"""Times beyond the outermost networks up to which a target is drawn: further away it would
squeeze them together."""
TARGET = "#15803d"
WITHIN = "#e6f4ea"
LABELS = "labels"
"""Layers of text that a narrow page does without."""


def baseline_rows(baselines: Sequence[TrainingRecord], cost: CostAxis) -> list[Spec]:
    """Baselines whose cost is of the same kind as that of the axis."""
    return [
        {
            "title": record.title or record.name,
            "accuracy": float(record.test_accuracy),
            "cost": float(record.costs[cost.name].value),
        }
        for record in baselines
        if cost.name in record.costs and record.costs[cost.name].provenance == cost.provenance
    ]


def baseline_marks(rows: Sequence[Spec], values: Sequence[float], x: Spec, y: Spec) -> list[Spec]:
    """Squares with their names, on the side where there is room. ``values``: all costs of the
    chart."""
    if not rows:
        return []
    mark = {"type": "point", "shape": "square", "filled": True, "size": 80, "color": INK}
    mark["opacity"] = 1
    text = {"type": "text", "dy": -9, "color": INK, "fontSize": 11}
    tips = [
        {"field": "title", "title": "baseline"},
        {"field": "accuracy", "format": ".4f"},
        {"field": "cost", "title": f"{cost_title(x)}"},
    ]
    middle = (min(values) + max(values)) / 2
    left = [row for row in rows if row["cost"] <= middle]
    right = [row for row in rows if row["cost"] > middle]
    # The page leaves names out where there is no room for them.
    named = [
        layer(part, {**text, "align": align, "dx": dx}, x, y, text={"field": "title"})
        | {"name": f"{LABELS}_{align}"}
        for part, align, dx in ((left, "left", 9), (right, "right", -9))
        if part
    ]
    return [layer(rows, mark, x, y, tooltip=tips), *named]


def cost_title(x: Spec) -> str:
    """The first line of an axis title: the cost and its unit."""
    return str(x["title"][0])


def target_marks(
    evaluated: EvaluatedFront, cost: CostAxis, values: Sequence[float], x: Spec
) -> list[Spec]:
    """A dashed line at the target of this cost, and a shade over what is within; words in the axis
    title where it is far from all networks."""
    limit = evaluated.targets.get(cost.name)
    if limit is None or not values:
        return []
    said = f"target {exact_amount(limit, cost.unit)}"
    if not min(values) / TARGET_NEAR <= limit <= TARGET_NEAR * max(values):
        side = "right" if limit > max(values) else "left"
        x["title"] = [x["title"][0], f"{said} lies {side} of all", *x["title"][1:]]
        return []
    data, at = {"values": [{"cost": limit}]}, {"x": x}
    shade = {"type": "rect", "color": WITHIN}
    rule = {"type": "rule", "color": TARGET, "strokeDash": [6, 4], "strokeWidth": 1.6}
    text = {
        "type": "text",
        "text": said,
        "align": "left",
        "baseline": "top",
        "dx": 6,
        "color": TARGET,
    }
    inside = {**text, "text": "within", "align": "right", "dx": -6}
    top = {"y": {"value": 4}}
    return [
        {"data": data, "mark": shade, "encoding": {**at, "x2": {"value": 0}}},
        {"data": data, "mark": rule, "encoding": at},
        {"data": data, "mark": inside, "encoding": {**at, **top}},
        {"data": data, "mark": text, "encoding": {**at, **top}},
    ]
