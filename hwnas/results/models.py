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
from hwnas.results.front import ParetoFront, Point, interval, knee, pareto_front
from hwnas.results.run import Run, inside, read_front
from hwnas.results.summary import read_record
from hwnas.space.counts import count
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
        return [known[_knee(summary)]]
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
    best = knee(_front(run, records)).key
    return [record for record in records if record["name"] == best]


def write_trained(run: Run) -> dict[str, Any]:
    """Redraw the front by trained test accuracy; returns {"front": [...], "dominated": [...]}, also written."""
    records = trained(run)
    front = _front(run, records)
    on_front = [point.key for point in front.points]
    by_name = {record["name"]: _member(record) for record in records}
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


def _front(run: Run, records: Sequence[Mapping[str, Any]]) -> ParetoFront:
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


def _knee(summary: Mapping[str, Any]) -> str:
    """The key of the knee of a search's front."""
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
    return knee(pareto_front(points, names)).key
