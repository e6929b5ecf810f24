"""Train networks of a run from scratch, one after the other, and redraw the front by what they
reach."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

import torch

from hwnas import files
from hwnas.runs.confusion import MOST_CLASSES, class_accuracy
from hwnas.runs.directory import Run
from hwnas.runs.models import Model, write_trained
from hwnas.runs.right_images import packed
from hwnas.runs.training_record import RECORD, TRAINED, TrainingRecord, write_record
from hwnas.space.text import format_text
from hwnas.training.checkpoint import BEST, STATE, WEIGHTS, TrainingEpoch
from hwnas.training.curves import EVENTS
from hwnas.training.data import Dataset
from hwnas.training.epochs import EpochPlan
from hwnas.training.loop import TrainingDiverged
from hwnas.training.recipe import Recipe
from hwnas.training.run_images import check_images
from hwnas.training.start import Start, Starts
from hwnas.training.train import Trained, train

MOST_IMAGES = 80_000
"""Whose test results are kept one by one: 20 kB of text."""


def train_models(
    run: Run,
    models: Sequence[Model],
    dataset: Dataset,
    recipe: Recipe,
    seed: int,
    *,
    device: str | torch.device = "cpu",
    fresh: bool = False,
    plan: EpochPlan | None = None,
    start: Starts | None = None,
    report: Callable[[Model, TrainingEpoch], None] = lambda model, epoch: None,
    done: Callable[[Model, Trained], None] = lambda model, result: None,
    failed: Callable[[Model, TrainingDiverged], None] = lambda model, error: None,
) -> list[TrainingRecord]:
    """Train each model in its folder (going on where one was stopped), and write the run's trained
    front.

    Returns one record per trained model, as kept in its training.json, in the order of ``models``;
    ``failed`` hears of those that diverged. ``fresh`` forgets what an earlier training left.
    ``start``: what they begin with, and how they take turns; random weights without. ``plan``: the
    epochs of each, where they are not the recipe's. Raises InputError where an earlier training had
    other settings and is not to be forgotten.
    """
    check_images(run, dataset)
    start, records = start or Starts(), {}
    for model in start.order(models):
        if fresh:
            forget(model.folder, run.path)
        own = recipe if plan is None else plan.recipe(model.name, recipe)
        try:
            result = train_model(
                run,
                model,
                dataset=dataset,
                recipe=own,
                seed=seed,
                device=device,
                report=report,
                start=start.of(model),
            )
        except TrainingDiverged as error:
            failed(model, error)
            continue
        record = record_of(model, dataset, own, seed, result)
        keep_record(run, model, record)
        records[model.name] = record
        start.learn(model, result.network)
        done(model, result)
    return [records[model.name] for model in models if model.name in records]


def train_model(
    run: Run,
    model: Model,
    dataset: Dataset,
    recipe: Recipe,
    seed: int,
    device: str | torch.device,
    report: Callable[[Model, TrainingEpoch], None],
    start: Start | None = None,
) -> Trained:
    """Train one model in its folder, going on where an earlier training was stopped; no record
    is written."""
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
        start=start,
    )


def keep_record(run: Run, model: Model, record: TrainingRecord) -> None:
    """Write a trained model's record, and the run's trained front with it."""
    write_record(run, model.folder, record)
    write_trained(run)


def forget(folder: Path, root: Path) -> None:
    """Remove what a training left in ``folder`` of the run directory ``root``, and nothing else."""
    for name in (RECORD, STATE, WEIGHTS, BEST, EVENTS):
        files.remove(folder / name, root)


def record_of(
    model: Model, dataset: Dataset, recipe: Recipe, seed: int, result: Trained
) -> TrainingRecord:
    """What is kept of a training in its training.json."""
    record = TrainingRecord(
        name=model.name,
        key=model.key,
        channels=model.architecture.channels,
        cells=model.architecture.cells,
        test_accuracy=result.test_accuracy,
        provenance=TRAINED,
        epochs=result.epochs,
        seconds=round(result.seconds, 3),
        best_epoch=result.best_epoch,
        genotype=model.architecture.genotype.to_dict(),
        text=format_text(model.architecture.genotype),
        data=dataset.name,
        seed=seed,
        recipe=recipe.to_dict(),
        costs=dict(model.costs),
        curve=[asdict(epoch) for epoch in result.curve],
        classes=list(dataset.classes),
        class_accuracy=list(class_accuracy(result.confusion)),
        confusion=result.confusion if len(dataset.classes) <= MOST_CLASSES else None,
        test_images=len(result.right),
    )
    # Not set where there is nothing to say, so that a file is as it always was.
    more: dict[str, Any] = {"legs": list(result.legs)} if result.legs else {}
    if len(result.right) <= MOST_IMAGES:
        more["right"] = packed(result.right.numpy())
    if result.unseen:
        more["unseen"] = True
    if result.computed_by:
        more["computed_by"] = result.computed_by
    if model.title:
        more["title"] = model.title
    return record.model_copy(update=more)
