"""A network trains on a GPU from scratch, goes on on the other device, and its weights are
exported."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
import torch

from hwnas.export.images import images_for
from hwnas.export.network_files import export
from hwnas.space.genotype import Architecture
from hwnas.space.published import PUBLISHED
from hwnas.training.checkpoint import WEIGHTS, TrainingEpoch
from hwnas.training.data import load
from hwnas.training.recipe import RECIPES
from hwnas.training.train import train
from hwnas.training.weights import load_weights

SMALL = Architecture(PUBLISHED["DARTS_V2"], channels=4, cells=3)
BRIEF = replace(
    RECIPES["quick"],
    epochs=2,
    batch=16,
    auxiliary_weight=0.4,
    drop_path=0.3,
    average=0.9,
    cutout=2,
    calibrate=32,
    hold_out=0.25,
)


def stopped(epoch: TrainingEpoch) -> None:
    raise KeyboardInterrupt


@pytest.mark.parametrize("begins", ["there", "here"])
def test_a_training_goes_on_on_the_other_device_and_is_exported(
    device: torch.device, data: Path, tmp_path: Path, begins: str
) -> None:
    places = [device, torch.device("cpu")] if begins == "there" else [torch.device("cpu"), device]
    images = load(data)
    with pytest.raises(KeyboardInterrupt):
        train(SMALL, images, BRIEF, 0, tmp_path, device=places[0], report=stopped)
    trained = train(SMALL, images, BRIEF, 0, tmp_path, device=places[1])
    assert trained.epochs == 2 and 0 <= trained.test_accuracy <= 1
    weights = load_weights(tmp_path / WEIGHTS)
    made = export(
        weights, tmp_path / "out", images_for(weights, images, raw=False), formats=("onnx",)
    )
    assert made.files["onnx"].exists()
