"""Choosing a network in a precision: of the points that exports have measured, by the rule that
chooses networks (``hwnas.runs.choice``).

Accuracies are those of the files on the validation images, latencies those of the files on the
machine that exported them.
"""

from __future__ import annotations

import shlex
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from hwnas.runs.choice import Choice, Networks, one_network
from hwnas.runs.directory import Run
from hwnas.runs.limits import read_limits
from hwnas.runs.precision_record import Precision, PrecisionPoint
from hwnas.runs.precisions import current_points
from hwnas.runs.preference import KNEE
from hwnas.runs.summary import ACCURACY, Member, SearchSummary, read_front
from hwnas.runs.training_record import TrainingRecord, member_of, read_records
from hwnas.runs.values import Cost
from profilers.errors import InputError, nearest

ANY: Literal["any"] = "any"
Wanted = Precision | Literal["any"]
LATENCY, SIZE = "latency", "file"
MIB = 2**20


@dataclass(frozen=True, kw_only=True)
class ChosenPoint:
    """A network in a precision, and lines that a person should read about how it was chosen."""

    point: PrecisionPoint
    notes: tuple[str, ...] = ()


def choose_point(run: Run, choice: Choice, precision: Wanted) -> ChosenPoint | None:
    """The one point of a run that ``choice`` means, among those in ``precision``; None where none
    was exported in it yet.

    Costs are ``latency``, ``file`` (the size in MiB), ``params`` and ``macs``. Raises InputError
    for another cost, Stopped where no point meets ``within``.
    """
    records = {record.name: record for record in read_records(run)}
    points = [one for one in current_points(run) if precision in (one.precision, ANY)]
    if not points:
        return None
    if all(point.latency is None for point in points):
        keep_low = SIZE
        compared = points
    else:
        keep_low = LATENCY
        compared = [point for point in points if point.latency is not None]
    members = {_label(point): _as_member(point, records[point.network]) for point in compared}
    units = {name: cost.unit for one in members.values() for name, cost in one.costs.items()}
    limits = read_limits(choice.within, units, (keep_low,))
    if choice.prefer not in (KNEE, ACCURACY, *units):
        hint = nearest(choice.prefer, [KNEE, ACCURACY, *units])
        raise InputError(f"--prefer: no file of this run has a cost {choice.prefer[:60]!r}{hint}")
    summary = read_front(run)
    summary, notes = _comparable(summary)
    networks = Networks(
        members=tuple(members.values()), spare=(), words=f"file in {_in_words(precision)}"
    )
    chosen = one_network(run, summary, choice, networks, limits, units, keep_low=(keep_low,))
    label = chosen.members[0].label
    (taken,) = (point for point in compared if _label(point) == label)
    return ChosenPoint(
        point=taken, notes=(*notes, *_left_out(run, records, points, precision), *chosen.notes)
    )


def taken_words(point: PrecisionPoint) -> str:
    """What was taken, in one line."""
    words = [f"accuracy {point.accuracy.value:.4f} (validation)"]
    if point.test_accuracy is not None:
        words.append(f"{point.test_accuracy:.4f} (test)")
    if point.latency is not None:
        low, high = point.latency.interval
        words.append(f"latency {point.latency.value:.3g} ms ({low:.3g} to {high:.3g})")
    words.append(f"{point.size / 1024:,.0f} KiB")
    return f"{point.network} in {point.precision} ({point.runtime}): {', '.join(words)}"


def _label(point: PrecisionPoint) -> str:
    """What tells a point from all others of its run."""
    return f"{point.network}-{point.format}"


def _as_member(point: PrecisionPoint, record: TrainingRecord) -> Member:
    """A point as a network with the costs of its file."""
    counted = {name: record.costs[name] for name in ("params", "macs")}
    size = Cost(value=point.size / MIB, unit="MiB", provenance="counted")
    measured = {} if point.latency is None else {LATENCY: point.latency}
    return member_of(record).model_copy(
        update={
            "name": _label(point),
            "accuracy": point.accuracy,
            "costs": {**measured, SIZE: size, **counted},
        }
    )


def _comparable(summary: SearchSummary) -> tuple[SearchSummary, list[str]]:
    """The summary without a target of latency that the search only predicted: it may be another
    machine's than the one that exported; and a line that says so."""
    latency = [one.costs[LATENCY] for one in summary.front if LATENCY in one.costs]
    if LATENCY not in summary.targets or all(one.provenance == "measured" for one in latency):
        return summary, []
    targets = {name: limit for name, limit in summary.targets.items() if name != LATENCY}
    note = (
        f"the target of latency is of {summary.target}, and the files were measured where they were"
        " exported: it is not looked at"
    )
    return summary.model_copy(update={"targets": targets}), [note]


def _left_out(
    run: Run,
    records: dict[str, TrainingRecord],
    points: Sequence[PrecisionPoint],
    precision: Wanted,
) -> list[str]:
    """A line about trained networks that have no file to be compared."""
    count = len(set(records) - {point.network for point in points})
    if not count:
        return []
    words = "1 trained network is" if count == 1 else f"{count} trained networks are"
    return [
        f"{words} not exported in {_in_words(precision)}, and so not compared: hwnas export"
        f" {shlex.quote(str(run.path))} --all"
    ]


def _in_words(precision: Wanted) -> str:
    return "any precision" if precision == ANY else precision
