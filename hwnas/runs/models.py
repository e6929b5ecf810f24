"""The networks of a run: which of them are meant, at which width and depth, and the front by
trained accuracy.

runs/<name>/models/<name>/ holds what belongs to one network; its name is the genotype's key, with
width and depth added where they are not those of the run. runs/<name>/trained.json is the front of
all that are trained.
"""

from __future__ import annotations

import shlex
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from difflib import get_close_matches
from pathlib import Path

from hwnas import files
from hwnas.costs.counts import count
from hwnas.runs.directory import Run, inside
from hwnas.runs.front import ParetoFront, Point, knee, known_targets, pareto_front, within_target
from hwnas.runs.schema import json_bytes
from hwnas.runs.summary import Cost, Member, SearchSummary, read_front
from hwnas.runs.training_record import FRONT, TrainedFront, TrainingRecord, member_of, read_records
from hwnas.space.genotype import Architecture
from profilers.errors import InputError, nearest


@dataclass(frozen=True, kw_only=True)
class Model:
    """A network of a run to be trained or exported: its architecture, its folder, and its costs
    at this size. ``title``: what a baseline is called."""

    name: str
    architecture: Architecture
    folder: Path
    costs: Mapping[str, Cost] = field(repr=False)
    title: str = ""

    @property
    def key(self) -> str:
        """The genotype's key."""
        return self.architecture.genotype.key


def beside_the_front(summary: SearchSummary) -> list[str]:
    """Keys of those that SynFlow helped to choose and shared weights find dominated."""
    on_front = {member.key for member in summary.front}
    return [key for key in summary.believed if key not in on_front]


def choose(run: Run, names: Sequence[str], every: bool) -> list[Member]:
    """Members of the run's front: those with the keys ``names`` (dominated finalists too), all, or
    the knee.

    The knee is that of the members within the run's targets, where there are any (see
    ``knee_note``).

    All: where SynFlow helped to choose, with those that it and what was learnt find best at their
    costs. Raises InputError for a key that the run does not have, with the nearest one.
    """
    summary = read_front(run)
    known = {member.key: member for member in summary.members}
    for name in names:
        if name not in known:
            # Of dozens of dominated finalists only the one that was meant is worth a line.
            meant = get_close_matches(name, known, n=1)
            hint = nearest(
                name, [*dict.fromkeys([*meant, *(member.key for member in summary.front)])]
            )
            raise InputError(f"{run.path}: no network has the key {name!r}{hint}")
    if names:
        return [known[name] for name in dict.fromkeys(names)]
    if not summary.front:
        raise InputError(f"{run.path}: its front is empty")
    if not every:
        return [known[knee(search_front(summary), summary.targets).key]]
    return summary.front + [known[key] for key in beside_the_front(summary)]


def model_of(
    run: Run, member: Member, channels: int | None = None, cells: int | None = None
) -> Model:
    """A member of the front at its own or another width and depth."""
    summary = read_front(run)
    found = member.architecture
    wanted = Architecture(
        found.genotype,
        channels=found.channels if channels is None else channels,
        cells=found.cells if cells is None else cells,
    )
    params, macs = count(wanted, len(summary.classes), summary.shape, summary.stem)
    costs = dict(member.costs) if wanted == found else {}
    costs |= {
        "params": Cost(value=params, unit="parameters", provenance="counted"),
        "macs": Cost(value=macs, unit="MAC", provenance="counted"),
        "flops": Cost(value=2 * macs, unit="FLOP", provenance="counted"),
    }
    key = found.genotype.key
    name = key if wanted == found else f"{key}-c{wanted.channels}-n{wanted.cells}"
    return Model(name=name, architecture=wanted, folder=inside(run, "models", name), costs=costs)


def choose_trained(run: Run, names: Sequence[str], every: bool) -> list[TrainingRecord]:
    """Records of trained networks: by name or key, all, or the knee of their front.

    Raises InputError where nothing fits; a network of the run that is not trained is told apart.
    """
    records = read_records(run)
    found: list[TrainingRecord] = []
    for name in names:
        fitting = [record for record in records if name in (record.name, record.key)]
        if not fitting:
            keys = {member.key for member in choose(run, (), True)}
            if name in keys:
                raise InputError(
                    f"{run.path}: {name} is not trained yet: hwnas train"
                    f" {shlex.quote(str(run.path))} {name}"
                )
            known = [record.name for record in records]
            raise InputError(
                f"{run.path}: no trained network is called {name!r}{nearest(name, known)}"
            )
        found += [record for record in fitting if record not in found]
    if names:
        return found
    if not records:
        raise InputError(
            f"{run.path}: no network is trained yet: hwnas train {shlex.quote(str(run.path))}"
            " --knee"
        )
    if every:
        return records
    best = knee(trained_front(run, records), read_front(run).targets).key
    return [record for record in records if record.name == best]


def write_trained(run: Run) -> TrainedFront:
    """Redraw the front by trained test accuracy, and write it to trained.json; nothing is written
    where only baselines are trained."""
    records = read_records(run)
    if not records:
        return TrainedFront(objectives=[], front=[], dominated=[])
    front = trained_front(run, records)
    on_front = [point.key for point in front.points]
    by_name = {record.name: member_of(record) for record in records}
    targets = read_front(run).targets
    if targets and targets == known_targets(front, targets):
        met = {point.key for point in within_target(front, targets)}
        for name in on_front:
            by_name[name] = by_name[name].model_copy(update={"within_target": name in met})
    trained = TrainedFront(
        objectives=list(front.names),
        front=[by_name[name] for name in on_front],
        dominated=[member for name, member in by_name.items() if name not in on_front],
    )
    files.replace(run.path / FRONT, run.path, json_bytes(trained))
    return trained


def point_of(member: Member, names: Sequence[str]) -> Point:
    """A network as a point of a front over the costs ``names``."""
    costs = [member.costs[name] for name in names]
    return Point(
        key=member.label,
        accuracy=member.accuracy.value,
        costs=tuple(float(cost.value) for cost in costs),
        intervals=tuple(cost.interval for cost in costs),
    )


def known_costs(members: Sequence[Member], names: Sequence[str]) -> list[str]:
    """Those of ``names`` that are known of every member; parameters where none is."""
    return [name for name in names if all(name in member.costs for member in members)] or ["params"]


def search_front(summary: SearchSummary) -> ParetoFront:
    """The front of a search, over its objectives."""
    points = [point_of(member, summary.objectives) for member in summary.front]
    return pareto_front(points, summary.objectives)


def trained_front(run: Run, records: Sequence[TrainingRecord]) -> ParetoFront:
    """The front over the run's objectives, as far as they are known at every width; by
    parameters otherwise."""
    members = [member_of(record) for record in records]
    names = known_costs(members, [objective.metric for objective in run.config.objectives])
    return pareto_front([point_of(member, names) for member in members], names)


def knee_note(run: Run, is_trained: bool) -> str | None:
    """A line where the knee does not meet the run's targets, or where nobody can say; None where
    all is well.

    ``is_trained``: the knee of the trained networks, which may have other widths; else that of the
    search.
    """
    summary = read_front(run)
    targets, records = summary.targets, read_records(run) if is_trained else []
    if not targets or not (records if is_trained else summary.front):
        return None
    front = trained_front(run, records) if is_trained else search_front(summary)
    known = known_targets(front, targets)
    unknown = [name for name in targets if name not in known]
    if unknown:
        return (
            f"{', '.join(unknown)} is not known of every trained network, so its target is not"
            " looked at"
        )
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
    return (
        f"no network of the front is within the target {wanted}: the nearest is taken, {chosen.key}"
        f" with {reached}"
    )
