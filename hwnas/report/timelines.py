"""Charts over evaluations and epochs, as Vega-Lite specifications: hypervolume, health, and how
policies evolved."""

from __future__ import annotations

from collections.abc import Sequence

from hwnas.report.load import RunData
from hwnas.report.theme import HUES, Spec, base, chart, layer, operation_colours
from hwnas.space.space import Space


def volume(loaded: Sequence[RunData]) -> Spec:
    """Hypervolume over evaluations of every run, with the levels that finalists and uniform
    networks reached."""
    rows = [
        {"run": one.name, **point, "part": f"{one.name} {point['stage']}"}
        for one in loaded
        for point in one.curve
    ]
    finalists, uniform = "finalists, whole validation half", "uniform genotypes, the same"
    levels = [
        {"run": one.name, "level": label, "hypervolume": float(value)}
        for one in loaded
        for label, value in (
            (finalists, one.summary.hypervolume),
            (uniform, one.summary.baseline.random_hypervolume),
        )
    ]
    x = {"field": "evaluations", "type": "quantitative", "title": "evaluations"}
    y = {
        "field": "hypervolume",
        "type": "quantitative",
        "title": "hypervolume \u00b7 more is better \u2192",
        "scale": {"zero": False},
    }
    colour = {
        "field": "run",
        "type": "nominal",
        "title": None,
        "scale": {"range": list(HUES)},
        "sort": None,
    }
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
        layer(
            rows,
            {"type": "line", "strokeWidth": 2},
            x,
            y,
            color=colour,
            tooltip=tips,
            detail={"field": "part"},
        ),
        layer(
            levels, {"type": "rule", "strokeWidth": 1.6}, None, y, color=colour, strokeDash=dashes
        ),
    ]
    return chart(layers, height=280)


def over_epochs(rows: Sequence[Spec], title: str, colours: Sequence[str] = HUES) -> Spec:
    """Lines over epochs: rows of {epoch, value, series, stage}; a line breaks where a stage
    ends."""
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
    tips = [
        {"field": "series"},
        {"field": "epoch"},
        {"field": "value", "format": ".4g"},
        {"field": "stage"},
    ]
    line = {"type": "line", "strokeWidth": 1.8, "point": {"size": 9}}
    return chart(
        [layer(rows, line, x, y, color=colour, detail={"field": "stage"}, tooltip=tips)], height=220
    )


def evolution(space: Space) -> Spec:
    """Decisions against epochs: colour is the likeliest operation, strength its probability.

    Data: ``cells``.
    """
    colour = _operation_colour(space)
    opacity = {
        "field": "p",
        "type": "quantitative",
        "scale": {"type": "pow", "exponent": 0.6, "domain": [0, 1], "range": [0.1, 1]},
        "legend": None,
    }
    tips = [
        {"field": "edge", "title": "decision"},
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
            # Every row is labelled, however many there are.
            "axis": {"labelLimit": 170, "grid": False, "labelOverlap": False},
        },
        "color": colour,
        "opacity": opacity,
        "tooltip": tips,
    }
    mark = {"type": "rect", "cursor": "pointer"}
    height = 16 * len(space.decisions)
    return base() | {
        "data": {"name": "cells", "values": []},
        "mark": mark,
        "encoding": encoding,
        "height": height,
    }


def probabilities(space: Space) -> Spec:
    """The probabilities of one decision's operations over epochs, stacked to 1. Data: ``edge``."""
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
    return base() | {"data": data, "mark": {"type": "area"}, "encoding": encoding, "height": 200}


def _operation_colour(space: Space, legend: bool = True) -> Spec:
    table = operation_colours(space)
    scale = {"domain": list(table), "range": list(table.values())}
    shown = {"title": None, "columns": 5} if legend else None
    return {"field": "op", "type": "nominal", "scale": scale, "legend": shown}


def _few_labels() -> Spec:
    return {"labelOverlap": "greedy", "labelAngle": 0, "ticks": False, "grid": False}
