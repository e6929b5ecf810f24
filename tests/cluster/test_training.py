"""Trainings as tasks: one writer, each network once, in the order asked for, whatever dies on
the way."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import torch

from hwnas.cluster.training import train_on
from hwnas.runs.directory import Run
from hwnas.runs.models import Model, model_of
from hwnas.runs.schema import to_json
from hwnas.runs.summary import read_front
from hwnas.training import finalists
from hwnas.training.checkpoint import STATE, TrainingEpoch
from hwnas.training.loop import TrainingDiverged
from hwnas.training.recipe import RECIPES
from hwnas.training.run_images import images_of
from hwnas.training.train import Trained
from profilers.errors import InputError
from tests.cluster.pretended import pretended
from tests.runs.made import finished_run


@pytest.fixture
def run(tmp_path: Path) -> Run:
    return finished_run(tmp_path / "run")


@pytest.fixture(autouse=True)
def without_training(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing is trained: networks of 7 channels diverge, those of 9 meet other settings."""

    def train(
        architecture: Any, dataset: Any, recipe: Any, seed: int, out_dir: Path, **named: Any
    ) -> Trained:
        if architecture.channels == 7:
            raise TrainingDiverged("loss nan")
        if architecture.channels == 9:
            raise InputError("a training with seed 1, not 0")
        out_dir.mkdir(parents=True, exist_ok=True)
        kept = out_dir / STATE
        epoch = len(kept.read_text()) + 1 if kept.exists() else 1
        kept.write_text("x" * epoch)
        point = TrainingEpoch(
            number=epoch,
            learning_rate=0.1,
            train_loss=1.0,
            train_accuracy=0.5,
            held_out_accuracy=None,
            test_accuracy=architecture.channels / 10,
            seconds=2.0,
        )
        named["report"](point)
        return Trained(
            architecture=architecture,
            network=None,
            test_accuracy=architecture.channels / 10,
            epochs=epoch,
            seconds=2.0,
            curve=(point,),
            best_epoch=1,
            confusion=[[1] * 10] * 10,
            right=torch.ones(100, dtype=torch.bool),
        )  # type: ignore[arg-type]

    monkeypatch.setattr(finalists, "train", train)


def models(run: Run, *channels: int) -> list[Model]:
    return [model_of(run, read_front(run).front[0], width) for width in channels]


def test_each_network_stands_once_in_the_results_though_its_node_died(run: Run) -> None:
    begun: list[str] = []
    cluster = pretended(begun, dies=lambda name, attempt: "-c5-" in name and attempt < 3)
    chosen = models(run, 4, 5, 6)
    heard: list[tuple[str, int]] = []
    records = train_on(
        cluster,
        run,
        models=chosen,
        dataset=images_of(run),
        recipe=RECIPES["quick"],
        seed=0,
        done=lambda model, found: heard.append((model.name, found.after_epoch)),
    )
    assert [record.channels for record in records] == [4, 5, 6]  # not the order they ended in
    assert begun == [chosen[2].name, *[chosen[1].name] * 3, chosen[0].name]
    assert heard == [
        (chosen[2].name, 0),
        (chosen[1].name, 2),
        (chosen[0].name, 0),
    ]  # went on, not afresh
    for model, record in zip(chosen, records, strict=True):
        assert json.loads((model.folder / "training.json").read_text()) == to_json(record)
    trained = json.loads((run.path / "trained.json").read_text())
    names = [one["name"] for one in trained["front"] + trained["dominated"]]
    assert sorted(names) == sorted(model.name for model in chosen)


def test_a_training_that_diverges_costs_itself_alone_and_bad_settings_stop_all(run: Run) -> None:
    lost: list[Model] = []
    data = images_of(run)
    chosen = models(run, 6, 7)
    records = train_on(
        pretended([]),
        run,
        models=chosen,
        dataset=data,
        recipe=RECIPES["quick"],
        seed=0,
        failed=lambda model, error: lost.append(model),
    )
    assert [record.channels for record in records] == [6] and lost == [chosen[1]]
    with pytest.raises(InputError, match="a training with seed 1"):
        train_on(
            pretended([]), run, models=models(run, 9), dataset=data, recipe=RECIPES["quick"], seed=0
        )


def test_fresh_forgets_once_not_at_each_retry(run: Run) -> None:
    chosen, data = models(run, 4), images_of(run)
    train_on(pretended([]), run, models=chosen, dataset=data, recipe=RECIPES["quick"], seed=0)
    cluster = pretended([], dies=lambda name, attempt: attempt < 2)
    heard: list[int] = []
    train_on(
        cluster,
        run,
        models=chosen,
        dataset=data,
        recipe=RECIPES["quick"],
        seed=0,
        fresh=True,
        done=lambda model, found: heard.append(found.after_epoch),
    )
    assert heard == [1]  # forgotten once (else 2), and not by the retry (else 0)


def test_a_run_that_the_nodes_do_not_share_is_refused_before_anything_is_begun(run: Run) -> None:
    begun: list[str] = []

    def check(path: Path) -> None:
        assert path.is_absolute()
        raise InputError(f"node b does not see {path}")

    with pytest.raises(InputError, match="does not see"):
        train_on(
            pretended(begun, check=check),
            run,
            models=models(run, 4),
            dataset=images_of(run),
            recipe=RECIPES["quick"],
            seed=0,
        )
    assert begun == []
