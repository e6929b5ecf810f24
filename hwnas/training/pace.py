"""How long a network takes to train here: a few steps and tests of a copy that is thrown away."""

from __future__ import annotations

import time
from dataclasses import replace
from statistics import median

import torch

from hwnas.space.genotype import Architecture
from hwnas.space.layers import Stem
from hwnas.training.data import Dataset, batches, size
from hwnas.training.epochs import Pace
from hwnas.training.evaluate import accuracy
from hwnas.training.loop import Training
from hwnas.training.recipe import Recipe
from hwnas.training.start import Start
from hwnas.training.train import prepared

SECONDS = 1.0
"""Of steps that are timed, after the first one, which is slower than all others."""
FEWEST, MOST = 2, 8
TESTED = 64
"""Images that a test is timed on."""


def pace_of(
    architecture: Architecture,
    dataset: Dataset,
    recipe: Recipe,
    seed: int,
    *,
    device: str | torch.device = "cpu",
    stem: Stem = "cifar",
    start: Start | None = None,
) -> Pace:
    """Seconds of an epoch of this recipe on this machine, now, and of what is done once.

    Raises InputError as ``hwnas.training.train.train`` does.
    """
    device = torch.device(device)
    data = prepared(dataset, recipe, seed, device, start)
    began = time.monotonic()
    training = Training(
        architecture, data, recipe=recipe, seed=seed, stem=stem, device=device, start=start
    )
    built_s = time.monotonic() - began
    source = batches(
        data, "train", training.batch, (seed, 0), augment=training.augment(), drop_last=True
    )
    training.runner.train()
    took: list[float] = []
    last = time.monotonic()
    for batch in source:
        training.step(batch)
        _wait(device)
        now = time.monotonic()
        took.append(now - last)
        last = now
        if len(took) > MOST or (len(took) > FEWEST and sum(took[1:]) > SECONDS):
            break
    # The first step is slower than all others, and so is one that other work came in between.
    step_s = median(took[1:] or took)
    looked_at = size(data, "test") + (size(data, "policy") if recipe.hold_out else 0)
    looked_at += min(recipe.calibrate, size(data, "train"))
    test_s = looked_at * _image_seconds(training, data, device)
    # The last epoch is always tested; inherited weights are before the first one.
    once = built_s + (took[0] if recipe.compile else 0.0) + test_s * (1 if start is None else 2)
    return Pace(epoch_s=training.steps * step_s + test_s / recipe.evaluate_every, once_s=once)


def _image_seconds(training: Training, data: Dataset, device: torch.device) -> float:
    """Of one image that is looked at in evaluation mode, and read, where it lies in a file."""
    index = torch.arange(min(TESTED, size(data, "test")))
    test = data.test[index] if isinstance(data.test, torch.Tensor) else data.test.only(index)
    few = replace(data, test=test, test_labels=data.test_labels[index])
    accuracy(training.settled, few, "test")  # the first look is slower
    begun = time.monotonic()
    accuracy(training.settled, few, "test")
    _wait(device)
    return (time.monotonic() - begun) / max(1, len(index))


def _wait(device: torch.device) -> None:
    if device.type == "cuda":
        torch.cuda.synchronize(device)
