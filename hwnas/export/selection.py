"""What ``hwnas export`` is asked for: trained or untrained networks of a run, or a bare
genotype; and its loop."""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from hwnas import files
from hwnas.export.formats import RECORD
from hwnas.export.images import images_for, untrained
from hwnas.export.latencies import latencies
from hwnas.export.network_files import Exported, export, int8_notes, record_bytes, write_files
from hwnas.runs.directory import Run, inside
from hwnas.runs.models import models_at
from hwnas.runs.summary import Member
from hwnas.runs.training_record import TRAINED, read_records
from hwnas.space.genotype import Genotype, sized
from hwnas.space.layers import Stem
from hwnas.space.text import MAX_CHARACTERS, parse
from hwnas.training.checkpoint import WEIGHTS
from hwnas.training.darts_weights import darts_weights, is_foreign
from hwnas.training.data import Dataset, load
from hwnas.training.run_images import images_of
from hwnas.training.weights import Weights, load_weights
from profilers.errors import InputError, nearest

Size = tuple[int | None, int | None, int, tuple[int, int, int] | None, str]
"""Channels, cells, classes, image and stem of an untrained genotype."""
IMAGE = (3, 32, 32)
"""Of an untrained genotype where nothing is said."""


EXPORTED = "exported"
UNTRAINED = "untrained"
UNCALIBRATED = "int8 was calibrated on random images, accuracy unknown: say --data to use real ones"


@dataclass(frozen=True, kw_only=True)
class NetworkToExport:
    """One network to export: what it is called, its weights, where its files belong, the images
    to check it on."""

    name: str
    weights: Weights
    folder: Path
    notes: dict[str, Any]
    dataset: Dataset | None = None


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
            found.append(
                NetworkToExport(
                    name=record.name,
                    weights=_weights_of(folder, run.path),
                    folder=folder,
                    dataset=dataset,
                    notes={**notes, "accuracy": accuracy},
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
        raise InputError("export: a genotype needs either --weights FILE or --untrained")
    # First the weights, which bring the table of their chain along: the genotype may be one of its
    # space.
    foreign = file is not None and is_foreign(file)
    weights = None if file is None or foreign else load_weights(file)
    genotype = _genotype(text)
    dataset = load(data, root=data_root, download=download) if data is not None else None
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
    named = dataset.classes if dataset else tuple(map(str, range(classes)))
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
        NetworkToExport(name=genotype.key, weights=untrained(weights), folder=folder, notes=notes)
    ]


def export_all(
    networks: Sequence[NetworkToExport],
    out: Path | None,
    formats: tuple[str, ...],
    raw: bool,
    channels_last: bool = False,
    softmax: bool = False,
    *,
    threads: int | None,
    say: Callable[[str], None],
) -> list[dict[str, Any]]:
    """Export each, then measure the latency of all ONNX files in turn (``threads``; None: not at
    all).

    Returns one record per network, which is also kept beside its files. ``out``: a folder for all
    of them.
    """
    exported: list[tuple[NetworkToExport, Path, Exported]] = []
    for network in networks:
        folder = _folder(network, out)
        images = images_for(network.weights, network.dataset, raw=raw)
        result = export(
            network.weights,
            folder,
            images,
            raw=raw,
            channels_last=channels_last,
            softmax=softmax,
            formats=formats,
            notes=network.notes,
        )
        if (
            network.dataset is None
            and {"int8", "tflite-int8"} & set(formats)
            and network.notes.get("accuracy") != UNTRAINED
        ):
            result = replace(result, warnings=(*result.warnings, UNCALIBRATED))
        parity = result.parity
        say(
            f"{network.name}: verified on {parity.test_images} images; rms error against float64"
            f" {parity.onnx_rms:.1e} (torch {parity.torch_rms:.1e}, largest logit"
            f" {parity.largest_logit:.2g})"
        )
        for warning in result.warnings:
            say(f"warning: {network.name}: {warning}")
        exported.append((network, folder, result))
    measured = latencies([result for _, _, result in exported], threads)
    records = []
    for (network, folder, result), latency in zip(exported, measured, strict=True):
        warnings = (*result.warnings, *int8_notes(result.sizes, latency))
        result = replace(result, latency=latency, warnings=warnings)
        record = {"name": network.name, **result.to_dict()}
        # In the folder the files are named as seen from it: it may be moved.
        there = {name: path.name for name, path in result.files.items()}
        write_files(folder, {RECORD: record_bytes({**record, "files": there})})
        records.append(record)
    return records


def _folder(network: NetworkToExport, out: Path | None) -> Path:
    """Where the files go, made.

    Raises InputError where a link stands in its place, or it can't be made.
    """
    folder = network.folder if out is None else out / network.name
    try:
        if out is not None:
            out.mkdir(parents=True, exist_ok=True)
            files.make_folder(folder, out)
        elif (
            not folder.is_absolute() and folder.parts[0] == EXPORTED
        ):  # in the current folder, whosever it is
            files.make_folder(folder, Path())
    except OSError as error:
        raise InputError(f"{error.filename or folder} can't be written: {error.strerror}") from None
    return folder


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
