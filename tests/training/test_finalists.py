"""Several networks of a run in turn: the right images, a record each, one failure that costs
only itself."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import torch

from hwnas.nets.network import Network
from hwnas.runs.directory import Run
from hwnas.runs.models import Model, model_of
from hwnas.runs.schema import to_json
from hwnas.runs.summary import read_front, write_front
from hwnas.training import finalists
from hwnas.training.checkpoint import TrainingEpoch
from hwnas.training.finalists import forget, train_models
from hwnas.training.loop import TrainingDiverged
from hwnas.training.recipe import RECIPES
from hwnas.training.run_images import check_images, images_of, read_images
from hwnas.training.train import Trained
from profilers.errors import InputError
from tests.runs.made import finished_run


@pytest.fixture
def run(tmp_path: Path) -> Run:
    return finished_run(tmp_path / "run")


def pretended(
    architecture: Any, dataset: Any, recipe: Any, seed: int, out_dir: Path, **named: Any
) -> Trained:
    """Trains nothing; wider networks get better, and those of 7 channels diverge."""
    if architecture.channels == 7:
        raise TrainingDiverged("loss nan")
    out_dir.mkdir(parents=True, exist_ok=True)
    point = TrainingEpoch(
        number=1,
        learning_rate=0.1,
        train_loss=1.0,
        train_accuracy=0.5,
        held_out_accuracy=None,
        test_accuracy=architecture.channels / 10,
        seconds=2.0,
    )
    named["report"](point)
    network = Network(architecture, 10, (1, 8, 8))
    return Trained(
        architecture=architecture,
        network=network,
        test_accuracy=architecture.channels / 10,
        epochs=1,
        seconds=2.0,
        curve=(point,),
        best_epoch=1,
        confusion=[[3 if true == said else 0 for said in range(10)] for true in range(10)],
        right=torch.arange(359) % 10 < architecture.channels,
    )


def test_a_training_that_diverges_costs_itself_alone(
    run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(finalists, "train", pretended)
    member = read_front(run).front[0]
    models = [model_of(run, member, channels) for channels in (4, 7, 8)]
    failures: list[Model] = []
    heard: list[tuple[str, int]] = []
    records = train_models(
        run,
        models,
        images_of(run),
        RECIPES["quick"],
        0,
        report=lambda model, epoch: heard.append((model.name, epoch.number)),
        failed=lambda model, error: failures.append(model),
    )
    assert [record.channels for record in records] == [4, 8]
    assert failures == [models[1]]
    assert heard == [(models[0].name, 1), (models[2].name, 1)]
    for model, record in zip((models[0], models[2]), records, strict=True):
        assert json.loads((model.folder / "training.json").read_text()) == to_json(record)
    front = json.loads((run.path / "trained.json").read_text())["front"]
    assert [one["accuracy"]["value"] for one in front] == [0.4, 0.8]


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        (
            {"classes": list("012345678")},
            "10 classes beginning with '0', but .* was searched for 9",
        ),
        ({"image": [3, 8, 8]}, r"images of \(1, 8, 8\), but .* was searched for \(3, 8, 8\)"),
    ],
)
def test_other_images_than_those_of_the_search_are_refused(
    run: Run, changes: dict[str, Any], message: str
) -> None:
    write_front(run, read_front(run).model_copy(update=changes))
    with pytest.raises(InputError, match=message):
        check_images(run, read_images(run.config))


def test_forgetting_removes_the_training_and_nothing_else(tmp_path: Path) -> None:
    for name in ("training.json", "training.safetensors", "weights.safetensors", "model.onnx"):
        (tmp_path / name).write_bytes(b"x")
    forget(tmp_path, tmp_path)
    forget(tmp_path / "none", tmp_path)
    assert [path.name for path in tmp_path.iterdir()] == ["model.onnx"]
