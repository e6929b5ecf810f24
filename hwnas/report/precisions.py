"""A run's trained networks in the precisions of their exported files, as a section of a report."""

from __future__ import annotations

from typing import Any

from hwnas.report import charts
from hwnas.report.load import CostAxis, RunData
from hwnas.runs.precision_record import VALIDATION, PrecisionFront, PrecisionPoint
from hwnas.runs.precisions import precision_front
from hwnas.runs.schema import escaped
from hwnas.runs.summary import Member
from hwnas.runs.training_record import member_of

COLUMNS = [
    "network",
    "precision",
    "runtime",
    "accuracy (validation)",
    "accuracy (test)",
    "latency in ms, with 95 % interval",
    "file in KiB",
]


def across_precisions(data: RunData) -> list[dict[str, Any]]:
    """The section of files that were exported; none where there are none.

    Raises InputError for a damaged file of points.
    """
    front = precision_front(data.run)
    if front is None:
        return []
    front = escaped(front)
    beside = "latency" if front.by == "latency" else "size of the file"
    notes = [
        "Accuracy of each file itself on the validation images, by which the search compared"
        f" networks. Marked: on the front of accuracy and {beside}",
        *front.notes,
    ]
    return [
        {
            "title": "Exported files: networks in their precisions",
            "note": ". ".join(note[0].upper() + note[1:] for note in notes) + ".",
            "charts": _charts(data, front),
            "tables": [
                {
                    "title": "the quickest networks first",
                    "columns": COLUMNS,
                    "rows": [_row(one) for one in _by_network(front)],
                }
            ],
        }
    ]


def _by_network(front: PrecisionFront) -> list[PrecisionPoint]:
    """Networks by the latency of their quickest file, the files of each in their order."""

    def latency(point: PrecisionPoint) -> float:
        return float("inf") if point.latency is None else float(point.latency.value)

    quickest: dict[str, float] = {}
    for point in front.points:
        quickest[point.network] = min(quickest.get(point.network, float("inf")), latency(point))
    return sorted(front.points, key=lambda point: (quickest[point.network], point.network))


def _row(point: PrecisionPoint) -> list[str]:
    measured = "" if point.failure is None else f"failed: {point.failure.reason}"
    if point.latency is not None:
        low, high = point.latency.interval
        measured = f"{point.latency.value:.4g} ({low:.4g} to {high:.4g})"
    return [
        point.network + (" \u25c6" if point.on_front else ""),
        point.precision,
        point.runtime,
        f"{point.accuracy.value:.4f}",
        "" if point.test_accuracy is None else f"{point.test_accuracy:.4f}",
        measured,
        f"{point.size / 1024:,.0f}",
    ]


def _charts(data: RunData, front: PrecisionFront) -> list[dict[str, Any]]:
    """Accuracy against latency, a colour for each precision and runtime."""
    measured = [point for point in front.points if point.latency is not None]
    if len(measured) < 2:
        return []
    by_kind: dict[str, list[Member]] = {}
    for point in measured:
        member = member_of(data.records[point.network])
        costs = {"latency": point.latency}
        changed = member.model_copy(update={"accuracy": point.accuracy, "costs": costs})
        by_kind.setdefault(f"{point.precision}, {point.runtime}", []).append(changed)
    series = [
        (kind, members, frozenset(member.label for member in members))
        for kind, members in by_kind.items()
    ]
    axis = CostAxis(name="latency", unit="ms", provenance="measured")
    return [{"title": "latency", "spec": charts.compared(series, axis, VALIDATION)}]
