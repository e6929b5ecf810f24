"""The networks of a run: which were found, which are meant, which are trained, and the front by trained accuracy.

runs/<name>/models/<name>/ holds what belongs to one network; its name is the genotype's key, with width and depth
added where they are not those of the run. runs/<name>/trained.json is the front of all that are trained.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from difflib import get_close_matches
from pathlib import Path
from typing import Any

from hwnas import files
from hwnas.costs.counts import count
from hwnas.runs.directory import Run, inside, read_front
from hwnas.runs.front import ParetoFront, Point, interval, knee, known_targets, pareto_front, within_target
from hwnas.runs.schema import read_record
from hwnas.space.genotype import Architecture
from hwnas.space.text import from_dict
from profilers.errors import InputError, nearest

TRAINED = "trained (test)"
RECORD = "training.json"


@dataclass(frozen=True)
class Model:
    """One network of a run. ``costs`` are {value, unit, origin} by name, of this width and depth."""

    name: str
    architecture: Architecture
    folder: Path
    costs: Mapping[str, Any] = field(repr=False)

    @property
    def key(self) -> str:
        """The genotype's key."""
        return self.architecture.genotype.key


def beside_the_front(summary: Mapping[str, Any]) -> list[str]:
    """Keys of those that SynFlow helped to choose and shared weights find dominated."""
    drawn = {member["key"] for member in summary["front"]}
    return [key for key in summary.get("believed", []) if key not in drawn]


def choose(run: Run, names: Sequence[str], every: bool) -> list[dict[str, Any]]:
    """Members of the run's front: those with the keys ``names`` (dominated finalists too), all, or the knee.

    The knee is that of the members within the run's targets, where there are any (see ``knee_note``).

    All: where SynFlow helped to choose, with those that it and what was learnt find best at their costs.
    Raises InputError for a key that the run does not have, with the nearest one.
    """
    summary = read_front(run)
    front = [*summary["front"]]
    known = {member["key"]: member for member in [*front, *summary.get("dominated", [])]}
    for name in names:
        if name not in known:
            # Of dozens of dominated finalists only the one that was meant is worth a line.
            meant = get_close_matches(name, known, n=1)
            hint = nearest(name, [*dict.fromkeys([*meant, *(member["key"] for member in front)])])
            raise InputError(f"{run.path}: no network has the key {name!r}{hint}")
    if names:
        return [known[name] for name in dict.fromkeys(names)]
    if not front:
        raise InputError(f"{run.path}: its front is empty")
    if not every:
        return [known[knee(search_front(summary), targets_of(summary)).key]]
    return front + [known[key] for key in beside_the_front(summary)]


def model_of(
    run: Run, member: Mapping[str, Any], channels: int | None = None, cells: int | None = None
) -> Model:
    """A member of the front at its own or another width and depth."""
    summary = read_front(run)
    genotype = from_dict(member["genotype"])
    own = (int(member["channels"]), int(member["cells"]))
    size = (own[0] if channels is None else channels, own[1] if cells is None else cells)
    architecture = Architecture(genotype, *size)
    image = summary["image"]
    params, macs = count(
        architecture, len(summary["classes"]), (image[0], image[1], image[2]), summary.get("stem", "cifar")
    )
    costs = {} if size != own else dict(member["costs"])
    costs |= {
        "params": {"value": params, "unit": "parameters", "origin": "counted"},
        "macs": {"value": macs, "unit": "MAC", "origin": "counted"},
        "flops": {"value": 2 * macs, "unit": "FLOP", "origin": "counted"},
    }
    name = genotype.key if size == own else f"{genotype.key}-c{size[0]}-n{size[1]}"
    return Model(name, architecture, inside(run, "models", name), costs)


def trained(run: Run) -> list[dict[str, Any]]:
    """The records of all trained networks, in order of their names."""
    records = []
    models = run.path / "models"
    for name in files.names(models, run.path):
        path = models / name / RECORD
        if not files.exists(path, run.path):
            continue
        record = read_record(path, run.path)
        if record["name"] != name:
            raise InputError(f"{path}: the record of {record['name']!r}, in another network's folder")
        records.append(record)
    return records


