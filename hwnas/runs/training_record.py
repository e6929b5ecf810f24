"""What a run keeps of trained networks: training.json beside each, and trained.json, the front
by trained accuracy."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path
from typing import Any

from pydantic import Field, model_validator

from hwnas import files
from hwnas.config import Cells, Channels
from hwnas.runs.directory import Run
from hwnas.runs.right_images import unpacked
from hwnas.runs.schema import (
    Count,
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

    ``test_accuracy`` in 0..1, of ``test_images`` images; ``right``: which of them (see
    ``hwnas.runs.right_images``). ``seconds`` of all calls. ``epochs`` were made, in several parts
    where ``legs`` says that parts ended before the last one did. ``classes``: names, in the order
    of the network's outputs. ``class_accuracy``: of each class on the test images, None without an
    image. ``confusion``: counts of test images, rows the true class, columns the predicted one; not
    kept of many classes. ``title``: what a baseline is called.
    ``computed_by``: the GPU of the last call, and how it computed. ``unseen``: the images that
    were held out are of those that the search, too, has not trained on.
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
    classes: list[Text] | None = None
    class_accuracy: list[Fraction | None] | None = None
    confusion: list[list[Count]] | None = None
    right: Text | None = None
    title: Text | None = None
    computed_by: Text | None = None
    unseen: bool | None = None

    @model_validator(mode="after")
    def _is_of_its_images(self) -> TrainingRecord:
        if self.right is not None:
            if self.test_images is None:
                raise ValueError("right: test_images is missing")
            unpacked(self.right, self.test_images)
        return self

    @model_validator(mode="after")
    def _is_counted(self) -> TrainingRecord:
        for name in ("params", "macs"):
            if name not in self.costs:
                raise ValueError(f"costs: {name} is missing")
        return self

    @model_validator(mode="after")
    def _is_by_class(self) -> TrainingRecord:
        if self.classes is None:
            if self.class_accuracy is not None or self.confusion is not None:
                raise ValueError("classes: missing, but there is a figure for each")
            return self
        classes = len(self.classes)
        if self.class_accuracy is not None and len(self.class_accuracy) != classes:
            raise ValueError(f"class_accuracy: expected one of each of {classes} classes")
        rows = [classes] if self.confusion is None else [len(self.confusion)]
        rows += [len(row) for row in self.confusion or []]
        if set(rows) != {classes}:
            raise ValueError(f"confusion: expected {classes} rows of {classes} counts")
        return self


def training_mark(record: TrainingRecord) -> str:
    """What tells one training of a network from another: its settings and results."""
    said = [record.test_accuracy, record.right, record.epochs, record.seed, record.recipe]
    return hashlib.sha256(json.dumps(said, sort_keys=True).encode()).hexdigest()[:16]


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
    trained = {record.name: _reached(record) for record in read_records(run)}

    def marked(members: list[Member]) -> list[Member]:
        return [
            member.model_copy(update=trained[member.key]) if member.key in trained else member
            for member in members
        ]

    lists = {"front": summary.front, "dominated": summary.dominated}
    changed = {name: marked(members) for name, members in lists.items() if members}
    return summary.model_copy(update=changed) if trained else summary


def _reached(record: TrainingRecord) -> dict[str, Any]:
    """The fields of a member that its training says."""
    by_class = {"class_accuracy": record.class_accuracy, "confusion": record.confusion}
    known = {name: value for name, value in by_class.items() if value is not None}
    return {"trained": member_of(record).accuracy, **known}


def read_records(run: Run, folder: str = "models") -> list[TrainingRecord]:
    """The records of all trained networks in a folder of the run, in order of their names. Raises
    InputError."""
    records = []
    models = run.path / folder
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
