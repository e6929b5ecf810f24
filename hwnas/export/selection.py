"""What ``hwnas export`` is asked for: trained or untrained networks of a run, or a bare
genotype."""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from hwnas import files
from hwnas.export.images import untrained
from hwnas.export.validation import validation_images
from hwnas.runs.directory import Run, inside
from hwnas.runs.models import models_at
from hwnas.runs.summary import Member
from hwnas.runs.training_record import TRAINED, TrainingRecord, read_records
from hwnas.space.genotype import Genotype, sized
from hwnas.space.layers import Stem
from hwnas.space.text import MAX_CHARACTERS, parse
from hwnas.training.checkpoint import WEIGHTS
from hwnas.training.darts_weights import darts_weights, is_foreign
from hwnas.training.data import Dataset, load
from hwnas.training.run_images import images_of
from hwnas.training.weights import Weights, load_weights
from profilers.errors import InputError, nearest

Size = tuple[int | None, int | None, int | None, tuple[int, int, int] | None, str]
"""Channels, cells, classes, image and stem of an untrained genotype."""
IMAGE, CLASSES = (3, 32, 32), 10
"""Of an untrained genotype where nothing is said."""


EXPORTED = "exported"
UNTRAINED = "untrained"
UNCALIBRATED = "int8 was calibrated on random images, accuracy unknown: say --data to use real ones"


@dataclass(frozen=True, kw_only=True)
class NetworkToExport:
    """One network to export: what it is called, its weights, where its files belong, the images
    to check it on.

    ``record``: its training, where a run keeps that. ``trained_on``: training has used the
    validation images too.
    """

    name: str
    weights: Weights
    folder: Path
    notes: dict[str, Any]
    dataset: Dataset | None = None
    record: TrainingRecord | None = None
    trained_on: bool = False


def of_run(
    run: Run,
    members: Sequence[Member],
    without_training: bool,
    channels: int | None,
    cells: int | None,
    data_root: Path | None,
    download: bool = False,
    warn: Callable[[str], None] = lambda line: None,
) -> list[NetworkToExport]:
    """Networks of a run that were chosen: trained ones, or with random weights those of its search.

    Raises InputError where the images are not those of its search.
    """
    notes: dict[str, Any] = {"run": run.path.resolve().name}
    if not without_training:
        by_name = {record.name: record for record in read_records(run)}
        records = [by_name[member.label] for member in members]
        dataset = images_of(run, data_root, download, warn)
        found = []
        for record in records:
            folder = inside(run, "models", record.name)
            accuracy = {"value": record.test_accuracy, "origin": TRAINED, "data": record.data}
            validating, trained_on = validation_images(run, record, dataset)
            found.append(
                NetworkToExport(
                    name=record.name,
                    weights=_weights_of(folder, run.path),
                    folder=folder,
                    dataset=validating,
                    notes={**notes, "accuracy": accuracy},
                    record=record,
                    trained_on=trained_on,
                )
            )
        return found
    dataset = images_of(run, data_root, download, warn)
    models = models_at(run, members, [(channels, cells)])
    stem = run.config.evaluation.stem
    blanks = [
        Weights(
            tensors={},
            architecture=model.architecture,
            classes=dataset.classes,
            image=dataset.image,
            stem=stem,
            mean=dataset.mean,
            std=dataset.std,
            notes={},
        )
        for model in models
    ]
    return [
        NetworkToExport(
            name=model.name,
            weights=untrained(blank),
            folder=inside(run, "models", f"{model.name}-untrained"),
            notes={**notes, "accuracy": UNTRAINED},
        )
        for model, blank in zip(models, blanks, strict=True)
    ]


def _weights_of(folder: Path, root: Path) -> Weights:
    """The weights that a finished training left.

    Raises InputError that says how to have a lost file back.
    """
    try:
        return load_weights(folder / WEIGHTS, root)
    except InputError as error:
        raise InputError(f"{error}; the hwnas train command that made it writes it again") from None


