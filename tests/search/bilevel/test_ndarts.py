"""The accuracy-only search: it lowers the validation loss, sees a collapse, and repeats itself
exactly."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from hwnas.config import Config, resolve
from hwnas.nets.supernet import build_supernet
from hwnas.runs import directory as runs
from hwnas.runs.checkpoint import load_checkpoint
from hwnas.search.algorithms.archive import Archive
from hwnas.search.bilevel import ndarts
from hwnas.search.bilevel.alpha import NDarts
from hwnas.search.distributed import shared_weights
from hwnas.search.distributed.shared_weights import SharedWeights
from hwnas.search.progress import SearchProgress
from hwnas.search.search import resume, search
from hwnas.space.family import family
from hwnas.space.space import SPACES
from hwnas.training.data import Batch
from profilers.errors import InputError
from tests.search import tiny


def config(**changes: Any) -> Config:
    settings: dict[str, Any] = {
        "algorithm": "ndarts",
        "space": "nasbench201",
        "channels": 2,
        "stages": [{"cells": 3, "epochs": 2}],
        "evaluation": {"channels": 4, "cells": 3},
        "weight_step": {"batch_size": 16},
        "alpha_step": {"samples": 4, "images": 16},
    }
    return resolve({**settings, **changes})


def batch(seed: int = 0) -> Batch:
    rng = torch.Generator().manual_seed(seed)
    y = torch.arange(16) % 3
    return Batch(torch.randn(16, 1, 8, 8, generator=rng) + y.view(-1, 1, 1, 1), y)


def begin(chosen: Config) -> tuple[NDarts, SharedWeights]:
    net = build_supernet(
        family(SPACES[chosen.space], channels=chosen.channels, cells=3, classes=3, image=(1, 8, 8)),
        seed=0,
    )
    return ndarts.start(chosen, np.random.default_rng(0)), shared_weights.optimise(
        net, chosen.weight_step
    )


def loss(searcher: NDarts, shared: SharedWeights, at: Batch) -> float:
    alpha = (torch.as_tensor(searcher.policies.alpha[0], dtype=torch.float32),)
    with torch.no_grad():
        return float(
            ndarts.mixture_loss(shared.net, searcher.mask(), at)(
                tuple(shared.net.parameters()), alpha
            )
        )


@pytest.mark.parametrize("space", ["nasbench201", "darts", "tnd"])
def test_first_order_alpha_steps_lower_the_validation_loss_in_every_space(space: str) -> None:
    searcher, shared = begin(
        config(space=space, ndarts={"alpha_lr": 0.02, "hypergradient": "first_order"})
    )
    before = loss(searcher, shared, batch(1))
    for _ in range(3):
        searcher = ndarts.alpha_step(searcher, shared, batch(0), batch(1), lr=0.025)
    assert loss(searcher, shared, batch(1)) < before


@pytest.mark.parametrize("hypergradient", ["neumann", "second_order"])
@pytest.mark.parametrize("space", ["nasbench201", "darts", "tnd"])
def test_an_alpha_step_moves_alpha_and_leaves_the_weights(space: str, hypergradient: str) -> None:
    searcher, shared = begin(
        config(space=space, ndarts={"alpha_lr": 0.1, "hypergradient": hypergradient})
    )
    weights = {name: value.clone() for name, value in shared.net.state_dict().items()}
    stepped = ndarts.alpha_step(searcher, shared, batch(0), batch(1), lr=0.025)
    moved = np.abs(stepped.policies.alpha - searcher.policies.alpha)[0][searcher.mask()]
    assert moved.max() == pytest.approx(0.1, rel=0.01)  # Adam's first step is its rate
    assert np.isfinite(stepped.policies.alpha).all()
    assert all(torch.equal(value, weights[name]) for name, value in shared.net.state_dict().items())


@pytest.mark.parametrize("weights", ["sgd", "es", "sgd+es"])
def test_weight_steps_lower_the_loss_of_their_batch(weights: str) -> None:
    searcher, shared = begin(config(ndarts={"weights": weights, "sigma": 0.05, "es_lr": 1.0}))
    rng = torch.Generator().manual_seed(0)
    before = loss(searcher, shared, batch())
    seen = [ndarts.weight_step(searcher, shared, batch(), 0.025, rng) for _ in range(8)]
    assert seen[0] == pytest.approx(before, rel=1e-5)
    assert loss(searcher, shared, batch()) < before


def test_operations_outside_the_mask_are_given_no_share() -> None:
    searcher, _ = begin(config(space="tnd"))
    absent = ~searcher.mask()
    assert absent.any()
    assert searcher.mixture()[absent].max() == 0.0
    shared = begin(config(space="tnd"))[1]
    stepped = ndarts.alpha_step(searcher, shared, batch(0), batch(1), 0.025)
    assert np.array_equal(stepped.policies.alpha[0][absent], searcher.policies.alpha[0][absent])


def test_the_watch_writes_a_row_and_counts_what_diverged() -> None:
    searcher, shared = begin(config())
    searcher = replace(searcher, steps=np.array([4, 1, 0]))
    searcher = ndarts.monitor(searcher, shared.net, batch())
    (row,) = searcher.health()
    assert row.diverged == 0.25
    assert row.curvature > 0.0
    assert row.entropy == pytest.approx(6 * np.log(5), rel=1e-3)
    assert searcher.steps.tolist() == [0, 0, 0]
    assert np.array_equal(searcher.alphas[0], searcher.policies.alpha[0])


@settings(max_examples=30, deadline=None)
@given(st.sampled_from(["nasbench201", "tnd"]), st.integers(0, 2**31), st.floats(0, 8))
def test_however_large_the_share_of_none_an_edge_that_may_stay_stays(
    space: str, seed: int, lead: float
) -> None:
    searcher = ndarts.start(config(space=space), np.random.default_rng(seed))
    none = SPACES[space].is_none
    alpha = np.random.default_rng(seed).normal(size=searcher.policies.alpha.shape) * searcher.mask()

    def derived(alpha: np.ndarray[Any, Any]) -> list[int]:
        found = replace(searcher, policies=replace(searcher.policies, alpha=alpha)).derived()
        return [int(op) for op in found]

    kept = derived(alpha + lead * none)
    assert kept == derived(alpha)
    assert not none[np.arange(len(kept)), kept].any()


def test_after_an_alarm_the_network_of_before_is_a_finalist_too() -> None:
    searcher, _ = begin(config())
    alphas = np.zeros((12, 6, 5))
    alphas[:6, :, 3] = 1.0  # nor_conv_3x3 leads in the first six epochs, skip_connect afterwards
    alphas[6:, :, 1] = 1.0
    calm, collapsed = [0.0, 9.0, 1.0, 0.0], [1.0, 9.0, 1.0, 0.0]
    searcher = replace(
        searcher,
        trace=np.array([calm] * 6 + [collapsed] * 6),
        alphas=alphas,
        policies=replace(searcher.policies, alpha=alphas[None, -1]),
    )
    assert searcher.healthy() == 1
    archive = Archive(
        choices=np.full((1, 6), 2),
        accuracy=np.array([0.5]),
        costs=np.zeros((1, 0)),
        seen=np.array([1]),
    )
    finalists = [one.tolist() for one, _ in searcher.finalists(archive, 4)]
    assert finalists[:2] == [[1] * 6, [3] * 6]
    assert all(
        one.count(1) == 5 for one in finalists[2:]
    )  # the next likeliest: one edge is another
    assert len(finalists) == 4
    (alarm,) = searcher.diagnostics()
    assert (alarm.stage, alarm.kind) == (0, "curvature")
    assert "the network derived before the alarm is among the finalists" in alarm.advice
    assert begin(config())[0].diagnostics() == []


def test_it_asks_for_the_derived_network_first_and_learns_nothing_from_being_told() -> None:
    searcher, _ = begin(config())
    asked = searcher.ask(3, np.random.default_rng(0))
    assert asked.shape == (3, 6)
    assert np.array_equal(asked[0], searcher.derived())
    assert searcher.tell(asked, np.zeros(3), np.zeros((3, 0))) is searcher


def test_a_checkpoint_holds_all_of_it() -> None:
    searcher, shared = begin(config())
    searcher = ndarts.alpha_step(searcher, shared, batch(0), batch(1), 0.025)
    searcher = ndarts.monitor(searcher, shared.net, batch())
    back = ndarts.start(searcher.config, np.random.default_rng(9)).with_arrays(searcher.to_arrays())
    assert back.to_arrays().keys() == searcher.to_arrays().keys()
    assert all(
        np.array_equal(a, b)
        for a, b in zip(back.to_arrays().values(), searcher.to_arrays().values(), strict=True)
    )


def test_a_checkpoint_from_before_stages_were_pooled_still_opens() -> None:
    searcher, _ = begin(config())
    arrays = {name: array for name, array in searcher.to_arrays().items() if name != "before"}
    back = ndarts.start(searcher.config, np.random.default_rng(9)).with_arrays(arrays)
    assert back.derived().tolist() == searcher.derived().tolist()


def test_the_next_stage_keeps_the_likeliest_operations_and_forgets_the_rest() -> None:
    searcher, _ = begin(config(space="darts"))
    following = searcher.next_stage(np.random.default_rng(1))
    kept = SPACES["darts"].survivors["normal"][1]
    assert (following.mask().sum(axis=1) == kept).all()
    assert len(following.trace) == 0


def stages(chosen: Config, *alphas: np.ndarray) -> NDarts:
    """A searcher whose stages ended with these alphas (edges, operations)."""
    searcher = ndarts.start(chosen, np.random.default_rng(0))
    for number, alpha in enumerate(alphas):
        searcher = searcher.next_stage(np.random.default_rng(number)) if number else searcher
        searcher = replace(searcher, policies=replace(searcher.policies, alpha=alpha[None]))
    return searcher


@settings(max_examples=20, deadline=None)
@given(st.integers(0, 2**20))
def test_pooled_stages_derive_what_their_mean_alpha_does_in_any_order(seed: int) -> None:
    rng = np.random.default_rng(seed)
    shape = SPACES["nasbench201"].mask.shape
    alphas = [rng.normal(size=shape) for _ in range(3)]
    pooled, alone = config(ndarts={"pooled": True}), config()
    expected = stages(alone, np.mean(alphas, axis=0)).derived()
    archive = Archive(
        choices=np.zeros((0, 6), dtype=np.int64),
        accuracy=np.zeros(0),
        costs=np.zeros((0, 0)),
        seen=np.zeros(0, dtype=int),
    )
    listed = [
        one.tolist() for one, _ in stages(alone, np.mean(alphas, axis=0)).finalists(archive, 5)
    ]
    for order in ([0, 1, 2], [2, 0, 1]):
        found = stages(pooled, *(alphas[place] for place in order))
        assert found.derived().tolist() == expected.tolist()
        assert [one.tolist() for one, _ in found.finalists(archive, 5)] == listed
        # Training and the next draws follow the stage's own alpha.
        assert found.mixture() == pytest.approx(stages(alone, alphas[order[-1]]).mixture())
    last = stages(alone, *alphas).derived()
    assert last.tolist() == stages(alone, alphas[-1]).derived().tolist()


def test_pooled_stages_that_shrink_ask_for_survivors_alone() -> None:
    chosen = config(space="darts", ndarts={"pooled": True})
    rng = np.random.default_rng(0)
    shape = SPACES["darts"].mask.shape
    searcher = stages(chosen, rng.normal(size=shape), rng.normal(size=shape))
    archive = Archive(
        choices=np.zeros((0, shape[0]), dtype=np.int64),
        accuracy=np.zeros(0),
        costs=np.zeros((0, 0)),
        seen=np.zeros(0, dtype=int),
    )
    for _, table in searcher.finalists(archive, 4):
        assert (table[~searcher.mask()] == 0).all() and table.sum(axis=1) == pytest.approx(1)
    back = ndarts.start(chosen, rng).with_arrays(searcher.to_arrays())
    assert back.derived().tolist() == searcher.derived().tolist()


@pytest.mark.parametrize(
    ("key", "value"), [("population", 3), ("gamma", -1.0), ("gamma", float("nan"))]
)
def test_settings_that_cannot_work_are_refused_by_name(key: str, value: float) -> None:
    with pytest.raises(InputError, match=f"ndarts.{key}"):
        ndarts.start(config(ndarts={key: value, "weights": "es"}), np.random.default_rng(0))


def result(path: Path) -> dict[str, Any]:
    found: dict[str, Any] = json.loads((path / "front.json").read_text())
    del found["seconds"]
    return found


@pytest.mark.parametrize("weights", ["sgd", "es"])
def test_a_stopped_search_ends_like_an_uninterrupted_one(tmp_path: Path, weights: str) -> None:
    data = {"source": str(tiny.images(tmp_path / "tiny.npz"))}
    chosen = config(
        data=data, ndarts={"weights": weights, "weight_steps": 2, "samples_per_epoch": 32}
    )

    def interrupt(progress: SearchProgress) -> None:
        raise KeyboardInterrupt

    search(chosen, tmp_path / "whole")
    with pytest.raises(KeyboardInterrupt):
        search(chosen, tmp_path / "stopped", interrupt)
    resume(tmp_path / "stopped")
    assert (tmp_path / "stopped/trials.jsonl").read_bytes() == (
        tmp_path / "whole/trials.jsonl"
    ).read_bytes()
    assert result(tmp_path / "stopped") == result(tmp_path / "whole")
    states = [load_checkpoint(runs.open_run(tmp_path / name)) for name in ("stopped", "whole")]
    assert states[0] is not None and states[1] is not None
    assert all(np.array_equal(states[0][0][name], array) for name, array in states[1][0].items())


def test_without_a_cost_objective_it_is_the_algorithm() -> None:
    assert resolve({}).algorithm == "ndarts"
    assert resolve({"objectives": [{"metric": "params"}]}).algorithm == "tndnas"


@pytest.mark.parametrize("name", ["quickstart", "nasbench201", "cifar10", "imagenet"])
def test_every_named_ndarts_search_resolves_and_starts(name: str) -> None:
    chosen = resolve({}, f"ndarts-{name}")
    assert chosen.algorithm == "ndarts"
    assert (
        ndarts.start(chosen, np.random.default_rng(0)).mixture().shape
        == SPACES[chosen.space].mask.shape
    )
