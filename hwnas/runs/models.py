"""The networks of a run: which of them are meant, at which width and depth, and the front by
trained accuracy.

runs/<name>/models/<name>/ holds what belongs to one network; its name is the genotype's key, with
width and depth added where they are not those of the run. runs/<name>/trained.json is the front of
all that are trained.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from hwnas import files
from hwnas.costs.counts import count
from hwnas.runs.directory import Run, inside
from hwnas.runs.front import ParetoFront, Point, knee, pareto_front
from hwnas.runs.limits import Limits, is_within
from hwnas.runs.schema import json_bytes
from hwnas.runs.summary import Cost, Member, SearchSummary, read_front
from hwnas.runs.training_record import FRONT, TrainedFront, TrainingRecord, member_of, read_records
from hwnas.space.genotype import Architecture


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


def model_of(
    run: Run, member: Member, channels: int | None = None, cells: int | None = None
) -> Model:
    """A member of the front at its own or another width and depth."""
    return models_at(run, [member], [(channels, cells)])[0]


def models_at(
    run: Run,
    members: Sequence[Member],
    sizes: Sequence[tuple[int | None, int | None]] = ((None, None),),
) -> list[Model]:
    """Each member at each size (channels, cells; None: its own); the front is read once for all."""
    summary = read_front(run)
    return [
        _model(run, summary, member, channels, cells)
        for member in members
        for channels, cells in sizes
    ]


def _model(
    run: Run, summary: SearchSummary, member: Member, channels: int | None, cells: int | None
) -> Model:
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


def write_trained(run: Run) -> TrainedFront:
    """Redraw the front by trained test accuracy, and write it to trained.json; nothing is written
    where only baselines are trained."""
    records = read_records(run)
    if not records:
        return TrainedFront(objectives=[], front=[], dominated=[])
    front = trained_front(run, records)
    on_front = dict.fromkeys(point.key for point in front.points)
    targets = read_front(run).targets
    by_name = {
        record.name: _judged(member_of(record), targets) if targets else member_of(record)
        for record in records
    }
    trained = TrainedFront(
        objectives=list(front.names),
        front=[by_name[name] for name in on_front],
        dominated=[member for name, member in by_name.items() if name not in on_front],
    )
    files.replace(run.path / FRONT, run.path, json_bytes(trained))
    return trained


def _judged(member: Member, targets: Limits) -> Member:
    """The network with the word whether it meets all targets, where its costs are known."""
    met = is_within(member, targets)
    return member if met is None else member.model_copy(update={"within_target": met})


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


def search_knee(summary: SearchSummary) -> str | None:
    """The key of the knee of a search, by shared accuracies; None of an empty front."""
    return knee(search_front(summary), summary.targets).key if summary.front else None


def trained_front(run: Run, records: Sequence[TrainingRecord]) -> ParetoFront:
    """The front over the run's objectives, as far as they are known at every width; by
    parameters otherwise."""
    members = [member_of(record) for record in records]
    names = known_costs(members, [objective.metric for objective in run.config.objectives])
    return pareto_front([point_of(member, names) for member in members], names)
