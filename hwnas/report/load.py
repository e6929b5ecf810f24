"""What a report needs of a run directory, as plain values: points with intervals, models,
hypervolume over time."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from functools import cached_property
from pathlib import Path
from typing import Any

from hwnas import files
from hwnas.report.curve import volume_curve
from hwnas.runs.baselines import (
    costs_of_sitting,
    read_baselines,
    read_together,
    with_sitting,
)
from hwnas.runs.directory import Run, open_run
from hwnas.runs.environment import Environment, read_environment
from hwnas.runs.front import knee, known_targets, pareto_front
from hwnas.runs.history import Epoch, read_history
from hwnas.runs.models import known_costs, point_of, search_knee
from hwnas.runs.schema import escaped, to_json
from hwnas.runs.summary import Cost, Member, SearchSummary, read_front
from hwnas.runs.training_record import TRAINED, TrainingRecord, member_of, read_records
from hwnas.runs.trials import read_trials
from hwnas.runs.verdict import verdict_of
from hwnas.runs.verdict_record import Verdict
from hwnas.space.genotype import Genotype
from hwnas.space.task import CLASSIFICATION
from profilers.errors import InputError, shown, visible


@dataclass(frozen=True, kw_only=True)
class CostAxis:
    """A cost that charts show: its name, its unit, and where its numbers are from."""

    name: str
    unit: str
    provenance: str


@dataclass(frozen=True, kw_only=True)
class EvaluatedFront:
    """Networks whose accuracies were obtained in one way, the labels of those that form the front,
    and its knee.

    ``intervals``: the 95 % interval of each accuracy, by label, where the number of images is
    known. ``targets``: what the search had to meet, by cost, as far as it is known of every
    network; ``within``: the networks that meet all of it. Where no member of the front does, the
    knee is the one nearest to it.
    """

    provenance: str
    members: tuple[Member, ...]
    front: frozenset[str]
    knee: str | None
    intervals: Mapping[str, tuple[float, float]] = field(default_factory=dict)
    targets: Mapping[str, float] = field(default_factory=dict)
    within: frozenset[str] = frozenset()

    @cached_property
    def by_label(self) -> Mapping[str, Member]:
        """The members by their labels."""
        return {member.label: member for member in self.members}

    @property
    def is_met(self) -> bool:
        """Whether a member of the front meets the targets; true where there are none."""
        return not self.targets or bool(self.front & self.within)


@dataclass(frozen=True, kw_only=True)
class RunData:
    """One run as the page shows it; its texts have escapes.

    ``fronts``: by shared weights, and after training. ``baselines``: plain networks that were
    trained beside them.
    """

    run: Run
    name: str
    summary: SearchSummary
    environment: Environment
    costs: tuple[CostAxis, ...]
    fronts: tuple[EvaluatedFront, ...]
    history: tuple[Epoch, ...]
    curve: tuple[dict[str, Any], ...]
    genotypes: dict[str, Genotype] = field(repr=False)
    records: dict[str, TrainingRecord] = field(repr=False)
    baselines: tuple[TrainingRecord, ...] = field(repr=False)
    verdict: Verdict

    @property
    def objectives(self) -> tuple[str, ...]:
        """The costs that the search kept low, in order."""
        return self.summary.objectives


def load_run(path: Path) -> RunData:
    """Read a finished run.

    Raises InputError where it has not ended, or its files are not those of a search.
    """
    run = open_run(path)
    # With escapes, as on a terminal: marks that turn text around, and ends of lines that no chart's
    # script allows.
    front = read_front(run)
    with fitting_together(run.front_path):
        return _run_data(run, escaped(with_sitting(run, front)), front)


@contextmanager
def fitting_together(path: Path) -> Iterator[None]:
    """Turn what does not fit together in a run into InputError: its files may be a stranger's."""
    try:
        yield
    except InputError:
        raise
    except (
        LookupError,
        TypeError,
        AttributeError,
        ValueError,
        ArithmeticError,
        RecursionError,
    ) as error:
        raise InputError(f"{path}: not the summary of a search ({error!r})") from None


def _run_data(run: Run, summary: SearchSummary, front: SearchSummary) -> RunData:
    if not summary.members:
        raise InputError(f"{run.front_path}: its front is empty, so there is nothing to report")
    together = read_together(run)
    records = {
        record.name: escaped(
            record.model_copy(
                update={"costs": costs_of_sitting(record.name, record.costs, together)}
            )
        )
        for record in read_records(run)
    }
    first = summary.members[0]
    names = dict.fromkeys([*summary.objectives, *first.costs])
    shared = _front_of(summary.members, first.accuracy.provenance, summary, summary.scored_images)
    if summary.alike is not None:
        # Other images than those that the accuracies are of have chosen the front.
        on_front = frozenset(member.label for member in summary.front)
        shared = replace(shared, front=on_front, knee=search_knee(summary))
    fronts = [shared]
    if records:
        fronts.append(_trained_front(tuple(records.values()), summary))
    networks = [*summary.members, *map(member_of, records.values())]
    return RunData(
        run=run,
        name=visible(run.path.resolve().name),
        summary=summary,
        environment=escaped(read_environment(run.path)),
        costs=tuple(
            CostAxis(
                name=name, unit=first.costs[name].unit, provenance=first.costs[name].provenance
            )
            for name in names
        ),
        fronts=tuple(fronts),
        history=tuple(read_history(run)),
        curve=tuple(volume_curve(read_trials(run), summary)),
        genotypes={member.key: member.architecture.genotype for member in networks},
        records=records,
        baselines=tuple(escaped(record) for record in read_baselines(run)),
        verdict=escaped(verdict_of(run, front)),
    )


