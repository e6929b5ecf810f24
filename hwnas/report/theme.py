"""What all charts share: colours, fonts, and the outer form of a Vega-Lite specification."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from hwnas.report.layout_items import option_label
from hwnas.report.shades import greys, shades
from hwnas.space.space import NONE, Space

Spec = dict[str, Any]

SCHEMA = "https://vega.github.io/schema/vega-lite/v6.json"
INK, FAINT, ACCENT, KNEE = "#1f2937", "#9aa3af", "#2563a8", "#c2410c"
HUES = ("#2563a8", "#c2410c", "#15803d", "#7c3aed", "#b45309", "#0e7490", "#be185d", "#4d7c0f")

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
    "legend": {
        "labelFontSize": 12,
        "titleFontSize": 12,
        "labelLimit": 260,
        "orient": "bottom",
        "columns": 4,
    },
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


def operation_colours(space: Space) -> dict[str, str]:
    """Label of every option of a space's decisions, in order, to its colour; sides and widths of
    the same number are apart."""
    options = {
        option_label(decision, option): option
        for decision in space.decisions
        for option in decision.operations
    }
    known = {**shades(list(options.values())), **SHADES}
    others = [label for label, option in options.items() if option not in known]
    grey = dict(zip(others, greys(len(others)), strict=True))
    return {label: grey.get(label) or known[option] for label, option in options.items()}


def layer(rows: Sequence[Spec], mark: Spec, x: Spec | None, y: Spec, **encoding: Any) -> Spec:
    """Rows drawn by one mark; without ``x`` across the whole width."""
    axes = {"y": y} if x is None else {"x": x, "y": y}
    return {"data": {"values": list(rows)}, "mark": mark, "encoding": {**axes, **encoding}}


def chart(layers: Sequence[Spec], height: int) -> Spec:
    """Layers on the same axes, as wide as their place."""
    return base() | {"layer": list(layers), "height": height}


def base() -> Spec:
    """What every chart begins with."""
    return {
        "$schema": SCHEMA,
        "width": "container",
        "autosize": {"type": "fit-x", "contains": "padding"},
        "config": CONFIG,
    }
