"""Train networks of a run from scratch, one after the other, and redraw the front by what they reach."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

import torch

from hwnas import files
from hwnas.config import Config
from hwnas.results.models import RECORD, TRAINED, Model, write_trained
from hwnas.results.run import Run, read_front
from hwnas.space.text import format_text
from hwnas.training.checkpoint import BEST, STATE, WEIGHTS, Epoch
from hwnas.training.curves import EVENTS
from hwnas.training.data import Dataset, load
from hwnas.training.loop import Diverged
from hwnas.training.recipe import Recipe
from hwnas.training.train import Trained, train
from profilers.errors import InputError


def images_of(config: Config, root: Path | None = None, download: bool = False) -> Dataset:
    """The data set that a run was searched on; ``root``: where it is now; ``download``: fetch it.

    Nothing is fetched because the run's config says so, nor to a place that it names: the run may come from somebody
    else.
    """
    data = config.data
    return load(
        data.source,
        root=root or (Path(data.root) if data.root and not download else None),
        download=download,
        seed=config.seed,
        noise=data.noise,
        image_size=data.image_size,
    )


def check_images(run: Run, dataset: Dataset) -> None:
    """Raise InputError unless ``dataset`` has the classes and the size of images that the run was made for."""
    summary = read_front(run)
    if list(dataset.classes) != summary["classes"]:
        raise InputError(
            f"data set '{dataset.name}': {len(dataset.classes)} classes beginning with "
            f"{dataset.classes[0]!r}, but {run.path} was searched for {len(summary['classes'])} beginning with "
            f"{summary['classes'][0]!r}"
        )
    if list(dataset.image) != summary["image"]:
        raise InputError(
            f"data set '{dataset.name}': images of {tuple(dataset.image)}, but {run.path} was searched for "
            f"{tuple(summary['image'])} (channels, height, width)"
        )


def train_models(
    run: Run,
    models: Sequence[Model],
    dataset: Dataset,
    recipe: Recipe,
    seed: int,
    *,
    device: str | torch.device = "cpu",
    fresh: bool = False,
    report: Callable[[Model, Epoch], None] = lambda model, epoch: None,
    done: Callable[[Model, Trained], None] = lambda model, result: None,
    failed: Callable[[Model, Diverged], None] = lambda model, error: None,
) -> list[dict[str, Any]]:
    """Train each model in its folder (going on where one was stopped), and write the run's trained front.

    Returns one record per trained model, as kept in its training.json; ``failed`` hears of those that diverged.
    ``fresh`` forgets what an earlier training left.
    Raises InputError where an earlier training had other settings and is not to be forgotten.
    """
    check_images(run, dataset)
    records = []
    for model in models:
        if fresh:
            forget(model.folder, run.path)
        try:
            result = train_model(run, model, dataset, recipe, seed, device, report)
        except Diverged as error:
            failed(model, error)
            continue
        record = record_of(model, dataset, recipe, seed, result)
        keep_record(run, model, record)
        records.append(record)
        done(model, result)
    return records


def train_model(
    run: Run,
    model: Model,
    dataset: Dataset,
    recipe: Recipe,
    seed: int,
    device: str | torch.device,
    report: Callable[[Model, Epoch], None],
) -> Trained:
    """Train one model in its folder, going on where an earlier training was stopped; no record is written."""
    files.make_folder(model.folder, run.path)
    return train(
        model.architecture,
        dataset,
        recipe,
        seed,
        model.folder,
        device=device,
        stem=run.config.evaluation.stem,
        report=lambda epoch: report(model, epoch),
    )


def keep_record(run: Run, model: Model, record: Mapping[str, Any]) -> None:
    """Write a trained model's record, and the run's trained front with it."""
    files.replace(model.folder / RECORD, run.path, (json.dumps(record, indent=1) + "\n").encode())
    write_trained(run)


def forget(folder: Path, root: Path) -> None:
    """Remove what a training left in ``folder`` of the run directory ``root``, and nothing else."""
    for name in (RECORD, STATE, WEIGHTS, BEST, EVENTS):
        files.remove(folder / name, root)


def record_of(model: Model, dataset: Dataset, recipe: Recipe, seed: int, result: Trained) -> dict[str, Any]:
    """What is kept of a training in its training.json: plain JSON."""
    return {
        "name": model.name,
        "key": model.key,
        "channels": model.architecture.channels,
        "cells": model.architecture.cells,
        "test_accuracy": result.test_accuracy,
        "origin": TRAINED,
        "epochs": result.epochs,
        "seconds": round(result.seconds, 3),
        "best_epoch": result.best_epoch,
        "genotype": model.architecture.genotype.to_dict(),
        "text": format_text(model.architecture.genotype),
        "data": dataset.name,
        "seed": seed,
        "recipe": recipe.to_dict(),
        "costs": dict(model.costs),
        "curve": [asdict(epoch) for epoch in result.curve],
    }
