"""front.json: the summary of a search as one typed value, written and read by the same
definition."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import Field, model_validator

from hwnas import files
from hwnas.config import Cells, Channels
from hwnas.errors import quoted
from hwnas.runs.directory import FRONT, Run, check_run, keeping_run
from hwnas.runs.precision_record import PrecisionFront
from hwnas.runs.schema import (
    Count,
    Fraction,
    GenotypeJson,
    Name,
    Number,
    Positive,
    Record,
    Side,
    Text,
    json_bytes,
    read,
)
from hwnas.runs.values import Accuracy as Accuracy
from hwnas.runs.values import Cost as Cost
from hwnas.runs.values import MeasuredValue as MeasuredValue
from hwnas.runs.values import MeasurementFailure as MeasurementFailure
from hwnas.runs.values import Prediction as Prediction
from hwnas.runs.verdict_record import Verdict
from hwnas.space.genotype import Architecture
from hwnas.space.text import from_dict
from profilers.errors import InputError

ACCURACY = "accuracy"
WHAT = "the summary of a search"


class Member(Record):
    """A network with its accuracy and costs.

    ``key``: the genotype's. ``name``: of a trained network, which may have another width and depth
    than its run. ``trained``: what it reached after training at the width and depth of its run,
    where it is trained; front.json does not say it, ``hwnas show --json`` does. So with
    ``class_accuracy`` and ``confusion`` of its training (see ``TrainingRecord``), in the order of
    the summary's ``classes``. ``title``: what a baseline is called.
    """

    name: Name | None = None
    title: Text | None = None
    key: Name
    genotype: GenotypeJson
    text: Text
    channels: Channels
    cells: Cells
    accuracy: Accuracy
    costs: dict[Name, Cost]
    within_target: bool | None = None
    trained: Accuracy | None = None
    class_accuracy: list[Fraction | None] | None = None
    confusion: list[list[Count]] | None = None

    @property
    def label(self) -> str:
        """What tells it from all other networks of its run: its name, or its key."""
        return self.name or self.key

    @property
    def architecture(self) -> Architecture:
        """The genotype at its width and depth.

        Raises InputError where its space is not installed.
        """
        return Architecture(from_dict(self.genotype), channels=self.channels, cells=self.cells)


class Baseline(Record):
    """Random networks, scored on the same weights and images; ``random``: columns, accuracy and
    each cost."""

    random_hypervolume: Number
    random_evaluations: int
    random: dict[Name, list[Number]] | None = None

    @model_validator(mode="after")
    def _same_length(self) -> Baseline:
        if len({len(column) for column in (self.random or {}).values()}) > 1:
            raise ValueError("random: its columns differ in length")
        return self


class HealthNote(Record):
    """What a person should know about the search: the stage, from 0, what was seen, and what to
    do."""

    stage: int
    kind: Text
    text: Text
    advice: Text


def health_lines(notes: Iterable[HealthNote]) -> list[str]:
    """A line for each note. What was seen once in each of several stages is said once, with the
    figures of the last; where those of the others differ, the line says whose they are."""
    of_kind: dict[str, list[HealthNote]] = {}
    for note in notes:
        of_kind.setdefault(note.kind, []).append(note)
    lines = []
    for same in of_kind.values():
        stages = [note.stage + 1 for note in same]
        once_each = len(set(stages)) == len(stages)
        for group in [same] if once_each else [[note] for note in same]:
            last, earlier = group[-1], ", ".join(str(note.stage + 1) for note in group[:-1])
            where = (
                f"stages {earlier} and {last.stage + 1}" if earlier else f"stage {last.stage + 1}"
            )
            if len({note.text for note in group}) > 1:
                where += f" (figures of stage {last.stage + 1})"
            lines.append(f"{where}: {last.text}; {last.advice}")
    return lines


class MeasurementNotes(Record):
    """How one cost of the finalists was measured. ``metadata``: that of the first measurement."""

    networks: int
    failed: int
    reasons: list[Text] = Field(default_factory=list)
    noisy: int = 0
    metadata: dict[Text, Any] | None = None


Range = Annotated[list[Number], Field(min_length=2, max_length=2)]


class SearchSummary(Record):
    """What a search found: its front and all that is needed to judge it.

    ``image``: (channels, height, width). ``bounds``: (min, max) of accuracy and of every objective,
    the box of the hypervolume. ``scored_images``: those that accuracies are of;
    ``choosing_images``: others, which chose the front. ``alike``: keys of the front in groups of
    which a paired test on the scored images tells no two apart (hwnas.runs.told_apart).
    ``finalist_epochs``: the last epochs, which trained the candidates of the front alone.
    ``targets``: what the search had to meet, in the unit of each metric; ``within_target``: keys of
    the front that do. ``believed``: keys of those that SynFlow helped to choose. ``dominated``,
    ``failed``: the other finalists; those that failed could not be measured. ``baselines``,
    ``verdict``: of plain networks that were trained beside it; ``precisions``: its trained networks
    in the precisions of their exported files; ``runtime``: the
    runtime and precision that latencies were asked for in, such as ``openvino int8``. front.json
    does not hold these four, ``hwnas show --json`` does.
    """

    space: Text
    algorithm: Text
    seed: int
    target: Text = "cpu"
    data: Text
    classes: Annotated[list[Text], Field(min_length=1)]
    image: Annotated[list[Side], Field(min_length=3, max_length=3)]
    stem: Literal["cifar", "imagenet"] = "cifar"
    scored_images: Positive | None = None
    choosing_images: Positive | None = None
    finalist_epochs: int = 0
    evaluations: int
    seconds: Number
    hypervolume: Number
    reference_point: dict[Name, Number]
    bounds: dict[Name, Range]
    baseline: Baseline
    targets: dict[Name, Number] = Field(default_factory=dict)
    within_target: list[Text] | None = None
    front: list[Member]
    alike: list[list[Name]] | None = None
    believed: list[Name] = Field(default_factory=list)
    dominated: list[Member] = Field(default_factory=list)
    failed: list[Member] = Field(default_factory=list)
    measured: dict[Name, MeasurementNotes] = Field(default_factory=dict)
    baselines: list[Member] = Field(default_factory=list)
    verdict: Verdict | None = None
    precisions: PrecisionFront | None = None
    runtime: Text | None = None
    health: list[HealthNote] | None = None

    @property
    def chance(self) -> str:
        """What the random networks are, that the hypervolume is compared with."""
        baseline = self.baseline
        line = (
            f"{baseline.random_hypervolume:.4f} of {baseline.random_evaluations} uniform genotypes"
            " on the same weights and images"
        )
        if not self.finalist_epochs:
            return line
        return f"{line} (the last {self.finalist_epochs} epochs trained the finalists alone)"

    @property
    def members(self) -> list[Member]:
        """The front, then the dominated finalists."""
        return [*self.front, *self.dominated]

    @property
    def objectives(self) -> tuple[str, ...]:
        """The costs that the search kept low, in order; none where it looked at accuracy alone."""
        return tuple(name for name in self.bounds if name != ACCURACY)

    @property
    def shape(self) -> tuple[int, int, int]:
        """(channels, height, width) of an image."""
        return self.image[0], self.image[1], self.image[2]

    @model_validator(mode="after")
    def _fits_together(self) -> SearchSummary:
        if ACCURACY not in self.bounds:
            raise ValueError("bounds: accuracy is missing")
        _alike(self.members, self.objectives)
        known = {member.key for member in self.members}
        for key in self.believed:
            if key not in known:
                raise ValueError(f"believed: no member has the key {key!r}")
        return self


def _alike(members: Sequence[Member], objectives: Iterable[str]) -> None:
    """Raise ValueError unless all members have the same costs, with all objectives, and are of
    one space."""
    for number, member in enumerate(members):
        if member.genotype.get("space") != members[0].genotype.get("space"):
            raise ValueError(f"member {number} is of another space than the first")
        if set(member.costs) != set(members[0].costs):
            raise ValueError(f"member {number} has other costs than the first")
        missing = set(objectives) - set(member.costs)
        if missing:
            raise ValueError(f"bounds: no member has the cost {min(missing)!r}")


def write_front(run: Run, summary: SearchSummary) -> None:
    """Write front.json. Raises Stopped where the file system refuses."""
    with keeping_run(run):
        files.replace(run.front_path, run.path, json_bytes(summary))


def read_front(run: Run) -> SearchSummary:
    """The summary of a finished search.

    Raises InputError where it has not ended or can't be read.
    """
    return _read(run.path, any_space=False)


def read_shown(path: Path) -> SearchSummary:
    """The summary of a finished search to be shown, also where its space or metric is not installed
    here.

    Raises InputError where ``path`` is no run directory, or the search has not ended.
    """
    check_run(path)
    return _read(path, any_space=True)


def _read(path: Path, *, any_space: bool) -> SearchSummary:
    if not files.exists(path / FRONT, path):
        raise InputError(
            f"{path}: the search has not ended; go on with: hwnas resume {quoted(path)}"
        )
    return read(path / FRONT, path, SearchSummary, WHAT, {"any_space": any_space})
