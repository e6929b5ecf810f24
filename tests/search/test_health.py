"""What a search says of itself: each trouble is found where it is, and nothing where there is
none."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from hwnas.config import Config
from hwnas.runs.history import Epoch
from hwnas.runs.trials import Trial
from hwnas.search.diagnostic import Diagnostic, Rollback
from hwnas.search.health import diagnose, ranking, verdict
from hwnas.space.space import SKIP, SPACES
from hwnas.space.task import Task
from tests.search.tiny import config as tiny

SPACE = SPACES["darts"]
TASK = Task(classes=3, image=(1, 8, 8))


@pytest.fixture
def config() -> Config:
    stages = [{"cells": 3, "epochs": 10, "frozen_epochs": 2}]
    step = {"samples": 4, "every": 1, "images": 16, "baseline_decay": 0.95}
    return tiny(Path("images.npz"), stages=stages, alpha_step=step)


def line(epoch: int, entropy: float, favourite: str | None = None) -> Epoch:
    """One policy of three equal ones; each edge prefers one operation, or none of them."""
    table = np.full(SPACE.mask.shape, 1000 // 8)
    if favourite:
        table[:, [op for op in SPACE.slots[0].ops].index(favourite)] = 900
    rows = tuple(tuple(int(p) for p in row) for row in table)
    return Epoch(
        stage=0,
        epoch=epoch,
        evaluations=10 * epoch,
        loss=1.0,
        accuracy=0.5,
        entropies=(entropy,) * 3,
        derived=(),
        probabilities=(rows,) * 3,
    )


def trials(accuracy: np.ndarray) -> list[Trial]:
    return [
        Trial(
            number=i,
            stage=0,
            epoch=0,
            step=i,
            key="k",
            choices=(),
            accuracy=float(value),
            costs={"params": 1.0},
        )
        for i, value in enumerate(accuracy)
    ]


def kinds(notes: list[Diagnostic]) -> list[str]:
    return [note.kind for note in notes]


def test_a_healthy_search_gives_no_note(config: Config) -> None:
    history = [line(epoch, 50.0 - 4 * epoch, "sep_conv_3x3") for epoch in range(10)]
    seen = trials(np.random.default_rng(0).uniform(0.4, 0.8, 400))
    assert diagnose(config, TASK, history, seen) == []


def test_a_policy_that_decides_early_is_named_and_late_is_fine(config: Config) -> None:
    early = [line(epoch, 50.0 if epoch < 4 else 0.5, "sep_conv_3x3") for epoch in range(10)]
    late = [line(epoch, 50.0 if epoch < 8 else 0.5, "sep_conv_3x3") for epoch in range(10)]
    seen = trials(np.full(10, 0.6))
    notes = diagnose(config, TASK, early, seen)
    assert kinds(notes) == ["entropy"] * 3
    assert "policy 1 had decided by epoch 5 of 10" in notes[0].text
    assert diagnose(config, TASK, late, seen) == []


def test_a_collapse_to_skip_connect_is_found(config: Config) -> None:
    history = [line(epoch, 50.0 - 4 * epoch, SKIP) for epoch in range(10)]
    seen = trials(np.full(10, 0.6))
    assert kinds(diagnose(config, TASK, history, seen)) == ["collapse"]
    undecided = [line(epoch, 50.0, SKIP) for epoch in range(10)]
    assert diagnose(config, TASK, undecided, seen) == []


def test_weights_that_only_guess_are_found(config: Config) -> None:
    history = [line(0, 50.0)]
    seen = trials(np.random.default_rng(0).uniform(0.25, 0.4, 100))
    assert kinds(diagnose(config, TASK, history, seen)) == ["chance"]
    assert diagnose(config, replace(TASK, classes=10), history, seen) == []
    # A search of a few steps has ten trials: it, too, chooses by chance.
    few = trials(np.random.default_rng(0).uniform(0.25, 0.4, 10))
    assert kinds(diagnose(config, TASK, history, few)) == ["chance"]
    assert diagnose(config, TASK, history, few[:4]) == []


def test_a_baseline_that_accuracy_outruns_is_found(config: Config) -> None:
    noise = np.random.default_rng(0).normal(0, 0.01, 200)
    history = [line(0, 50.0)]
    assert kinds(diagnose(config, TASK, history, trials(np.linspace(0.4, 0.9, 200) + noise))) == [
        "baseline"
    ]
    assert diagnose(config, TASK, history, trials(0.6 + noise)) == []


def test_rollbacks_are_told(config: Config) -> None:
    notes = diagnose(
        config, 3, [line(0, 50.0)], [], [Rollback(stage=0, epoch=3, step=7, loss=None, rate=0.5)]
    )
    assert kinds(notes) == ["loss"]
    assert "no number in epoch 4" in notes[0].text and "0.5 of the rate" in notes[0].text


def test_ranks_that_do_not_agree_are_told_from_five_networks_on() -> None:
    shared = [0.1, 0.2, 0.3, 0.4, 0.5]
    assert ranking(shared, [0.5, 0.6, 0.7, 0.8, 0.9]) == (1.0, [])
    tau, notes = ranking(shared, shared[::-1])
    assert tau == -1.0 and kinds(notes) == ["ranking"]
    assert ranking(shared[:4], shared[:4][::-1])[1] == []
    assert np.isnan(ranking([0.1], [0.2])[0])


def test_a_stage_without_any_evaluation_is_told(config: Config) -> None:
    history = [line(epoch, 50.0) for epoch in range(10)]
    assert kinds(diagnose(config, TASK, history, [])) == ["untaught"]
    assert diagnose(config, TASK, history[:9], []) == []


def test_a_front_no_better_than_chance_is_told() -> None:
    found = {"hypervolume": 0.5, "baseline": {"random_hypervolume": 0.4}}
    assert verdict(Config(), found) == []
    assert kinds(verdict(Config(), {**found, "hypervolume": 0.4})) == ["random"]
