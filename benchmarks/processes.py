"""Images per second of one search on N processes against one process, one thread each, interleaved.

Bar: 1.6 x for 2.

    OMP_NUM_THREADS=1 python -m benchmarks.processes --json benchmarks/results/processes.json
    OMP_NUM_THREADS=1 python -m benchmarks.processes --rounds 3 --seconds 2 --only "sampled, batch
    64"

All processes are started once. A round lets process 0 search alone for some seconds, then all of
them together, in an order that is drawn anew; each turn takes the loop's own steps from a fresh
supernet, weight and alpha steps in the share that the config asks for. The ratio is taken within
each round, so that a busy host slows both alike. Bytes are those that torch.distributed was given
to add up, per weight step and rank; a ring sends about 2 (N - 1) / N times as many.
``exchange_share``: of process 0's time, spent in those sums, which is the transfer and above all
the wait for the slowest path. ``ratio_cpu`` counts a process's own seconds, each step those of the
slowest: what the ratio would be on cores that nobody else uses, were messages free. ``load``: of
the host, in the minute before each round.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import random
import statistics
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from multiprocessing.connection import Client, Connection, Listener
from pathlib import Path
from typing import Any

import numpy as np
import torch
import torch.distributed as dist

from hwnas.config import Config, resolve
from hwnas.runs import directory as runs
from hwnas.search import loop
from hwnas.search.checkpoint import restore
from hwnas.search.distributed.launch import launch
from hwnas.search.distributed.ranks import ALONE, Ranks, world
from hwnas.search.plan import SearchPlan, plan, searcher_of

ADDRESS = "HWNAS_BENCHMARK"
IMAGES = 8192
CYCLE = 4


def cases() -> dict[str, dict[str, Any]]:
    """Settings beside the defaults; epochs are long enough that no turn ends one."""
    tnd = {
        "objectives": [{"metric": "params"}],
        "alpha_step": {"every": 4, "samples": 10, "images": 32},
    }
    wide = {**tnd, "channels": 16, "stages": [{"cells": 5, "epochs": 100}], "space": "darts"}
    return {
        "sampled, batch 32, C 8": {**tnd, "stages": [{"cells": 3, "epochs": 100}]},
        "sampled, batch 64, C 16": {**wide, "weight_step": {"batch_size": 64}},
        "mixture, batch 32, C 8": {
            **tnd,
            "weights": "mixture",
            "stages": [{"cells": 3, "epochs": 100}],
        },
        "ndarts, batch 8, C 8": {
            "algorithm": "ndarts",
            "space": "darts",
            "stages": [{"cells": 3, "epochs": 100}],
            "weight_step": {"batch_size": 8},
        },
    }


def prepared(folder: Path, settings: dict[str, Any]) -> tuple[SearchPlan, runs.Run]:
    """Random images of 16 x 16 x 3 pixels, and a run directory for the trials of process 0."""
    rng = np.random.default_rng(0)
    path = folder / "images.npz"
    if not path.exists():
        pixels = rng.integers(0, 255, (2 * IMAGES, 16, 16, 3)).astype(np.uint8)
        labels = np.arange(2 * IMAGES) % 10
        np.savez(path, x_train=pixels, y_train=labels, x_test=pixels[:64], y_test=labels[:64])
    config: Config = resolve({**settings, "data": {"source": str(path)}})
    return plan(config), runs.Run(path=Path(tempfile.mkdtemp(dir=folder)), config=config)


def turn(planned: SearchPlan, run: runs.Run, ranks: Ranks, seconds: float) -> dict[str, float]:
    """Steps of the loop for so many seconds: images that weight steps took, per second, and bytes
    per step.

    Begins and ends on whole cycles of CYCLE weight steps, which hold the same share of alpha steps
    each.
    """
    state = restore(run, planned.dataset, searcher_of(planned), ranks)
    size, own, first, began = planned.config.weight_step.batch_size, list[float](), 0, 0.0
    with counted() as moved:
        last = time.process_time()
        for number, _ in enumerate(loop.epoch_steps(run, planned.dataset, planned.costs, state), 1):
            own.append(time.process_time() - last)
            if number == CYCLE:  # the first cycle builds and touches what the others re-use
                first, began, moved[:] = state.position.step, time.monotonic(), [0.0, 0.0]
                own.clear()
            elif number % CYCLE == 0 and ranks.any_rank(time.monotonic() - began > seconds)[0]:
                images, took = (state.position.step - first) * size, time.monotonic() - began
                exchanged = {
                    "bytes_per_step": moved[0] / len(own),
                    "exchange_share": moved[1] / took,
                }
                all_of_them = ranks.sharded(ranks.size * len(own), lambda n: own[n // ranks.size])
                slowest = all_of_them.reshape(len(own), ranks.size).max(axis=1).sum()
                return {
                    "images_per_s": images / took,
                    "images_per_cpu_s": images / slowest,
                    **exchanged,
                }
            last = time.process_time()
    raise SystemExit("an epoch ended before the turn: give it fewer seconds")


def messages(ranks: Ranks) -> dict[str, float]:
    """What one agreement takes, in ms, and how many bytes per second a long sum gets through."""
    began, count = time.monotonic(), 300
    for _ in range(count):
        ranks.any_rank(False)
    agreement_ms = 1000 * (time.monotonic() - began) / count
    long = torch.zeros(4 * 2**20)
    dist.all_reduce(long)
    began = time.monotonic()
    for _ in range(5):
        dist.all_reduce(long)
    return {
        "agreement_ms": agreement_ms,
        "mb_per_s": 5 * 4 * len(long) / 1e6 / (time.monotonic() - began),
    }


@contextmanager
def counted() -> Iterator[list[float]]:
    """Adds up the bytes handed to all_reduce, and the seconds in it: mostly waiting for the
    slower path."""
    found, true = [0.0, 0.0], dist.all_reduce

    def all_reduce(tensor: torch.Tensor, *words: Any, **named: Any) -> Any:
        began = time.monotonic()
        result = true(tensor, *words, **named)
        found[0] += tensor.numel() * tensor.element_size()
        found[1] += time.monotonic() - began
        return result

    dist.all_reduce = all_reduce
    try:
        yield found
    finally:
        dist.all_reduce = true


def enter() -> None:
    """One process: turns alone (process 0) and together, until told to end."""
    torch.set_num_threads(1)
    with world() as ranks, tempfile.TemporaryDirectory() as own:
        caller: Connection | None = Client(os.environ[ADDRESS]) if ranks.is_main else None
        ready = {name: prepared(Path(own), settings) for name, settings in cases().items()}
        while True:
            name, together, seconds = ranks.broadcast(lambda: caller.recv() if caller else None)
            if not name:
                break
            found = None
            if name == "messages":
                found = messages(ranks)
                if caller:
                    caller.send(found)
                continue
            planned, run = ready[name]
            if together:
                found = turn(planned, run, ranks, seconds)
            elif ranks.is_main:
                found = turn(planned, run, ALONE, seconds)
            if caller:
                caller.send(found)


def main() -> None:
    """See the module."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--processes", type=int, default=2)
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--seconds", type=float, default=4.0)
    parser.add_argument("--only", help="one case")
    parser.add_argument("--json", type=Path)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        address = str(Path(folder) / "socket")
        os.environ[ADDRESS] = address
        pid = os.fork()
        if (
            pid == 0
        ):  # the launcher waits for its processes, this process speaks with the first of them
            codes, _ = launch(options.processes, enter)
            os._exit(max(map(abs, codes)))
        with Listener(address) as listener, listener.accept() as caller:
            results = {
                name: measured(caller, name, options)
                for name in cases()
                if options.only in (None, name)
            }
            spoken = []
            for _ in range(options.rounds):
                caller.send(("messages", True, 0.0))
                spoken.append(caller.recv())
            caller.send(("", False, 0.0))
        os.waitpid(pid, 0)
    about = {
        "processes": options.processes,
        "cores": os.cpu_count(),
        "python": platform.python_version(),
    }
    exchanged = {name: about_all([one[name] for one in spoken]) for name in spoken[0]}
    text = json.dumps(
        {**about, "torch": torch.__version__, "messages": exchanged, "cases": results}, indent=1
    )
    print(text)
    if options.json:
        options.json.write_text(text + "\n")


