"""However few the images and evaluations are, a search ends in a front, or is refused before it
begins."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from hwnas.config import resolve
from hwnas.runs.trials import read_trials
from hwnas.search.advice import advise
from hwnas.search.plan import plan
from hwnas.search.schedule import learning_every
from hwnas.search.search import search, summary
from profilers.errors import InputError
from tests.search import tiny

ALGORITHMS: dict[str, dict[str, Any]] = {
    "nsga2": {"algorithm": "nsga2"},
    "random": {"algorithm": "random"},
    "tndnas": {"algorithm": "tndnas"},
    "directed": {"algorithm": "tndnas", "form": "directed"},
    "ndarts": {"algorithm": "ndarts", "objectives": []},
    "regression": {"algorithm": "random", "finalists_by": "regression"},
}


def config(data: Path, name: str, **changes: Any) -> Any:
    """A look at validation images every 100 steps, of which an epoch has one."""
    settings = {
        **ALGORITHMS[name],
        "stages": [{"cells": 3, "epochs": 2, "frozen_epochs": 1}],
        **changes,
    }
    form = settings.pop("form", "paper")
    every = {"samples": 1, "every": 100, "form": form}
    ndarts = {
        "weight_steps": 100,
        "hypergradient": "first_order",
    }  # the others are dearer, and look as often
    return tiny.config(data, alpha_step=every, ndarts=ndarts, **settings)


@pytest.mark.slow
@pytest.mark.parametrize("count", [4])
@pytest.mark.parametrize("name", ALGORITHMS)
def test_a_handful_of_images_gives_a_front(tmp_path: Path, name: str, count: int) -> None:
    found = search(
        config(tiny.images(tmp_path / "few.npz", count, classes=2), name), tmp_path / "run"
    )
    front = summary(found)
    assert front["front"] and front["evaluations"] >= (0 if name == "ndarts" else 1)
    assert not [note for note in front["health"] if note["kind"] == "untaught"]


@pytest.mark.parametrize(("steps", "every"), [(1, 1), (3, 3), (99, 99), (100, 100), (101, 100)])
def test_every_learning_epoch_looks_at_validation_images_at_least_once(
    steps: int, every: int
) -> None:
    for name in ("nsga2", "ndarts"):
        assert learning_every(config(Path("unread.npz"), name), steps) == every


def test_the_forecast_counts_the_evaluations_that_are_made(tmp_path: Path) -> None:
    few = config(tiny.images(tmp_path / "few.npz", 7, classes=2), "random")
    found = advise(plan(few)).forecast
    run = search(few, tmp_path / "run")
    assert found.evaluations == len(read_trials(run)) == 1


def test_a_step_on_one_image_is_refused_at_the_border() -> None:
    """BatchNorm has no variance where the map has one pixel."""
    with pytest.raises(
        InputError, match=r"weight_step\.batch_size: Input should be greater than or equal to 2"
    ):
        resolve({"weight_step": {"batch_size": 1}})


def test_a_class_without_an_image_for_each_half_is_refused_before_a_run_is_made(
    tmp_path: Path,
) -> None:
    data = tiny.images(tmp_path / "few.npz", 2, classes=2)
    with pytest.raises(InputError, match="each class needs two"):
        search(config(data, "random"), tmp_path / "run")
    assert not (tmp_path / "run").exists()
