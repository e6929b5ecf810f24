"""Whether to search: by the time there is, and by what is too little."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from hwnas.runs.history import read_history
from hwnas.search import advice
from hwnas.search.advice import advise
from hwnas.search.plan import SearchPlan, plan
from hwnas.search.rehearsal import Rates
from hwnas.search.search import search, summary
from hwnas.search.worth import LEAST_JUDGED, doubts, evaluated, trained_steps
from tests.search import tiny

RATES = Rates(frozen=(1.0, 0.0), learning=(3.0, 4.0), spread=(0.1, 0.1), scoring=5.0)


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tiny.images(tmp_path_factory.mktemp("data") / "tiny.npz", count=800)


def planned_for(data: Path, **changes: Any) -> SearchPlan:
    wanted = {"samples": 4, "every": 1, "images": 64}
    return plan(tiny.config(data, **{"alpha_step": wanted, **changes}))


@pytest.fixture(autouse=True)
def _known_rates(monkeypatch: pytest.MonkeyPatch) -> None:
    found = (RATES, RATES, 100.0), 1.0
    monkeypatch.setattr(advice, "timed", lambda planned, budget, say: found)


def test_what_is_counted_is_what_a_search_does(tmp_path: Path) -> None:
    asked = tiny.config(tiny.images(tmp_path / "a.npz"))
    planned = plan(asked)
    run = search(asked, tmp_path / "run")
    assert evaluated(asked, planned.dataset) == summary(run)["evaluations"]
    epochs = len(read_history(run))
    assert trained_steps(asked, planned.dataset) == epochs * 3  # 48 images, 16 in a step


def test_a_search_is_advised_where_nothing_is_too_little(data: Path) -> None:
    found = advise(planned_for(data))
    assert found.search and len(found.why) == 1


def test_few_images_to_compare_on_few_steps_and_few_networks_are_each_a_reason(data: Path) -> None:
    few_images = planned_for(data, alpha_step={"every": 1, "images": LEAST_JUDGED - 1})
    stages = [{"cells": 3, "epochs": 1, "frozen_epochs": 0}]
    few_steps = planned_for(data, stages=stages)
    few_networks = planned_for(data, alpha_step={"every": 100, "samples": 1, "images": 64})
    for planned, word in (
        (few_images, f"{LEAST_JUDGED - 1} images compare"),
        (few_steps, "steps train"),
        (few_networks, "networks are compared"),
    ):
        assert any(word in reason for reason in doubts(planned.config, planned.dataset))
        found = advise(planned)
        assert not found.search and any(word in reason for reason in found.why)


def test_too_little_time_for_an_epoch_is_no_fault_but_a_reason_not_to_search(data: Path) -> None:
    found = advise(planned_for(data), budget=5.0)
    assert not found.search and "5 s are too few. One epoch of each stage" in found.why[0]


def test_more_time_gives_more_epochs_until_they_are_enough(data: Path) -> None:
    planned = planned_for(data)
    short, long, endless = (
        sum(stage.epochs for stage in advise(planned, budget=budget).config.stages)
        for budget in (40.0, 50.0, 1e6)
    )
    most = max(stage.epochs for stage in planned.config.stages)
    assert short < long < endless == 2 * advice.ENOUGH * most
