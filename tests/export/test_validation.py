"""The images that exported files are compared on."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import torch

from hwnas.export import validation
from hwnas.export.images import images_for
from hwnas.export.validation import validation_images
from hwnas.runs.directory import Run
from hwnas.runs.training_record import TrainingRecord, read_records
from hwnas.space.genotype import Architecture
from hwnas.space.published import PUBLISHED
from hwnas.training.train import held_out
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


def test_what_is_held_out_after_a_search_of_shared_weights_is_of_what_they_have_not_seen() -> None:
    before = digits()
    compared = set(before.split["policy"].tolist())
    for share in (0.1, 0.5):
        dataset = held_out(before, share, 3, unseen=True)
        held, used = (set(dataset.split[name].tolist()) for name in ("policy", "train"))
        assert held <= compared and not held & used
        assert held | used == set(before.split["train"].tolist())
        assert len(held) == pytest.approx(share * len(held | used), abs=1)
        # Of each class about as many.
        counts = torch.bincount(before.train_labels[dataset.split["policy"]], minlength=10)
        assert counts.min() >= 0.8 * counts.max()


def test_a_record_says_whether_the_shared_weights_have_seen_what_is_validated_on(
    run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(validation, "inherits", lambda run: True)
    old = record(run, hold_out=0.1)
    new = old.model_copy(update={"unseen": True})
    assert validation_images(run, old, digits())[1]
    dataset, trained_on = validation_images(run, new, digits())
    assert not trained_on
    assert set(dataset.split["policy"].tolist()) <= set(digits().split["policy"].tolist())


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
