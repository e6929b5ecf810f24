"""Training from scratch (P-DARTS settings, arXiv 1904.12760): a discrete network, a data set and a
recipe.

Every random draw is a function of (seed, epoch, step): the order of the images, their augmentation
and drop-path. A training that was killed and is called again with the same ``out_dir`` therefore
ends in the same weights, to the bit on a CPU (with the same number of threads), without any state
of a random generator being stored.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from hwnas import files
from hwnas.errors import Stopped, is_memory
from hwnas.nets.fast.cudnn import computed_by, trying_kernels
from hwnas.nets.network import Network
from hwnas.space.genotype import Architecture
from hwnas.space.layers import Stem
from hwnas.training.checkpoint import TrainingEpoch, begun_after, tensors_digest
from hwnas.training.data import Dataset, digest, to_device
from hwnas.training.dataset import generator, stratified_order
from hwnas.training.evaluate import confusion_of, right_of
from hwnas.training.loop import HOLD_OUT, Training, TrainingDiverged
from hwnas.training.recipe import Recipe
from hwnas.training.start import Start
from profilers.bfloat16 import bfloat16_problem
from profilers.cuda import cuda_problem
from profilers.errors import InputError

__all__ = ["Trained", "TrainingDiverged", "train"]


@dataclass(frozen=True, eq=False, kw_only=True)
class Trained:
    """A trained network.

    ``network`` is in evaluation mode and holds the last weights (averaged, where asked for); with
    patience those of the epoch that was best on the images held out.

    ``computed_by``: the GPU of the last call, and how it computed; None of a CPU.

    ``test_accuracy``, in 0..1, is that of these weights, never the best of several looks at the
    test images. ``seconds`` counts training and evaluation over all calls that it took. ``epochs``
    were made; ``legs``: where parts ended after which the training went on. ``confusion``: counts
    of test images, rows the true class, columns the predicted one. ``right``: (images,) bool, which
    test images were right. ``kept_epoch``: whose weights these are. ``unseen``: neither this
    training nor the search whose weights it began with has trained on the images held out.
    """

    architecture: Architecture
    network: Network
    test_accuracy: float
    epochs: int
    seconds: float
    curve: tuple[TrainingEpoch, ...]
    best_epoch: int
    confusion: list[list[int]]
    right: Tensor
    legs: tuple[int, ...] = ()
    kept_epoch: int | None = None
    unseen: bool = False
    computed_by: str | None = None


@contextmanager
def _memory_told() -> Iterator[None]:
    """Say in one line that the memory is too small for a training."""
    try:
        yield
    except (RuntimeError, MemoryError) as error:
        if isinstance(error, Stopped) or not is_memory(error):
            raise
        raise Stopped(
            "the memory is too small to train this network, even a few images at a time: close"
            " other programs, lift a limit such as `ulimit -v`, or choose a smaller network; what"
            " was finished is kept, and the same command goes on with it"
        ) from None


@_memory_told()
def train(
    architecture: Architecture,
    dataset: Dataset,
    recipe: Recipe,
    seed: int,
    out_dir: Path | None = None,
    *,
    device: str | torch.device = "cpu",
    stem: Stem = "cifar",
    report: Callable[[TrainingEpoch], None] | None = None,
    checkpoint_s: float = 300.0,
    start: Start | None = None,
) -> Trained:
    """Train ``architecture`` on the training images of ``dataset`` and test it on the test images.

    With ``out_dir`` the state is kept there after every epoch and every ``checkpoint_s`` seconds,
    and a call with the same arguments goes on from it, also after the end with more epochs
    (hwnas.training.legs); ``weights.safetensors`` (last) and
    ``best.safetensors`` are left there. ``report`` hears of every epoch. ``start``: the weights to
    begin with, random ones without. Raises InputError where
    ``out_dir`` holds a training with other settings or the recipe does not fit the device or the
    data, TrainingDiverged where the loss is no number any more, Stopped where the memory is too
    small for two images at a time.
    """
    device = torch.device(device)
    data = prepared(dataset, recipe, seed, device, start)
    training = Training(
        architecture, data, recipe=recipe, seed=seed, stem=stem, device=device, start=start
    )
    if out_dir is not None:
        out_dir.mkdir(parents=True, exist_ok=True)
        files.forget_torn(out_dir, out_dir)
        settings = _settings(architecture, dataset, recipe, seed, stem)
        if recipe.hold_out and _unseen(start):
            settings["held_out"] = "of the images that the search compared networks on"
        if start is not None:
            settings["start"] = f"{start.origin} ({start.digest[:16]})"
            after = begun_after(out_dir, start.after)
            if after:
                settings["after"] = list(after)
        if dataset.soft_labels is not None and recipe.soft_labels:
            settings["soft_labels"] = tensors_digest({"": dataset.soft_labels})
        training.resume(out_dir, settings)
    progress = training.progress
    begins = start is not None and not (progress.epoch or progress.step)
    if begins and report is not None and not training.late_tests:
        report(_before(training))
    with trying_kernels(device):
        if training.ended:
            training.finish()
        while not training.ended:
            training.run_epoch(checkpoint_s)
            if report is not None:
                report(progress.curve[-1])
        # Of the weights that are kept, which need not be those that were tested last.
        outputs = training.outputs()
    return Trained(
        architecture=architecture,
        network=training.settled,
        test_accuracy=training.result.test_accuracy or 0.0,
        epochs=progress.epoch,
        seconds=progress.seconds,
        curve=tuple(progress.curve),
        best_epoch=progress.best_epoch,
        confusion=confusion_of(outputs, data),
        right=right_of(outputs, data),
        legs=tuple(progress.legs),
        kept_epoch=training.result.number,
        unseen=bool(recipe.hold_out) and _unseen(start),
        computed_by=computed_by(device),
    )


def _before(training: Training) -> TrainingEpoch:
    """What the weights reach that a training begins with: epoch 0."""
    held_out, tested = training.test()
    return TrainingEpoch(
        number=0,
        learning_rate=0.0,
        train_loss=0.0,
        train_accuracy=0.0,
        held_out_accuracy=held_out,
        test_accuracy=tested,
        seconds=0.0,
    )


def prepared(
    dataset: Dataset,
    recipe: Recipe,
    seed: int,
    device: torch.device,
    start: Start | None = None,
) -> Dataset:
    """The images on the device, those of them aside that epochs are judged by.

    Raises InputError where the recipe does not fit the device or the data.
    """
    _check(recipe, dataset, device)
    return to_device(held_out(dataset, recipe.hold_out, seed, unseen=_unseen(start)), device)


def held_out(dataset: Dataset, share: float, seed: int, *, unseen: bool = False) -> Dataset:
    """Move ``share`` of the training images, class by class, from "train" to "policy".

    ``unseen``: images of "policy" alone, on which a search trains nothing; all of them at most.
    """
    if not share:
        return dataset
    members = dataset.split["train"]
    pool = dataset.split["policy"] if unseen else members
    order = stratified_order(
        dataset.train_labels[pool], generator(seed, HOLD_OUT).initial_seed() % 2**31
    )
    every = max(2, round(1 / share))
    if unseen:
        wanted = min(len(pool), -(-len(members) // every))
        places = torch.linspace(0, len(pool) - 1, wanted).round().long()
    else:
        places = torch.arange(0, len(pool), every)
    aside = torch.isin(members, pool[order[places]])
    kept, held = members[~aside], members[aside]
    return replace(dataset, split={"train": kept, "weights": kept, "policy": held})


def _unseen(start: Start | None) -> bool:
    """Whether a training begins with weights that have not seen some images; the networks of one
    call, which hand weights on, hold out the same ones."""
    return start is not None and start.of_search


def _check(recipe: Recipe, dataset: Dataset, device: torch.device) -> None:
    problem = cuda_problem(device.index or 0) if device.type == "cuda" else ""
    if problem:
        raise InputError(f"device {device}: {problem}")
    if recipe.precision == "bfloat16":
        problem = bfloat16_problem(device.type, device.index or 0)
        if problem:
            raise InputError(f"recipe {recipe.name}: precision: {problem}")
    if recipe.precision == "float16" and device.type == "cpu":
        raise InputError(
            f"recipe {recipe.name}: precision float16 needs a CUDA device, not {device}"
        )
    if recipe.cutout >= 2 * min(dataset.image[1:]):
        side = min(dataset.image[1:])
        raise InputError(
            f"recipe {recipe.name}: cutout {recipe.cutout} hides whole images of {side} pixels; "
            "give a smaller one, or 0"
        )


def _settings(
    architecture: Architecture, dataset: Dataset, recipe: Recipe, seed: int, stem: Stem
) -> dict[str, Any]:
    """What has to be equal for a training to go on."""
    return {
        "genotype": architecture.genotype.to_dict(),
        "channels": architecture.channels,
        "cells": architecture.cells,
        "stem": stem,
        "seed": seed,
        "recipe": recipe.to_dict(),
        "data": dataset.name,
        "data_digest": digest(dataset),
    }
