"""One front across devices: the same networks, their latency as each target's table or peaks predict it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from hwnas.catalog import find_device
from hwnas.costs.tables import predictor
from hwnas.report import charts
from hwnas.report.load import Cost, Dot, Seen
from hwnas.runs.front import Point, pareto_front
from hwnas.space.encoding import to_choices
from hwnas.space.size import Task
from profilers.device import load
from profilers.errors import InputError


def across(seen: Seen, names: Sequence[str]) -> dict[str, Any]:
    """The section of a report that shows the run's networks on each of ``names``.

    Raises InputError for an unknown device, or one without table and peaks.
    """
    series, said = [], []
    scored = seen.scored[0]
    for name in names:
        device = load(find_device(name))
        latencies, origin = _latencies(seen, scored.dots, name)
        dots = tuple(
            replace(dot, costs={"latency": (value, value, value)})
            for dot, value in zip(scored.dots, latencies, strict=True)
        )
        points = [Point(dot.name, dot.accuracy, dot.costs["latency"][:1]) for dot in dots]
        members = frozenset(point.key for point in pareto_front(points, ["latency"]).points)
        series.append((device.name, dots, members))
        said.append(f"{device.name}: {origin}")
    cost = Cost("latency", "ms", "predicted")
    spec = charts.compared(series, cost, scored.origin)
    note = f"The same {len(scored.dots)} networks, one image at a time. {'; '.join(said)}."
    return {"title": "The front across devices", "note": note, "charts": [{"title": "latency", "spec": spec}]}


def _latencies(seen: Seen, dots: Sequence[Dot], name: str) -> tuple[list[float], str]:
    config, image = seen.run.config, seen.summary["image"]
    shape = (int(image[0]), int(image[1]), int(image[2]))
    task = Task(classes=len(seen.summary["classes"]), image=shape)
    source = predictor(load(find_device(name)), config.evaluation_family(task))
    choices = np.stack([to_choices(seen.genotypes[dot.key]) for dot in dots])
    values = [float(value) for value in source.predict(choices)]
    if not all(np.isfinite(values)):
        raise InputError(f"report: {name}: its latencies of these networks can't be predicted")
    return values, f"{source.origin} ({source.source})"
