"""Training from scratch on small real images: what is learned, kept, and the same after any interruption."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file

from hwnas.space.genotype import Architecture
from hwnas.space.published import PUBLISHED
from hwnas.training.checkpoint import STATE, WEIGHTS, Epoch
from hwnas.training.data import Dataset, load
from hwnas.training.loop import Diverged
from hwnas.training.recipe import RECIPES, Recipe
from hwnas.training.train import train
from profilers.errors import InputError

SMALL = Architecture(PUBLISHED["DARTS_V2"], channels=4, cells=3)
BRIEF = replace(
    RECIPES["quick"], epochs=2, batch=16, auxiliary_weight=0.4, drop_path=0.3, average=0.9, calibrate=64
)


def digits(images: int) -> Dataset:
    whole = load("digits", noise=0.1)
    kept = torch.arange(images)
    return replace(
        whole,
        train=whole.train[kept],
        train_labels=whole.train_labels[kept],
        test=whole.test[kept],
        test_labels=whole.test_labels[kept],
        split={"train": kept, "weights": kept[::2], "policy": kept[1::2]},
    )


class Killed(BaseException):
    """What a kill looks like from inside: nothing after it runs."""


def interrupted(out_dir: Path, at: list[int], recipe: Recipe = BRIEF) -> dict[str, torch.Tensor]:
    """Train to the end although the process dies after each of the steps ``at`` (steps of that call)."""
    data = digits(96)
    for steps in at:
        with pytest.MonkeyPatch.context() as patch, pytest.raises(Killed):
            from hwnas.training.loop import Training

            made, original = 0, Training.step

            def step(self: Training, batch: object, limit: int = steps) -> None:
                nonlocal made
                if made == limit:
                    raise Killed
                made += 1
                original(self, batch)  # type: ignore[arg-type]

            patch.setattr(Training, "step", step)
            train(SMALL, data, recipe, 7, out_dir, checkpoint_s=0.0)
    train(SMALL, data, recipe, 7, out_dir)
    return load_file(out_dir / WEIGHTS)


def test_a_training_killed_at_any_step_ends_in_the_same_weights(tmp_path: Path) -> None:
    reference = interrupted(tmp_path / "whole", [])
    for at in ([1], [6], [8, 2]):
        resumed = interrupted(tmp_path / "-".join(map(str, at)), at)
        assert resumed.keys() == reference.keys()
        for name, tensor in reference.items():
            assert torch.equal(resumed[name], tensor), name
