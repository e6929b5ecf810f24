"""Several processes: their gradients are those of one that averages the same paths, and what
stops one stops all."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
import time
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
import torch.nn.functional as F

from hwnas.errors import Stopped
from hwnas.runs import directory as runs
from hwnas.runs.checkpoint import load_checkpoint
from hwnas.runs.trials import read_trials
from hwnas.search.algorithms import policy
from hwnas.search.bilevel import ndarts
from hwnas.search.bilevel.weight_evolution import Evolution, evolve
from hwnas.search.distributed.launch import launch
from hwnas.search.distributed.ranks import ALONE, ON_GPUS_S, waits
from hwnas.search.plan import plan
from hwnas.search.search import resume, search, whereabouts
from profilers.errors import InputError
from tests.search import tiny
from tests.search.distributed import several

ROOT = Path(__file__).parents[2]


@pytest.fixture(scope="module")
def pair(tmp_path_factory: pytest.TempPathFactory) -> list[dict[str, Any]]:
    """What each process of a pair found (tests/search/distributed/several.py)."""
    folder = tmp_path_factory.mktemp("pair")
    codes, asked = launch(2, partial(several.lessons, str(folder)))
    assert (codes, asked) == ([0, 0], False)
    return [dict(np.load(folder / f"{rank}.npz")) for rank in (0, 1)]


def expected(paths: list[Any]) -> tuple[float, dict[str, Any]]:
    """Loss and gradients of one process: the mean over these paths, each on its own batch."""
    net = several.shared().net
    losses = []
    for number, chosen in enumerate(paths):
        x, y, _ = several.batch(number)
        logits = (
            net.sampled(x, chosen)
            if chosen.ndim == 1
            else net.mixture(x, torch.tensor(chosen).float())
        )
        losses.append(F.cross_entropy(logits, y))
    loss = torch.stack(losses).mean()
    loss.backward()
    return float(loss.detach()), several.gradients(net)


def taken(found: dict[str, Any], name: str) -> dict[str, Any]:
    head = f"{name}.grad."
    return {key.removeprefix(head): value for key, value in found.items() if key.startswith(head)}


def assert_same_gradients(one: dict[str, Any], other: dict[str, Any]) -> None:
    assert one.keys() == other.keys()
    scale = max(np.abs(value).max() for value in other.values())
    for name, value in other.items():
        np.testing.assert_allclose(one[name], value, rtol=1e-5, atol=1e-6 * scale, err_msg=name)


@pytest.mark.parametrize("kind", ["sampled", "mixture"])
def test_two_processes_give_the_gradients_of_one_that_averages_their_paths(
    pair: list[dict[str, Any]], kind: str
) -> None:
    chosen = [several.path(0), several.path(1)] if kind == "sampled" else [several.mixture()] * 2
    loss, gradients = expected(chosen)
    for found in pair:
        assert float(found[f"{kind}.loss"]) == pytest.approx(loss, rel=1e-6)
        assert_same_gradients(taken(found, kind), gradients)
    assert pair[0][f"{kind}.digest"] == pair[1][f"{kind}.digest"]


def test_what_one_path_alone_touches_gets_half_and_what_none_touches_stays_alone(
    pair: list[dict[str, Any]],
) -> None:
    own, other = (expected([several.path(number)] if number == 0 else [])[1] for number in (0, 0))
    both = taken(pair[0], "sampled")
    second = several.shared().net
    x, y, _ = several.batch(1)
    F.cross_entropy(second.sampled(x, several.path(1)), y).backward()  # type: ignore[no-untyped-call]
    theirs = several.gradients(second)
    only_first, neither = (
        own.keys() - theirs.keys(),
        set(dict(second.named_parameters())) - own.keys(),
    )
    assert only_first and neither - theirs.keys()
    for name in only_first:
        np.testing.assert_allclose(both[name], own[name] / 2, rtol=1e-5, atol=1e-7)
    assert both.keys() == own.keys() | theirs.keys()
    assert own.keys() == other.keys()


def test_a_process_without_a_batch_takes_no_part_in_the_mean(pair: list[dict[str, Any]]) -> None:
    _, gradients = expected([several.path(0)])
    for found in pair:
        assert_same_gradients(taken(found, "idle"), gradients)


def test_alpha_follows_the_mean_of_the_hypergradients(pair: list[dict[str, Any]]) -> None:
    firsts = []
    for rank in (0, 1):
        searcher, shared = several.accuracy_only()
        stepped = ndarts.alpha_step(
            searcher, shared, several.batch(rank), several.batch(10 + rank), 0.025
        )
        firsts.append(stepped.policies.first)
    mean = np.mean(
        firsts, axis=0
    )  # Adam's running mean after one step: (1 - beta1) times the descent, with decay
    learning = policy.Learning(lr=2 * 3e-4, weight_decay=0.0)
    alpha = policy.adam(searcher.policies, -mean / (1 - learning.beta1), learning).alpha
    for found in pair:
        np.testing.assert_allclose(found["ndarts.first"], mean, rtol=1e-5, atol=1e-8)
        np.testing.assert_allclose(found["ndarts.alpha"], alpha, atol=1e-5)
    assert np.array_equal(pair[0]["ndarts.alpha"], pair[1]["ndarts.alpha"])


def test_evolution_takes_the_candidate_that_is_best_on_both_batches(
    pair: list[dict[str, Any]],
) -> None:
    searcher, shared = several.accuracy_only(weights="es")
    alpha = (torch.as_tensor(searcher.policies.alpha[0], dtype=torch.float32),)
    losses = [
        ndarts.mixture_loss(shared.net, searcher.mask(), several.batch(rank)) for rank in (0, 1)
    ]
    settings = searcher.config.ndarts
    evolved = evolve(
        lambda weights: torch.stack([loss(weights, alpha) for loss in losses]).mean(),
        tuple(shared.net.parameters()),
        torch.Generator().manual_seed(0),
        Evolution(sigma=settings.sigma, rate=settings.es_lr, population=settings.population),
    )
    weights = np.concatenate([weight.numpy().ravel() for weight in evolved.weights])
    for found in pair:
        assert float(found["es.loss"]) == pytest.approx(evolved.parent_loss, rel=1e-6)
        np.testing.assert_allclose(found["es.weights"], weights, rtol=1e-5, atol=1e-6)
    assert np.array_equal(pair[0]["es.weights"], pair[1]["es.weights"])


def test_what_is_divided_comes_back_whole_and_exact(pair: list[dict[str, Any]]) -> None:
    for found in pair:
        assert found["divided"].tolist() == [number / 7 for number in range(7)]
        assert found["agreed"].tolist() == [False, True]
        assert found["shared"] == pair[0]["pid"] != pair[1]["pid"]


def test_memory_that_is_too_small_for_one_process_is_too_small_for_all(
    pair: list[dict[str, Any]],
) -> None:
    assert [int(found["parts"]) for found in pair] == [2, 2]


def test_processes_that_went_different_ways_are_stopped_loudly(pair: list[dict[str, Any]]) -> None:
    assert all(
        "no longer hold the same weights (digests 5, 6)" in str(found["unequal"]) for found in pair
    )


def test_a_sum_that_a_process_does_not_join_is_given_up_in_time(pair: list[dict[str, Any]]) -> None:
    assert str(pair[0]["late.said"]) == "a sum over the GPUs of all processes timed out after 0.1 s"
    assert all(one["late.sum"].tolist() == [2.0, 2.0, 2.0] for one in pair)
    assert ON_GPUS_S < 60


def test_a_process_alone_asks_nobody(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.distributed, "all_reduce", None)
    values = torch.ones(2)
    assert ALONE.mean(values) is values
    assert ALONE.any_rank(True, False) == (True, False)
    assert ALONE.broadcast(lambda: 3) == 3
    assert ALONE.sharded(3, float).tolist() == [0.0, 1.0, 2.0]
    assert ALONE.average_gradients([], 0.5) == 0.5
    ALONE.check_equal(lambda: 1 // 0)
    assert ALONE.is_main and ALONE.speaks()


@pytest.mark.parametrize("missing", ["RANK", "MASTER_ADDR", "MASTER_PORT", "WORLD_SIZE"])
def test_half_an_environment_is_no_world(monkeypatch: pytest.MonkeyPatch, missing: str) -> None:
    whole = {"RANK": "1", "WORLD_SIZE": "2", "MASTER_ADDR": "localhost", "MASTER_PORT": "1"}
    for name, value in whole.items():
        monkeypatch.setenv(name, value)
    assert waits()
    monkeypatch.delenv(missing)
    assert not waits()


SEARCHES: dict[str, dict[str, Any]] = {
    "tndnas": {},
    "mixture, ragged": {"weights": "mixture", "weight_step": {"batch_size": 8}},
    "ndarts": {
        "algorithm": "ndarts",
        "objectives": [],
        "space": "nasbench201",
        "stages": [{"cells": 3, "epochs": 3}],
        "ndarts": {
            "weights": "sgd+es",
            "weight_steps": 2,
            "population": 2,
            "hypergradient": "first_order",
        },
    },
}


@pytest.mark.slow  # two processes, three searches each
@pytest.mark.parametrize("name", SEARCHES)
def test_a_stopped_search_of_two_processes_ends_like_an_uninterrupted_one(
    tmp_path: Path, name: str
) -> None:
    tiny.images(tmp_path / "images.npz", count=88)
    codes, _ = launch(2, partial(several.searches, str(tmp_path), SEARCHES[name]))
    assert codes == [0, 0]
    one, other = (np.load(tmp_path / f"{rank}.npz") for rank in (0, 1))
    assert one["stopped"] and other["stopped"]
    assert np.array_equal(one["digests"], other["digests"]) and len(set(one["digests"])) >= 3
    for file in ("trials.jsonl", "history.jsonl"):
        whole = (tmp_path / "whole" / file).read_bytes()
        assert (tmp_path / "resumed" / file).read_bytes() == whole
    fronts = [
        json.loads((tmp_path / run / "front.json").read_text()) for run in ("whole", "resumed")
    ]
    assert fronts[0] | {"seconds": 0} == fronts[1] | {"seconds": 0}

    # One process goes on from where two were stopped: the same trials before, as many after.
    kept = (tmp_path / "kept" / "trials.jsonl").read_bytes()
    assert "1 processes after 2" in whereabouts(runs.open_run(tmp_path / "other"))
    resume(tmp_path / "other")
    ended = (tmp_path / "other" / "trials.jsonl").read_bytes()
    whole = (tmp_path / "whole" / "trials.jsonl").read_bytes()
    assert ended.startswith(kept) and len(ended.splitlines()) == len(whole.splitlines())


@pytest.mark.slow
def test_processes_do_as_many_evaluations_as_one_in_the_same_places(tmp_path: Path) -> None:
    config = tiny.config(tiny.images(tmp_path / "images.npz", count=88))
    codes, _ = launch(2, partial(several.searches, str(tmp_path), {}))
    assert codes == [0, 0]
    alone = search(config, tmp_path / "alone")
    where = [
        [(trial.number, trial.stage, trial.epoch, trial.step) for trial in read_trials(run)]
        for run in (alone, runs.open_run(tmp_path / "whole"))
    ]
    assert where[0] == where[1]


@pytest.mark.slow
def test_a_loss_that_is_no_number_on_one_process_sets_all_of_them_back(tmp_path: Path) -> None:
    tiny.images(tmp_path / "images.npz", count=88)
    codes, _ = launch(2, partial(several.diverges, str(tmp_path)))
    assert codes == [0, 0]
    found = load_checkpoint(runs.open_run(tmp_path / "run"))
    assert found is not None and found[1]["position"]["rate"] == 0.5
    assert [one["rate"] for one in found[1]["setbacks"]] == [0.5]


def hwnas(*words: str, **more: Any) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-c", "from hwnas.cli import main; main()", *words],
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        **more,
    )


def ranks_of(launcher: subprocess.Popen[str]) -> list[int]:
    """The processes that a launcher has started, rank 0 first."""
    children = Path(f"/proc/{launcher.pid}/task/{launcher.pid}/children").read_text().split()
    return [
        int(child)
        for child in children
        if "spawn_main" in Path(f"/proc/{child}/cmdline").read_text()
    ]


def running(tmp_path: Path) -> subprocess.Popen[str]:
    """A search of two processes that has written a checkpoint, and would go on for long."""
    config = tiny.config(tiny.images(tmp_path / "images.npz"))
    (tmp_path / "tiny.toml").write_bytes(runs.configs.dump(config))
    words = (
        "search",
        "--config",
        str(tmp_path / "tiny.toml"),
        "--epochs",
        "16",
        "--processes",
        "2",
    )
    found = hwnas(*words, "--out", str(tmp_path / "run"), "--quiet")
    for _ in range(1200):
        if (tmp_path / "run" / "checkpoint" / "state.safetensors").exists():
            return found
        time.sleep(0.05)
    found.kill()
    raise AssertionError(found.stderr.read() if found.stderr else "")


@pytest.mark.slow
@pytest.mark.skipif(
    not Path("/proc/self/task").exists(), reason="finds the processes through /proc"
)
@pytest.mark.parametrize("rank", [0, 1])
def test_a_killed_process_ends_the_search_with_one_line_and_resume_goes_on(
    tmp_path: Path, rank: int
) -> None:
    job = running(tmp_path)
    os.kill(ranks_of(job)[rank], signal.SIGKILL)
    _, said = job.communicate(timeout=60)
    assert job.returncode == 3
    (line,) = said.strip().splitlines()
    assert re.match(
        r"stopped: another process .* has died; .* hwnas resume .*run --processes 2$", line
    )
    run = runs.open_run(tmp_path / "run")
    assert load_checkpoint(run) is not None and not run.front_path.exists()
    with runs.lock(run):
        pass  # nobody holds it any more
    ended = hwnas("resume", str(tmp_path / "run"), "--json", "--quiet", "--processes", "2")
    printed, said = ended.communicate(timeout=120)
    assert ended.returncode == 0, said
    assert json.loads(printed)["front"] == json.loads(run.front_path.read_text())["front"]


@pytest.mark.slow
def test_a_stop_of_the_launcher_stops_all_in_order(tmp_path: Path) -> None:
    job = running(tmp_path)
    job.send_signal(signal.SIGINT)
    _, said = job.communicate(timeout=60)
    assert job.returncode == 130
    assert said.strip() == f"stopped; go on with: hwnas resume {tmp_path / 'run'} --processes 2"
    assert load_checkpoint(runs.open_run(tmp_path / "run")) is not None


@pytest.mark.slow
def test_torchrun_starts_the_same_search(tmp_path: Path) -> None:
    config = tiny.config(tiny.images(tmp_path / "images.npz", count=88))
    (tmp_path / "tiny.toml").write_bytes(runs.configs.dump(config))
    words = ["search", "--config", str(tmp_path / "tiny.toml"), "--json", "--quiet"]
    launched = hwnas(*words, "--out", str(tmp_path / "a"), "--processes", "2")
    printed, said = launched.communicate(timeout=120)
    assert launched.returncode == 0, said
    torchrun = [
        sys.executable,
        "-m",
        "torch.distributed.run",
        "--standalone",
        "--nproc-per-node",
        "2",
    ]
    done = subprocess.run(
        [*torchrun, "-m", "hwnas", *words, "--out", str(tmp_path / "b")],
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        timeout=120,
    )
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout)["front"] == json.loads(printed)["front"]
    assert (tmp_path / "a/trials.jsonl").read_bytes() == (tmp_path / "b/trials.jsonl").read_bytes()


@pytest.mark.slow
def test_what_all_processes_find_out_is_said_once(tmp_path: Path) -> None:
    job = hwnas("search", "--data", "nowhere", "--out", str(tmp_path / "run"), "--processes", "2")
    _, said = job.communicate(timeout=60)
    assert job.returncode == 2
    (line,) = said.strip().splitlines()
    assert line.startswith("error: unknown data set 'nowhere'")


def test_numbers_of_processes_that_make_no_sense_are_refused(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    from hwnas.cli.processes import launched

    def never() -> None:
        raise AssertionError("no process is needed")

    with pytest.raises(InputError, match="--processes must be within"):
        launched(0, never)
    launched(None, never)
    launched(1, never)
    monkeypatch.setenv("WORLD_SIZE", "4")
    with pytest.raises(InputError, match="torchrun has started 4"):
        launched(2, never)
    launched(4, never)


def test_processes_that_share_the_memory_get_parts_of_it(tmp_path: Path) -> None:
    from dataclasses import replace

    from hwnas.search.memory import free_mib

    config = tiny.config(tiny.images(tmp_path / "images.npz"), device="cpu")
    plan(config)
    assert free_mib(config, replace(ALONE, neighbours=4)) < 0.5 * free_mib(config)


def test_what_is_raised_for_a_silent_process_is_a_stop() -> None:
    from hwnas.search.distributed.ranks import PeerLost, _peer_lost

    with pytest.raises(PeerLost), _peer_lost():
        raise RuntimeError("Connection closed by peer")
    assert not issubclass(PeerLost, Stopped)  # hwnas.search.search says how to go on
