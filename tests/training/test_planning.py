"""The epochs of one call are decided once: a call that was stopped goes on by the same decision."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import torch

from hwnas.runs.directory import Run
from hwnas.runs.models import Model, model_of
from hwnas.runs.summary import read_front
from hwnas.training import pace, planning
from hwnas.training.checkpoint import Progress, save_progress
from hwnas.training.epochs import EpochPlan, Pace
from hwnas.training.finalists import train_models
from hwnas.training.planning import PLAN, forget_plan, plan_epochs
from hwnas.training.recipe import RECIPES
from profilers.errors import InputError
from tests.runs.made import digits, finished_run

QUICK = RECIPES["quick"]


@pytest.fixture
def run(tmp_path: Path) -> Run:
    return finished_run(tmp_path / "run")


def models(run: Run) -> list[Model]:
    return [model_of(run, member) for member in read_front(run).front]


def planned(run: Run, **how: Any) -> EpochPlan:
    return plan_epochs(run, models(run), digits(), QUICK, 0, **how)


def paced(patch: pytest.MonkeyPatch, seconds: float) -> None:
    patch.setattr(planning, "pace_of", lambda *args, **how: Pace(epoch_s=seconds))


def test_a_stopped_call_goes_on_by_its_decision_and_an_ended_one_decides_again(
    run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    paced(monkeypatch, 1.0)
    names = [model.name for model in models(run)]
    first = planned(run, time_s=11.0)
    assert first.epochs == dict.fromkeys(names, 3)  # of 3 networks in 9.9 of 11 s
    paced(monkeypatch, 0.5)
    again = planned(run, time_s=11.0)
    assert again.epochs == first.epochs and "that was stopped" in again.lines[0]
    assert planned(run, time_s=12.0).epochs == dict.fromkeys(names, 7)
    assert planned(run, time_s=11.0, typed=9).epochs == dict.fromkeys(names, 6)
    paced(monkeypatch, 1.0)
    assert planned(run, time_s=11.0, typed=9, fresh=True).epochs == dict.fromkeys(names, 3)
    paced(monkeypatch, 0.5)
    forget_plan(run)
    forget_plan(run)
    assert planned(run, time_s=11.0, typed=9).epochs == dict.fromkeys(names, 6)


def test_a_time_that_is_too_short_is_refused_before_anything_is_written(
    run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    paced(monkeypatch, 100.0)
    with pytest.raises(InputError, match="10 s is too short for one epoch of each of 3 networks"):
        planned(run, time_s=10.0)
    assert not (run.path / PLAN).exists() and not (run.path / "models").exists()


@pytest.mark.parametrize("content", ["", "{", "[]", '{"words": 1}', '{"words": {}, "epochs": {}}'])
def test_a_damaged_decision_is_made_again(
    content: str, run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    paced(monkeypatch, 1.0)
    (run.path / PLAN).write_text(content)
    assert set(planned(run, time_s=11.0).epochs.values()) == {3}
    kept = json.loads((run.path / PLAN).read_text())
    for epochs in ({}, {"a": 1}, dict.fromkeys(kept["epochs"], 0)):
        (run.path / PLAN).write_text(json.dumps({**kept, "epochs": epochs}))
        assert set(planned(run, time_s=11.0).epochs.values()) == {3}


def test_what_is_trained_keeps_its_epochs_and_what_another_recipe_left_is_not_asked(
    run: Run,
) -> None:
    old, other, new = models(run)
    for model, name in ((old, "quick"), (other, "cifar")):
        model.folder.mkdir(parents=True)
        settings = {"recipe": {"name": name, "epochs": 30}}
        save_progress(model.folder, settings, Progress(epoch=30), {"w": torch.zeros(1)})
    plan = planned(run)
    assert plan.epochs == {old.name: 30, other.name: 10, new.name: 10}
    assert planned(run, fresh=True).epochs == dict.fromkeys(plan.epochs, 10)
    assert planned(run, typed=40).epochs == dict.fromkeys(plan.epochs, 40)


def test_each_network_is_trained_for_the_epochs_that_were_planned(
    run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    from hwnas.training import finalists
    from tests.training.test_finalists import pretended

    heard: list[int] = []

    def train(architecture: Any, dataset: Any, recipe: Any, *rest: Any, **named: Any) -> Any:
        heard.append(recipe.epochs)
        return pretended(architecture, dataset, recipe, *rest, **named)

    monkeypatch.setattr(finalists, "train", train)
    all_of_them = models(run)
    plan = EpochPlan(epochs={all_of_them[0].name: 3, all_of_them[1].name: 4})
    records = train_models(run, all_of_them, digits(), QUICK, 0, plan=plan)
    assert heard == [3, 4, QUICK.epochs]
    assert [one.recipe["epochs"] for one in records if one.recipe] == heard


def test_a_pace_is_measured_on_a_copy_and_leaves_nothing_behind(
    run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(pace, "SECONDS", 0.0)
    before = torch.get_rng_state()
    model = models(run)[0]
    found = pace.pace_of(model.architecture, digits(), QUICK, 0)
    assert found.epoch_s > 0 and found.once_s > 0
    assert not model.folder.exists() and torch.equal(before, torch.get_rng_state())
