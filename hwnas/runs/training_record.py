"""What a run keeps of trained networks: training.json beside each, and trained.json, the front
by trained accuracy."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from pydantic import Field, model_validator

from hwnas import files
from hwnas.config import Cells, Channels
from hwnas.runs.directory import Run
from hwnas.runs.schema import (
    Fraction,
    GenotypeJson,
    Name,
    Number,
    Positive,
    Record,
    Text,
    json_bytes,
    read,
)
from hwnas.runs.summary import Accuracy, Cost, Member, SearchSummary
from profilers.errors import InputError

TRAINED = "trained (test)"
RECORD = "training.json"
FRONT = "trained.json"


class TrainingRecord(Record):
    """One training: the network, how it was trained, what it reached, and its learning curve.

    ``test_accuracy`` in 0..1, of ``test_images`` images where an earlier version said so.
    ``seconds`` of all calls. ``epochs`` were made, in several parts where ``legs`` says that parts
    ended before the last one did.
    """

    name: Name
    key: Name
    channels: Channels
    cells: Cells
    test_accuracy: Fraction
    provenance: Text = TRAINED
    epochs: int | None = None
    seconds: Number | None = None
    best_epoch: int | None = None
    legs: list[int] | None = None
    genotype: GenotypeJson
    text: Text
    data: Text
    seed: int | None = None
    recipe: dict[str, Any] | None = None
    costs: dict[Name, Cost]
    curve: list[dict[str, Any]] = Field(default_factory=list)
    test_images: Positive | None = None

    @model_validator(mode="after")
    def _is_counted(self) -> TrainingRecord:
        for name in ("params", "macs"):
            if name not in self.costs:
                raise ValueError(f"costs: {name} is missing")
        return self


class TrainedFront(Record):
    """The front of all trained networks of a run, and those that it dominates."""

    objectives: list[Name]
    front: list[Member]
    dominated: list[Member]


def member_of(record: TrainingRecord) -> Member:
    """The trained network with its accuracy and costs."""
    return Member(
        name=record.name,
        key=record.key,
        genotype=record.genotype,
        text=record.text,
        channels=record.channels,
        cells=record.cells,
        accuracy=Accuracy(value=record.test_accuracy, provenance=TRAINED),
        costs=record.costs,
    )


def with_trained(run: Run, summary: SearchSummary) -> SearchSummary:
    """The summary of a search, with the trained accuracy of each of its networks that has one.

    Raises InputError for a damaged record.
    """
    trained = {record.name: member_of(record).accuracy for record in read_records(run)}

    def marked(members: list[Member]) -> list[Member]:
        return [
            member.model_copy(update={"trained": trained[member.key]})
            if member.key in trained
            else member
            for member in members
        ]

    lists = {"front": summary.front, "dominated": summary.dominated}
    changed = {name: marked(members) for name, members in lists.items() if members}
    return summary.model_copy(update=changed) if trained else summary


def read_records(run: Run) -> list[TrainingRecord]:
    """The records of all trained networks, in order of their names. Raises InputError."""
    records = []
    models = run.path / "models"
    for name in files.names(models, run.path):
        path = models / name / RECORD
        if not files.exists(path, run.path):
            continue
        record = read(path, run.path, TrainingRecord, "the record of a training")
        if record.name != name:
            raise InputError(f"{path}: the record of {record.name!r}, in another network's folder")
        records.append(record)
    return records


def write_record(run: Run, folder: Path, record: TrainingRecord) -> None:
    """Write training.json into the folder of a network."""
    files.replace(folder / RECORD, run.path, json_bytes(record))