def of_genotype(
    text: str,
    file: Path | None,
    without_training: bool,
    size: Size,
    data: str | None,
    data_root: Path | None,
    download: bool = False,
    warn: Callable[[str], None] = lambda line: None,
) -> list[NetworkToExport]:
    """A bare genotype with the weights in ``file``, which hwnas or code like that of DARTS has
    trained, or untrained.

    ``warn`` is told what had to be assumed. Raises InputError where the two do not fit.
    """
    if (file is None) == (not without_training):
        what = f"{text[:60]!r} is taken for a genotype, which"
        raise InputError(f"export: {what} needs either --weights FILE or --untrained")
    # First the weights, which bring the table of their chain along: the genotype may be one of its
    # space.
    foreign = file is not None and is_foreign(file)
    weights = None if file is None or foreign else load_weights(file)
    genotype = _genotype(text)
    dataset = None
    if data is not None:
        # Our own weights say the size of their images themselves.
        side = size[3][1] if weights is None and size[3] is not None else None
        dataset = load(data, root=data_root, download=download, image_size=side)
    if foreign and file is not None:
        read = darts_weights(file, genotype, size[3], dataset)
        for line in read.notes:
            warn(line)
        weights = read.weights
    if weights is not None:
        found = weights.architecture.genotype
        if found.space != genotype.space:
            raise InputError(
                f"{file}: weights of a genotype of the {found.space} space, not of {genotype.space}"
            )
        if found != genotype:
            raise InputError(f"{file}: weights of the genotype {found.key}, not of {genotype.key}")
        if not foreign:
            was = f"{file} was trained for"
            _check_asked(size, weights, has=was, of=f"{was} images of", do="leave it out")
        accuracy = {"value": weights.notes.get("test_accuracy"), "origin": TRAINED}
        return [
            NetworkToExport(
                name=genotype.key,
                weights=weights,
                folder=Path(EXPORTED) / genotype.key,
                notes={"accuracy": accuracy},
                dataset=dataset,
            )
        ]
    channels, cells, classes, image, stem = size
    architecture = sized(genotype, channels, cells, stem)
    if dataset is not None and data is not None:
        read_as = f"images of {data} are read as"
        _check_asked(size, dataset, has=f"{data} has", of=read_as, do="say that instead")
    named = dataset.classes if dataset else tuple(map(str, range(classes or CLASSES)))
    shape = dataset.image if dataset else image or IMAGE
    mean, std = (dataset.mean, dataset.std) if dataset else ((0.5,) * shape[0], (0.25,) * shape[0])
    weights = Weights(
        tensors={},
        architecture=architecture,
        classes=named,
        image=shape,
        stem=_stem(stem),
        mean=mean,
        std=std,
        notes={},
    )
    folder = Path(EXPORTED) / f"{genotype.key}-untrained"
    notes = {"accuracy": UNTRAINED}
    return [
        NetworkToExport(
            name=genotype.key,
            weights=untrained(weights),
            folder=folder,
            notes=notes,
            dataset=dataset,
        )
    ]


def _check_asked(asked: Size, found: Dataset | Weights, *, has: str, of: str, do: str) -> None:
    """Raise InputError where images or weights are not of the size that was asked for.

    The line says what they have: so many classes, after ``has``, or the image, after ``of``, and
    what to ``do`` about it.
    """
    _, _, classes, image, _ = asked
    if classes not in (None, len(found.classes)):
        raise InputError(f"--classes {classes}: {has} {len(found.classes)}: leave it out")
    if image is not None and image != found.image:
        said, own = ("x".join(map(str, one)) for one in (image, found.image))
        raise InputError(f"--image {said}: {of} {own}: {do}")


def _genotype(text: str) -> Genotype:
    """What ``text`` says, or the file of that name.

    A mistyped run directory is no genotype either, and told so.
    """
    try:
        return parse(_text(text))
    except InputError as error:
        if text.startswith(("{", "|", "Genotype(")):
            raise
        raise InputError(f"{error}; nor is there a run directory {text[:200]!r}") from None


def _text(text: str) -> str:
    """The text of a genotype, or what the file of that name says."""
    path = Path(text)
    if os.path.isfile(text):
        if path.stat().st_size > MAX_CHARACTERS:
            raise InputError(f"{path}: {path.stat().st_size} bytes, too long for a genotype")
        return files.read(path, None, MAX_CHARACTERS).decode(errors="replace")
    return text


def _stem(name: str) -> Stem:
    if name == "cifar":
        return "cifar"
    if name == "imagenet":
        return "imagenet"
    raise InputError(f"stem: unknown {name!r}{nearest(name, ('cifar', 'imagenet'))}")