def measured(caller: Connection, name: str, options: argparse.Namespace) -> dict[str, Any]:
    """All rounds of one case."""
    order, rounds = random.Random(0), []
    for _ in range(options.rounds):
        load, found = os.getloadavg()[0], {}
        for together in order.sample([False, True], 2):
            caller.send((name, together, options.seconds))
            found[together] = caller.recv()
        rates = [found[together]["images_per_s"] for together in (False, True)]
        ratios = (
            found[True][name] / found[False][name] for name in ("images_per_s", "images_per_cpu_s")
        )
        exchanged = (found[True][name] for name in ("bytes_per_step", "exchange_share"))
        rounds.append((*rates, *ratios, *exchanged, load))
    columns = (
        "one_images_per_s",
        "together_images_per_s",
        "ratio",
        "ratio_cpu",
        "bytes_per_step",
        "exchange_share",
        "load",
    )
    result = {
        column: about_all(values)
        for column, values in zip(columns, zip(*rounds, strict=True), strict=True)
    }
    print(f"{name}: {result['ratio']}, by CPU time {result['ratio_cpu']}", file=sys.stderr)
    return result


def about_all(values: Sequence[float]) -> dict[str, Any]:
    """Median and range, four digits each."""
    low, middle, high = (
        float(f"{one:.4g}") for one in (min(values), statistics.median(values), max(values))
    )
    return {"median": middle, "range": [low, high]}


if __name__ == "__main__":
    main()
