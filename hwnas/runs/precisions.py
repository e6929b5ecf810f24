"""precisions.json: what a run keeps of its trained networks in the precisions of their exported
files, and the front of them."""

from __future__ import annotations

import shlex
from collections.abc import Iterable, Sequence

from hwnas import files
from hwnas.runs.directory import Run, keeping_run
from hwnas.runs.front import Point, pareto_front
from hwnas.runs.precision_notes import notes_on
from hwnas.runs.precision_record import (
    PRECISIONS,
    PrecisionFront,
    PrecisionPoint,
    PrecisionPoints,
)
from hwnas.runs.schema import json_bytes, read
from hwnas.runs.summary import SearchSummary
from hwnas.runs.training_record import read_records, training_mark

FILE = "precisions.json"


def read_precisions(run: Run) -> PrecisionPoints:
    """What a run keeps; no point where nothing was exported. Raises InputError for a damaged
    file."""
    path = run.path / FILE
    if not files.exists(path, run.path):
        return PrecisionPoints()
    return read(path, run.path, PrecisionPoints, "networks in their precisions")


def current_points(run: Run) -> list[PrecisionPoint]:
    """The points of networks that have not been trained anew since, in the order of the file.

    Raises InputError for a damaged file or record.
    """
    points = read_precisions(run).points
    if not points:
        return []
    marks = {record.name: training_mark(record) for record in read_records(run)}
    return [point for point in points if marks.get(point.network) == point.training]


def keep_precisions(run: Run, new: Sequence[PrecisionPoint]) -> None:
    """Write points, in place of those of the same network and format.

    Raises InputError for a damaged file, Stopped where the file system refuses.
    """
    if not new:
        return
    replaced = {(point.network, point.format) for point in new}
    kept = [one for one in current_points(run) if (one.network, one.format) not in replaced]
    with keeping_run(run):
        content = json_bytes(PrecisionPoints(points=_in_order([*kept, *new])))
        files.replace(run.path / FILE, run.path, content)


def with_precisions(run: Run, summary: SearchSummary) -> SearchSummary:
    """The summary with the front of its trained networks in their precisions, where files were
    exported.

    Raises InputError for a damaged file or record.
    """
    found = precision_front(run)
    return summary if found is None else summary.model_copy(update={"precisions": found})


def precision_front(run: Run) -> PrecisionFront | None:
    """The points of a run and which of them no other beats in accuracy and latency; None where
    there are none.

    Latencies are compared with their intervals. Points without one are on no front where others
    have one. Raises InputError for a damaged file or record.
    """
    points = current_points(run)
    if not points:
        return None
    measured = any(point.latency is not None for point in points)
    rows = [
        Point(
            key=str(number),
            accuracy=float(point.accuracy.value),
            costs=(float(point.latency.value if point.latency else point.size),),
            intervals=(point.latency.interval,) if point.latency else (),
        )
        for number, point in enumerate(points)
        if point.latency is not None or not measured
    ]
    best = {point.key for point in pareto_front(rows, ["latency" if measured else "size"]).points}
    again = f"hwnas export {shlex.quote(str(run.path))} --all"
    return PrecisionFront(
        by="latency" if measured else "size",
        points=[
            point.model_copy(update={"on_front": str(number) in best})
            for number, point in enumerate(points)
        ],
        notes=notes_on(points, again),
    )


def _in_order(points: Iterable[PrecisionPoint]) -> list[PrecisionPoint]:
    """By network, the most exact first."""
    return sorted(
        points,
        key=lambda one: (one.network, PRECISIONS.index(one.precision), one.runtime, one.format),
    )
