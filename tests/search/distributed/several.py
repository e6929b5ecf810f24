"""What the processes of tests/search/distributed/test_ranks.py do: here, so that they import no
more than they need."""

from __future__ import annotations

import os
import shutil
import signal
from pathlib import Path
from typing import Any

import numpy as np
import torch
import torch.distributed as dist
from numpy.typing import NDArray

from hwnas.config import Config, WeightStep, resolve
from hwnas.errors import Stopped
from hwnas.nets.supernet import Supernet, build_supernet
from hwnas.search import loop
from hwnas.search.bilevel import ndarts
from hwnas.search.bilevel.alpha import NDarts
from hwnas.search.distributed import shared_weights
from hwnas.search.distributed.ranks import ALONE, PeerLost, Ranks, finish, world
from hwnas.search.distributed.shared_weights import SharedWeights
from hwnas.search.state import State, digest
from hwnas.search.steps import weight_step
from hwnas.space.family import family
from hwnas.space.space import SPACES
from hwnas.training.data import Batch
from tests.search import tiny

LR = 0.1
UNCLIPPED = WeightStep(lr=LR, clip=1e9)


def batch(number: int, size: int = 8) -> Batch:
    rng = torch.Generator().manual_seed(number)
    y = torch.arange(size) % 3
    return Batch(torch.randn(size, 1, 8, 8, generator=rng) + y.view(-1, 1, 1, 1), y)


def path(number: int) -> NDArray[np.int64]:
    """Operations of the DARTS space, (edges,); path 1 leaves both inputs of the first cell's
    kind out."""
    chosen = np.random.default_rng(number).integers(1, 8, len(SPACES["darts"].slots))
    if number == 1:
        sources = np.array([slot.source for slot in SPACES["darts"].slots])
        chosen[sources == 0] = 0  # none: what prepares that input is executed, and gets no gradient
    return chosen


def mixture() -> NDArray[np.float64]:
    space = SPACES["darts"]
    shares = np.where(space.mask, np.random.default_rng(0).random(space.mask.shape), 0.0)
    return np.asarray(shares / shares.sum(axis=1, keepdims=True))


def shared(ranks: Ranks = ALONE) -> SharedWeights:
    net = build_supernet(
        family(SPACES["darts"], channels=2, cells=3, classes=3, image=(1, 8, 8)), seed=0
    )
    return shared_weights.optimise(net, UNCLIPPED, ranks)


def gradients(net: Supernet) -> dict[str, NDArray[np.float32]]:
    """Of the weights that have one."""
    return {
        name: weight.grad.numpy().copy()
        for name, weight in net.named_parameters()
        if weight.grad is not None
    }


def accuracy_only(ranks: Ranks = ALONE, weights: str = "sgd") -> tuple[NDarts, SharedWeights]:
    config: Config = resolve(
        {
            "algorithm": "ndarts",
            "space": "nasbench201",
            "channels": 2,
            "stages": [{"cells": 3, "epochs": 2}],
            "evaluation": {"channels": 4, "cells": 3},
            "ndarts": {"weights": weights, "sigma": 0.05, "es_lr": 1.0},
        }
    )
    net = build_supernet(
        family(SPACES["nasbench201"], channels=2, cells=3, classes=3, image=(1, 8, 8)), seed=0
    )
    return ndarts.start(config, np.random.default_rng(0)), shared_weights.optimise(
        net, UNCLIPPED, ranks
    )


def late(ranks: Ranks) -> dict[str, Any]:
    """A sum in which rank 1 is missing until rank 0 has given it up once."""
    ones, said = torch.ones(3), ""
    if ranks.is_main:
        begun = dist.all_reduce(ones, async_op=True)
        try:
            finish(begun, 0.1)
        except PeerLost as error:
            said = str(error)
        ranks.store.set("given up", "1")
        finish(begun)
    else:
        ranks.store.wait(["given up"])
        finish(dist.all_reduce(ones, async_op=True))
    return {"late.said": said, "late.sum": ones.numpy()}


