"""Part "processes": two processes of one search on one GPU, by gloo, against one process alone."""

from __future__ import annotations

import json
import os
import tempfile
import time
from pathlib import Path
from typing import Any

import numpy as np
import torch

from benchmarks.gpu.book import Book, Record, work
from benchmarks.gpu.place import MS, Place
from hwnas.search.distributed.launch import launch
from hwnas.search.distributed.ranks import world
from hwnas.space.family import family

STEPS, TINY_STEPS = 20, 2
_OUT = "HWNAS_BENCHMARK_OUT"


def run(book: Book, place: Place) -> None:
    """Milliseconds per step of two processes, and per image of one and of two."""
    work(book, "two processes, one GPU, gloo", lambda: _together(2))
    work(book, "one process", lambda: _together(1))


def _together(count: int) -> Record:
    with tempfile.TemporaryDirectory() as folder:
        os.environ[_OUT] = folder
        if count == 1:
            enter()
        else:
            codes, _ = launch(count, enter)
            if any(codes):
                raise RuntimeError(f"exit codes {codes}")
        found = [json.loads(file.read_text()) for file in sorted(Path(folder).glob("*.json"))]
    digests = {one["digest"] for one in found}
    if len(digests) > 1:
        raise AssertionError(f"the processes hold different weights: {sorted(digests)}")
    ms = float(np.mean([one["ms"] for one in found]))
    return {
        "ms": ms,
        "images_per_s": count * found[0]["batch"] / ms * 1000,
        "backend": found[0]["backend"],
        "computed_on": found[0]["place"],
    }


def enter() -> None:
    """What one of the processes does: weight steps of a mixture, each on images of its own."""
    import torch.distributed as dist

    from hwnas.nets.supernet import build_supernet
    from hwnas.search.distributed import shared_weights
    from hwnas.space.space import SPACES
    from hwnas.training.dataset import Batch

    cuda = torch.cuda.is_available()
    device = (
        torch.device("cuda", 0) if cuda else torch.device("cpu")
    )  # gloo knows no pretended device
    channels, cells, batch, steps = (16, 8, 64, STEPS) if cuda else (4, 3, 4, TINY_STEPS)
    torch.set_num_threads(1)
    with world() as ranks:
        net = build_supernet(
            family(SPACES["darts"], channels=channels, cells=cells, classes=10, image=(3, 32, 32)),
            seed=0,
        ).to(device)
        settings: Any = _settings()
        shared = shared_weights.optimise(net, settings, ranks)
        mask = SPACES["darts"].mask
        shares = mask / mask.sum(axis=1, keepdims=True)
        x = torch.randn(batch, 3, 32, 32, generator=torch.Generator().manual_seed(ranks.rank)).to(
            device
        )
        y = (torch.arange(batch) % 10).to(device)
        began = 0.0
        for number in range(steps + 2):
            if number == 2:
                began = time.perf_counter()
            shared_weights.weight_step(shared, Batch(x, y), shares, 0.01)
        if cuda:
            torch.cuda.synchronize()
        found = {
            "ms": MS * (time.perf_counter() - began) / steps,
            "batch": batch,
            "digest": shared_weights.digest(shared),
            "backend": dist.get_backend() if ranks.size > 1 else "none",
            "place": str(device),
        }
        (Path(os.environ[_OUT]) / f"{ranks.rank}.json").write_text(json.dumps(found))


def _settings() -> Any:
    from types import SimpleNamespace

    from benchmarks.gpu.sizes import DEFAULTS

    return SimpleNamespace(**DEFAULTS["weight_step"])
