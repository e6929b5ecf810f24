"""The images that exported files are compared on."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import torch

from hwnas.export.images import images_for
from hwnas.export.validation import validation_images
from hwnas.runs.directory import Run
from hwnas.runs.training_record import TrainingRecord, read_records
from hwnas.space.genotype import Architecture
from hwnas.space.published import PUBLISHED
from hwnas.training.weights import Weights
from tests.runs.made import digits, finished_run, trained_record


@pytest.fixture
def run(tmp_path: Path) -> Run:
    return finished_run(tmp_path / "run")


def record(run: Run, **recipe: float) -> TrainingRecord:
    """A training with such a recipe."""
    name = trained_record(run, 0, 0.5)
    file = run.path / "models" / name / "training.json"
    file.write_text(json.dumps({**json.loads(file.read_text()), "seed": 3, "recipe": recipe}))
    (found,) = read_records(run)
    return found


def test_a_training_that_kept_nothing_aside_has_used_the_images_of_the_search(run: Run) -> None:
    dataset, trained_on = validation_images(run, record(run, hold_out=0.0), digits())
    assert trained_on and dataset.split["policy"].equal(digits().split["policy"])


def test_what_a_training_held_out_is_validated_on(run: Run) -> None:
    dataset, trained_on = validation_images(run, record(run, hold_out=0.1), digits())
    held, used = (set(dataset.split[name].tolist()) for name in ("policy", "train"))
    assert not trained_on and not held & used
    assert held | used == set(digits().split["train"].tolist())
    assert len(held) == pytest.approx(0.1 * len(held | used), abs=1)


def test_int8_is_calibrated_on_none_of_the_images_that_it_is_compared_on() -> None:
    weights = Weights(
        tensors={},
        architecture=Architecture(PUBLISHED["DARTS_V2"], channels=4, cells=2),
        classes=digits().classes,
        image=digits().image,
        stem="cifar",
        mean=digits().mean,
        std=digits().std,
        notes={},
    )
    images = images_for(weights, digits(), raw=True)
    halves = {name: digits().train[digits().split[name]] for name in ("weights", "policy")}
    assert images.validation_labels is not None
    assert _contents(torch.cat(images.validation)) == _contents(halves["policy"])
    calibration = _contents(torch.cat(images.calibration))
    assert len(calibration) == 128 and calibration <= _contents(halves["weights"])


def _contents(images: torch.Tensor) -> set[bytes]:
    return {image.numpy().tobytes() for image in images}