def _trained_front(records: Sequence[TrainingRecord], summary: SearchSummary) -> EvaluatedFront:
    front = _front_of([member_of(record) for record in records], TRAINED, summary, None)
    counted = [record for record in records if record.test_images]
    intervals = {
        record.name: CLASSIFICATION.interval(record.test_accuracy, record.test_images or 1)
        for record in counted
    }
    return replace(front, intervals=intervals)


def _front_of(
    members: Sequence[Member], provenance: str, summary: SearchSummary, images: int | None
) -> EvaluatedFront:
    intervals = {
        member.label: CLASSIFICATION.interval(member.accuracy.value, images)
        for member in members
        if images is not None
    }
    judged = EvaluatedFront(
        provenance=provenance,
        members=tuple(members),
        front=frozenset(),
        knee=None,
        intervals=intervals,
    )
    known = known_costs(members, summary.objectives)
    points = [point_of(member, known) for member in members]
    if not summary.objectives:
        best = max(points, key=lambda point: point.accuracy).key
        return replace(judged, front=frozenset([best]))
    front = pareto_front(points, known)
    limits = known_targets(front, summary.targets)
    middle = knee(front, limits).key
    met = frozenset(
        member.label
        for member in members
        if all(member.costs[name].value <= limit for name, limit in limits.items())
    )
    return replace(
        judged,
        front=frozenset(point.key for point in front.points),
        knee=middle,
        targets=limits,
        within=met if limits else frozenset(),
    )


def metrics(data: RunData, member: Member) -> list[dict[str, Any]]:
    """Every number that is known of one network: name, value, unit, origin, interval, and its
    receipt."""
    record = data.records.get(member.label)
    rows = [
        _accuracy_row(front.by_label[member.label], front)
        for front in data.fronts
        if member.label in front.by_label
    ]
    if record is not None:
        recipe = (record.recipe or {}).get("name", "not kept")
        epochs, seed = ("?" if value is None else value for value in (record.epochs, record.seed))
        rows[-1]["receipt"] = f"recipe {recipe}, {epochs} epochs, seed {seed}"
    costs = member.costs if record is None else record.costs
    rows += [_cost_row(data, name, cost) for name, cost in costs.items()]
    return rows + _exported(data.run, member.label)


def _cost_row(data: RunData, name: str, cost: Cost) -> dict[str, Any]:
    """A cost with the metadata of its measurement, where the run keeps some."""
    written = to_json(cost)
    kept = ("value", "unit", "low", "high", "origin")
    row = {"name": name, **{key: written[key] for key in kept if key in written}}
    notes = data.summary.measured.get(name)
    if notes is None or not notes.metadata or cost.provenance != "measured":
        return row
    return {**row, "receipt": metadata_text(notes.metadata)}


def _accuracy_row(member: Member, front: EvaluatedFront) -> dict[str, Any]:
    row: dict[str, Any] = {
        "name": "accuracy",
        "value": float(member.accuracy.value),
        "unit": "share",
        "origin": front.provenance,
    }
    interval = front.intervals.get(member.label)
    return row if interval is None else {**row, "low": interval[0], "high": interval[1]}


def _exported(run: Run, name: str) -> list[dict[str, Any]]:
    """What was measured of the exported files; nothing where there are none that can be read."""
    path = run.path / "models" / name / "export.json"
    if not files.exists(path, run.path):
        return []
    try:
        record = shown(json.loads(files.read(path, run.path)))
        latencies = [(f"latency, {name}", one) for name, one in record["latency"].items()]
        return [
            {
                "name": name,
                **{key: one.get(key) for key in ("value", "unit", "low", "high", "origin")},
                "receipt": metadata_text(one.get("receipt") or {}),
            }
            for name, one in latencies
            if one.get("value") is not None
        ]
    except InputError:
        raise
    except (OSError, ValueError, KeyError, TypeError, AttributeError, RecursionError):
        return []


def metadata_text(metadata: Mapping[str, Any]) -> str:
    """The metadata of a measurement on one line, its empty entries left out."""
    entries = {
        key: value for key, value in metadata.items() if value not in (None, "", [], {}, False)
    }
    return "; ".join(f"{key} {_plain(value)}" for key, value in entries.items())


def _plain(value: Any) -> str:
    if isinstance(value, dict):
        return ", ".join(f"{key} {one}" for key, one in value.items())
    return ", ".join(map(str, value)) if isinstance(value, list) else str(value)