def choose_trained(run: Run, names: Sequence[str], every: bool) -> list[dict[str, Any]]:
    """Records of trained networks: by name or key, all, or the knee of their front.

    Raises InputError where nothing fits; a network of the run that is not trained is told apart.
    """
    records = trained(run)
    found: list[dict[str, Any]] = []
    for name in names:
        fitting = [record for record in records if name in (record["name"], record["key"])]
        if not fitting:
            keys = {member["key"] for member in choose(run, (), True)}
            if name in keys:
                raise InputError(f"{run.path}: {name} is not trained yet: hwnas train {run.path} {name}")
            known = [record["name"] for record in records]
            raise InputError(f"{run.path}: no trained network is called {name!r}{nearest(name, known)}")
        found += [record for record in fitting if record not in found]
    if names:
        return found
    if not records:
        raise InputError(f"{run.path}: no network is trained yet: hwnas train {run.path} --knee")
    if every:
        return records
    best = knee(trained_front(run, records), targets_of(read_front(run))).key
    return [record for record in records if record["name"] == best]


def write_trained(run: Run) -> dict[str, Any]:
    """Redraw the front by trained test accuracy; returns {"front": [...], "dominated": [...]}, also written."""
    records = trained(run)
    front = trained_front(run, records)
    on_front = [point.key for point in front.points]
    by_name = {record["name"]: _member(record) for record in records}
    targets = targets_of(read_front(run)) if records else {}
    if targets and targets == known_targets(front, targets):
        met = {point.key for point in within_target(front, targets)}
        for name in on_front:
            by_name[name]["within_target"] = name in met
    summary = {
        "objectives": list(front.names),
        "front": [by_name[name] for name in on_front],
        "dominated": [member for name, member in by_name.items() if name not in on_front],
    }
    files.replace(run.path / "trained.json", run.path, (json.dumps(summary, indent=1) + "\n").encode())
    return summary


def _member(record: Mapping[str, Any]) -> dict[str, Any]:
    names = ("name", "key", "genotype", "text", "channels", "cells", "costs")
    accuracy = {"value": record["test_accuracy"], "origin": TRAINED}
    return {**{name: record[name] for name in names}, "accuracy": accuracy}


def trained_front(run: Run, records: Sequence[Mapping[str, Any]]) -> ParetoFront:
    """The front over the run's objectives, as far as they are known at every width; by parameters otherwise."""
    wanted = [objective.metric for objective in run.config.objectives] or ["params"]
    names = [name for name in wanted if all(name in record["costs"] for record in records)] or ["params"]
    points = [
        Point(
            record["name"],
            float(record["test_accuracy"]),
            tuple(float(record["costs"][name]["value"]) for name in names),
            tuple(interval(record["costs"][name]) for name in names),
        )
        for record in records
    ]
    return pareto_front(points, names)


def search_front(summary: Mapping[str, Any]) -> ParetoFront:
    """The front of a search, over its objectives."""
    names = [name for name in summary["bounds"] if name != "accuracy"]
    points = [
        Point(
            member["key"],
            float(member["accuracy"]["value"]),
            tuple(float(member["costs"][name]["value"]) for name in names),
            tuple(interval(member["costs"][name]) for name in names),
        )
        for member in summary["front"]
    ]
    return pareto_front(points, names)


def targets_of(summary: Mapping[str, Any]) -> dict[str, float]:
    """What the search had to meet, in the unit of each metric; empty where nothing was asked for."""
    return {str(name): float(limit) for name, limit in (summary.get("targets") or {}).items()}


def knee_note(run: Run, is_trained: bool) -> str | None:
    """A line where the knee does not meet the run's targets, or where nobody can say; None where all is well.

    ``is_trained``: the knee of the trained networks, which may have other widths; else that of the search.
    """
    summary = read_front(run)
    targets, records = targets_of(summary), trained(run) if is_trained else []
    if not targets or not (records if is_trained else summary["front"]):
        return None
    front = trained_front(run, records) if is_trained else search_front(summary)
    known = known_targets(front, targets)
    unknown = [name for name in targets if name not in known]
    if unknown:
        return f"{', '.join(unknown)} is not known of every trained network, so its target is not looked at"
    chosen = knee(front, targets)
    over = {
        name: cost
        for name, cost in zip(front.names, chosen.costs, strict=True)
        if cost > known.get(name, cost)
    }
    if not over:
        return None
    wanted = ", ".join(f"{name} {limit:,.7g}" for name, limit in known.items())
    reached = ", ".join(f"{name} {cost:,.7g}" for name, cost in over.items())
    return f"no network of the front is within the target {wanted}: the nearest is taken, {chosen.key} with {reached}"
