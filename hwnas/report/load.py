"""What a report needs of a run directory, as plain values: points with intervals, models, hypervolume over time."""

from __future__ import annotations

import json
import shlex
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from hwnas import files
from hwnas.report.curve import volume_curve
from hwnas.runs.directory import Run, open_run, read_environment, read_front, read_trials
from hwnas.runs.front import Point, knee, known_targets, pareto_front
from hwnas.runs.history import Epoch, read_history
from hwnas.runs.models import TRAINED, targets_of, trained
from hwnas.space.genotype import Genotype
from hwnas.space.task import CLASSIFICATION
from hwnas.space.text import from_dict
from profilers.errors import InputError, shown, visible


@dataclass(frozen=True)
class Cost:
    """An axis: what it is, its unit, and where its numbers are from."""

    name: str
    unit: str
    origin: str


@dataclass(frozen=True)
class Dot:
    """One network on a chart. ``accuracy`` and its 95 % interval in 0..1; ``costs`` by name: (value, low, high)."""

    name: str
    key: str
    accuracy: float
    interval: tuple[float, float] | None
    costs: dict[str, tuple[float, float, float]]


@dataclass(frozen=True)
class Scored:
    """Networks judged in one way: all dots, which of them form the front, and its knee.

    ``targets``: what the search had to meet, by cost, as far as it is known of every network; ``within``: the dots
    that meet all of it. Where no member of the front does, the knee is the one nearest to it.
    """

    origin: str
    dots: tuple[Dot, ...]
    front: frozenset[str]
    knee: str | None
    targets: Mapping[str, float] = field(default_factory=dict)
    within: frozenset[str] = frozenset()

    @property
    def is_met(self) -> bool:
        """Whether a member of the front meets the targets; true where there are none."""
        return not self.targets or bool(self.front & self.within)


@dataclass(frozen=True)
class Seen:
    """One run as the page shows it."""

    run: Run
    name: str
    summary: dict[str, Any]
    environment: dict[str, Any]
    costs: tuple[Cost, ...]
    objectives: tuple[str, ...]
    scored: tuple[Scored, ...]
    history: tuple[Epoch, ...]
    curve: tuple[dict[str, Any], ...]
    genotypes: dict[str, Genotype] = field(repr=False)
    records: dict[str, dict[str, Any]] = field(repr=False)


def gather(path: Path) -> Seen:
    """Read a finished run. Raises InputError where it has not ended, or its files are not those of a search."""
    run = open_run(path)
    # With escapes, as on a terminal: marks that turn text around, and ends of lines that no chart's script allows.
    summary = shown(read_front(run))
    with believed(run.front_path):
        return _seen(run, summary)


@contextmanager
def believed(path: Path) -> Iterator[None]:
    """Turn what does not fit together in a run into InputError: its files may be a stranger's."""
    try:
        yield
    except InputError:
        raise
    except (LookupError, TypeError, AttributeError, ValueError, ArithmeticError, RecursionError) as error:
        raise InputError(f"{path}: not the summary of a search ({error!r})") from None


def _seen(run: Run, summary: dict[str, Any]) -> Seen:
    members = [*summary["front"], *summary["dominated"]]
    # What the page says in words: looked at here, so that a damaged file is refused before anything is drawn.
    float(summary["hypervolume"]), float(summary["baseline"]["random_hypervolume"]), float(summary["seconds"])
    records = {str(record["name"]): shown(record) for record in trained(run)}
    objectives = tuple(name for name in summary["bounds"] if name != "accuracy")
    genotypes = {str(member["key"]): from_dict(member["genotype"]) for member in members}
    genotypes |= {str(record["key"]): from_dict(record["genotype"]) for record in records.values()}
    first = members[0]["costs"] if members else {}
    names = [*objectives, *(name for name in first if name not in objectives)]
    costs = tuple(Cost(name, str(first[name]["unit"]), str(first[name]["origin"])) for name in names)
    targets, origin = targets_of(summary), str(members[0]["accuracy"]["origin"])
    scored = [_scored(members, origin, objectives, summary.get("scored_images"), targets)]
    if records:
        rows = [
            {**record, "accuracy": {"value": record["test_accuracy"]}, "images": record.get("test_images")}
            for record in records.values()
        ]
        scored.append(_scored(rows, TRAINED, objectives, None, targets))
    history = tuple(read_history(run))
    curve = tuple(volume_curve(read_trials(run), summary, objectives))
    environment = shown(read_environment(run))
    name = visible(run.path.resolve().name)
    rest = (costs, objectives, tuple(scored), history, curve, genotypes, records)
    return Seen(run, name, summary, environment, *rest)