def lessons(folder: str) -> None:
    """One process of a pair: everything that ranks exchange, written down for the tests to look
    at."""
    torch.set_num_threads(1)
    found: dict[str, Any] = {}
    with world() as ranks:
        mine = batch(ranks.rank)
        for name, chosen in (("sampled", path(ranks.rank)), ("mixture", mixture())):
            both = shared(ranks)
            found[f"{name}.loss"] = shared_weights.weight_step(both, mine, chosen, LR)
            found |= {f"{name}.grad.{key}": value for key, value in gradients(both.net).items()}
            found[f"{name}.digest"] = shared_weights.digest(both)
        both = shared(ranks)
        shared_weights.weight_step(both, mine if ranks.is_main else None, path(ranks.rank), LR)
        found |= {f"idle.grad.{key}": value for key, value in gradients(both.net).items()}

        searcher, both = accuracy_only(ranks)
        searcher = ndarts.alpha_step(searcher, both, mine, batch(10 + ranks.rank), 0.025)
        found |= {"ndarts.first": searcher.policies.first, "ndarts.alpha": searcher.policies.alpha}
        searcher, both = accuracy_only(ranks, "es")
        found["es.loss"] = ndarts.weight_step(
            searcher, both, mine, LR, torch.Generator().manual_seed(0)
        )
        found["es.weights"] = np.concatenate(
            [w.detach().numpy().ravel() for w in both.net.parameters()]
        )

        found["divided"] = ranks.sharded(7, lambda number: number / 7)
        found["agreed"] = np.array(ranks.any_rank(False, ranks.rank == 1))
        found["shared"] = ranks.broadcast(lambda: os.getpid())
        found["pid"] = os.getpid()
        found["parts"] = small_memory(ranks, searcher)
        try:
            ranks.check_equal(lambda: 5 + ranks.rank)
        except Stopped as error:
            found["unequal"] = str(error)
        found |= late(ranks)
    np.savez(Path(folder) / f"{ranks.rank}.npz", **found)


def small_memory(ranks: Ranks, searcher: Any) -> int:
    """A step whose whole batch fits into the memory of rank 0 and not into that of rank 1;
    returns the pieces."""
    both = shared(ranks)
    true = both.net.sampled

    def sampled(x: torch.Tensor, choices: Any) -> torch.Tensor:
        if len(x) > 4 and ranks.rank == 1:
            raise torch.OutOfMemoryError("out of memory")
        return true(x, choices)

    both.net.sampled = sampled  # type: ignore[method-assign]
    state = State(searcher=searcher, shared=both)
    weight_step(state, batch(ranks.rank), path(ranks.rank), LR)
    return state.position.micro_batches


def searches(folder: str, changes: dict[str, Any]) -> None:
    """One process of several: a whole search; one that rank 1 is asked to stop in the middle,
    and its rest."""
    from hwnas.search.search import resume, search

    torch.set_num_threads(1)
    config = tiny.config(Path(folder) / "images.npz", **changes)
    steps, stop_at, digests = 0, 0, list[int]()
    true_step, true_save = shared_weights.weight_step, loop.save

    def step(*words: Any) -> float:
        nonlocal steps
        steps += 1
        if steps == stop_at and ranks.rank == 1:
            os.kill(os.getpid(), signal.SIGTERM)
        return true_step(*words)

    def save(run: Any, state: State, *words: Any) -> float:
        digests.append(digest(state))
        return true_save(run, state, *words)

    shared_weights.weight_step, loop.save = step, save  # type: ignore[assignment]
    with world() as ranks:
        search(config, Path(folder) / "whole", ranks=ranks)
        stop_at, steps = 2 * steps // 3, 0
        stopped = False
        try:
            search(config, Path(folder) / "stopped", ranks=ranks)
        except KeyboardInterrupt:
            stopped = True
        if ranks.is_main:
            (Path(folder) / "stopped").rename(Path(folder) / "kept")
            for name in ("resumed", "other"):
                shutil.copytree(Path(folder) / "kept", Path(folder) / name)
        ranks.any_rank()
        resume(Path(folder) / "resumed", ranks=ranks)
    np.savez(Path(folder) / f"{ranks.rank}.npz", digests=np.array(digests), stopped=stopped)


def diverges(folder: str) -> None:
    """One process of two: a search in which one batch of rank 1 has a loss that is no number."""
    from hwnas.search.search import search

    torch.set_num_threads(1)
    true_backward, calls = shared_weights._backward, 0

    def backward(*words: Any) -> float:
        nonlocal calls
        calls += 1
        loss = true_backward(*words)
        return float("nan") if calls == 3 and ranks.rank == 1 else loss

    shared_weights._backward = backward
    with world() as ranks:
        search(tiny.config(Path(folder) / "images.npz"), Path(folder) / "run", ranks=ranks)
