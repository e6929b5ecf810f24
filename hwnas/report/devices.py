"""One front across devices: the same networks, their latency as each target's table or peaks
predict it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from hwnas.catalog import find_device
from hwnas.costs.tables import predictor
from hwnas.report import charts
from hwnas.report.load import CostAxis, RunData
from hwnas.runs.front import pareto_front
from hwnas.runs.models import point_of
from hwnas.runs.summary import Cost, Member
from hwnas.space.encoding import to_choices
from hwnas.space.size import Task
from profilers.device import load
from profilers.errors import InputError


def across(data: RunData, names: Sequence[str]) -> dict[str, Any]:
    """The section of a report that shows the run's networks on each of ``names``.

    Raises InputError for an unknown device, or one without table and peaks.
    """
    series, sources = [], []
    front = data.fronts[0]
    for name in names:
        device = load(find_device(name))
        latencies, provenance = _latencies(data, front.members, name)
        members = tuple(
            member.model_copy(
                update={"costs": {"latency": Cost(value=value, unit="ms", provenance="predicted")}}
            )
            for member, value in zip(front.members, latencies, strict=True)
        )
        points = [point_of(member, ["latency"]) for member in members]
        labels = frozenset(point.key for point in pareto_front(points, ["latency"]).points)
        series.append((device.name, members, labels))
        sources.append(f"{device.name}: {provenance}")
    cost = CostAxis(name="latency", unit="ms", provenance="predicted")
    spec = charts.compared(series, cost, front.provenance)
    note = f"The same {len(front.members)} networks, one image at a time. {'; '.join(sources)}."
    return {
        "title": "The front across devices",
        "note": note,
        "charts": [{"title": "latency", "spec": spec}],
    }


def _latencies(data: RunData, members: Sequence[Member], name: str) -> tuple[list[float], str]:
    summary = data.summary
    genotypes = [data.genotypes[member.key] for member in members]
    task = Task(classes=len(summary.classes), image=summary.shape)
    source = predictor(load(find_device(name)), data.run.config.evaluation_family(task))
    choices = np.stack([to_choices(genotype) for genotype in genotypes])
    values = [float(value) for value in source.predict(choices)]
    if not all(np.isfinite(values)):
        raise InputError(f"report: {name}: its latencies of these networks can't be predicted")
    return values, f"{source.origin} ({source.source})"