def _scored(
    members: Sequence[Mapping[str, Any]],
    origin: str,
    objectives: Sequence[str],
    images: int | None,
    targets: Mapping[str, float],
) -> Scored:
    dots = tuple(_dot(member, images) for member in members)
    known = [name for name in objectives if all(name in dot.costs for dot in dots)] or ["params"]
    points = [
        Point(
            dot.name,
            dot.accuracy,
            tuple(dot.costs[name][0] for name in known),
            tuple(dot.costs[name][1:] for name in known),
        )
        for dot in dots
    ]
    if not objectives:
        best = max(points, key=lambda point: point.accuracy).key
        return Scored(origin, dots, frozenset([best]), None)
    front = pareto_front(points, known)
    known_limits = known_targets(front, targets)
    # Between two ends nothing is a knee, but one of them may be what the target asks for.
    middle = knee(front, known_limits).key if known_limits or len(front.points) > 2 else None
    met = frozenset(
        dot.name for dot in dots if all(dot.costs[name][0] <= limit for name, limit in known_limits.items())
    )
    members_of_front = frozenset(point.key for point in front.points)
    return Scored(origin, dots, members_of_front, middle, known_limits, met if known_limits else frozenset())


def _dot(member: Mapping[str, Any], images: int | None) -> Dot:
    accuracy, images = float(member["accuracy"]["value"]), member.get("images") or images
    costs = {}
    for name, cost in member["costs"].items():
        value = float(cost["value"])
        costs[str(name)] = (value, float(cost.get("low") or value), float(cost.get("high") or value))
    interval = CLASSIFICATION.interval(accuracy, int(images)) if images else None
    return Dot(str(member.get("name", member["key"])), str(member["key"]), accuracy, interval, costs)


def metrics(seen: Seen, dot: Dot) -> list[dict[str, Any]]:
    """Every number that is known of one network: name, value, unit, origin, interval, and its receipt."""
    member, record = _member(seen, dot), seen.records.get(dot.name)
    rows = []
    for scored in seen.scored:
        rows += [_accuracy_row(one, scored.origin) for one in scored.dots if one.name == dot.name]
    if record is not None:
        recipe = (record.get("recipe") or {}).get("name", "not kept")
        rows[-1]["receipt"] = (
            f"recipe {recipe}, {record.get('epochs', '?')} epochs, seed {record.get('seed', '?')}"
        )
    rows += [_cost_row(seen, str(name), cost) for name, cost in member["costs"].items()]
    return rows + _exported(seen.run, dot.name)


def _cost_row(seen: Seen, name: str, cost: Mapping[str, Any]) -> dict[str, Any]:
    """A cost with the receipt of its measurement, where the run keeps one."""
    kept = ("value", "unit", "low", "high", "origin")
    row = {"name": name, **{key: cost[key] for key in kept if key in cost}}
    receipt = (seen.summary.get("measured") or {}).get(name, {}).get("receipt")
    measured = receipt and cost.get("origin") == "measured"
    return {**row, "receipt": receipt_text(receipt)} if measured else row


def _accuracy_row(dot: Dot, origin: str) -> dict[str, Any]:
    row: dict[str, Any] = {"name": "accuracy", "value": dot.accuracy, "unit": "share", "origin": origin}
    return row if dot.interval is None else {**row, "low": dot.interval[0], "high": dot.interval[1]}


def _member(seen: Seen, dot: Dot) -> Mapping[str, Any]:
    members = [*seen.records.values(), *seen.summary["front"], *seen.summary["dominated"]]
    return next(one for one in members if str(one.get("name", one["key"])) == dot.name)


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
                "receipt": receipt_text(one.get("receipt") or {}),
            }
            for name, one in latencies
            if one.get("value") is not None
        ]
    except InputError:
        raise
    except (OSError, ValueError, KeyError, TypeError, AttributeError, RecursionError):
        return []


def receipt_text(receipt: Mapping[str, Any]) -> str:
    """A receipt on one line, its empty entries left out."""
    said = {key: value for key, value in receipt.items() if value not in (None, "", [], {}, False)}
    return "; ".join(f"{key} {_plain(value)}" for key, value in said.items())


def _plain(value: Any) -> str:
    if isinstance(value, dict):
        return ", ".join(f"{key} {one}" for key, one in value.items())
    return ", ".join(map(str, value)) if isinstance(value, list) else str(value)


def commands(seen: Seen, dot: Dot) -> list[str]:
    """What to type to train, export and profile one network; what is not trained is trained before its export."""
    run, key = shlex.quote(str(seen.run.path)), shlex.quote(dot.key)
    genotype = shlex.quote(json.dumps(seen.genotypes[dot.key].to_dict(), separators=(",", ":")))
    target = shlex.quote(str(seen.summary.get("target", "cpu")))
    train, export = f"hwnas train {run} {key}", f"hwnas export {run} {key}"
    return [
        train,
        export if dot.name in seen.records else f"{train} && {export}",
        f"hwnas profile {genotype} --target {target}",
    ]
