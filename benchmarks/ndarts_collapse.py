"""Does the search collapse to skip_connect?

DARTS first order and NDARTS on one reduced NAS-Bench-201 supernet.

One arm and one seed per process, one thread; appends one JSON line per run, with the trace of the
derived cell: its test accuracy is the one that NAS-Bench-201 trained and measured (200 epochs, mean
of its seeds), looked up.

    export OMP_NUM_THREADS=1 OUT=benchmarks/results/ndarts_collapse.jsonl
    python -m benchmarks.ndarts_collapse --arm ndarts --seed 0 --out $OUT
    python -m benchmarks.ndarts_collapse --summary $OUT --figure docs/evidence/ndarts_collapse.svg

Reduced: 3 cells of 8 channels (15 of 16), CIFAR-10 at 16 x 16 (from lossy JPEGs, 2 x 2 means),
2,000 weight steps of 32 images (19,550 of 64), and alpha at 3e-3 (3e-4), so that alpha can move as
far as in 50 epochs. Arms: ``darts`` (first order, an alpha step after each weight step, as
published), ``ndarts`` (K = 2, gamma = lr, T = 4), and ``darts-t4``, first order on NDARTS'
schedule, which tells the hypergradient from the schedule. ``-fast``: alpha at 3e-2, because at 3e-3
it hardly leaves where it began (the entropies say so).
"""

from __future__ import annotations

import argparse
import csv
import gzip
import json
import statistics
import time
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np
import torch

from benchmarks.cifar_jpeg import load as load_jpeg
from hwnas.config import Config, resolve
from hwnas.nets.supernet import build_supernet
from hwnas.search.bilevel import ndarts
from hwnas.search.bilevel.alpha import NDarts
from hwnas.search.distributed import shared_weights
from hwnas.search.distributed.shared_weights import SharedWeights
from hwnas.space.encoding import to_genotype
from hwnas.space.family import family
from hwnas.space.space import SPACES
from hwnas.space.text import format_text
from hwnas.training.data import Dataset, batches, load, sample
from hwnas.training.dataset import generator
from profilers.reference import default_store

ARMS: dict[str, dict[str, Any]] = {
    "darts": {"hypergradient": "first_order", "weight_steps": 1},
    "darts-t4": {"hypergradient": "first_order", "weight_steps": 4},
    "ndarts": {"hypergradient": "neumann", "terms": 2, "gamma": "lr", "weight_steps": 4},
    "darts-fast": {"hypergradient": "first_order", "weight_steps": 1, "alpha_lr": 3e-2},
    "ndarts-fast": {"hypergradient": "neumann", "terms": 2, "weight_steps": 4, "alpha_lr": 3e-2},
    "ndarts-power": {"hypergradient": "neumann", "terms": 2, "gamma": "power", "weight_steps": 4},
}
DATA = Path("../shared/data")
IMAGES = 32
WEIGHTS, VALID, WATCH, NOISE = range(4)


def settings(arm: str, seed: int) -> Config:
    return resolve(
        {
            "algorithm": "ndarts",
            "space": "nasbench201",
            "seed": seed,
            "channels": 8,
            "weight_step": {
                "lr": 0.025,
                "lr_end": 0.001,
                "nesterov": True,
                "weight_decay": 5e-4,
                "batch_size": IMAGES,
            },
            "ndarts": {"alpha_lr": 3e-3, **ARMS[arm]},
        }
    )


def small_cifar(seed: int, side: int) -> Dataset:
    """All 50,000 images as side x side means, split by ``seed``; decoded once, into the folder
    for temporary files."""
    # Not in the shared temporary folder: another user could lay a file there.
    cache = default_store().parent / f"cifar10-{side}.npz"
    cache.parent.mkdir(parents=True, exist_ok=True)
    if cache.exists():
        return load(cache, seed=seed)
    arrays = load_jpeg(DATA / "cifar10_jpeg.npz")
    for name in ("x_train", "x_test"):
        n, h, _, c = arrays[name].shape
        blocks = arrays[name].reshape(n, side, h // side, side, h // side, c).astype(np.float32)
        arrays[name] = blocks.mean(axis=(2, 4)).round().astype(np.uint8)
    np.savez(cache, **arrays)
    return load(cache, seed=seed)


def test_accuracies() -> dict[str, float]:
    """Architecture string -> CIFAR-10 test accuracy in % after 200 epochs."""
    with gzip.open(DATA / "nasbench201.csv.gz", "rt") as file:
        return {
            row["arch_str"]: float(row["cifar10_test_acc_200ep"]) for row in csv.DictReader(file)
        }


def run(arm: str, seed: int, steps: int, looks: int, side: int) -> dict[str, Any]:
    config = settings(arm, seed)
    dataset, known, space = small_cifar(seed, side), test_accuracies(), SPACES[config.space]
    net = build_supernet(
        family(
            space,
            channels=config.channels,
            cells=3,
            classes=len(dataset.classes),
            image=dataset.image,
        ),
        seed=seed,
    )
    shared = shared_weights.optimise(net, config.weight_step)
    searcher, trace = ndarts.start(config, np.random.default_rng(seed)), []
    began, loss, epoch = time.process_time(), float("nan"), -1
    train = iter(())
    for step in range(steps):
        if (batch := next(train, None)) is None:
            epoch += 1
            train = batches(
                dataset,
                "weights",
                IMAGES,
                (seed, epoch, WEIGHTS),
                augment=dataset.augment,
                drop_last=True,
            )
            batch = next(train)
        lr = shared_weights.cosine(config.weight_step, step / steps)
        loss = ndarts.weight_step(searcher, shared, batch, lr, generator(seed, step, NOISE))
        if (step + 1) % config.ndarts.weight_steps == 0:
            valid = sample(dataset, "policy", IMAGES, (seed, step, VALID), augment=dataset.augment)
            searcher = ndarts.alpha_step(searcher, shared, batch, valid, lr)
        if (step + 1) % (steps // looks) == 0:
            searcher, row = look(searcher, shared, dataset, known, seed, step)
            trace.append({"step": step + 1, "loss": loss, **row})
            print(arm, seed, json.dumps(trace[-1]), round(time.process_time() - began), flush=True)
    return {
        "arm": arm,
        "seed": seed,
        "steps": steps,
        "side": side,
        "config": config.ndarts.model_dump(),
        "cpu_seconds": round(time.process_time() - began),
        "trace": trace,
        "alpha": searcher.mixture().round(4).tolist(),
    }


def look(
    searcher: NDarts,
    shared: SharedWeights,
    dataset: Dataset,
    known: dict[str, float],
    seed: int,
    step: int,
) -> tuple[NDarts, dict[str, Any]]:
    valid = sample(dataset, "policy", 128, (seed, step, WATCH))
    searcher = ndarts.monitor(searcher, shared.net, valid)
    with torch.no_grad():
        mixture = torch.as_tensor(searcher.mixture(), dtype=torch.float32)
        right = shared.net.mixture(valid.x, mixture).argmax(1) == valid.y
    cell = format_text(to_genotype(SPACES["nasbench201"], searcher.derived()))
    return searcher, {
        "cell": cell,
        "test": known[cell],
        "supernet": float(right.float().mean()),
        **asdict(searcher.health()[-1]),
    }


def summary(path: Path) -> list[str]:
    """A Markdown table: per arm the derived cells' looked-up accuracies, in the middle and at
    the end."""
    lines = [
        "| arm | seed | CPU s | half-way % | end % | worst after half % | skip share at end | cell at end |",
        "|---|---|---|---|---|---|---|---|",
    ]
    runs = [json.loads(line) for line in path.read_text().splitlines()]
    for one in sorted(runs, key=lambda r: (r["arm"], r["seed"])):
        tests = [row["test"] for row in one["trace"]]
        middle, last = tests[len(tests) // 2 - 1], one["trace"][-1]
        lines.append(
            f"| {one['arm']} | {one['seed']} | {one['cpu_seconds']} | {middle:.2f} | {last['test']:.2f} "
            f"| {min(tests[len(tests) // 2 :]):.2f} | {last['skip_share']:.2f} "
            f"| `{last['cell'].replace('|', chr(92) + '|')}` |"
        )
    for arm in sorted({one["arm"] for one in runs}):
        ends = [one["trace"][-1]["test"] for one in runs if one["arm"] == arm]
        lines.append(f"| {arm}, mean of {len(ends)} | | | | {statistics.mean(ends):.2f} | | | |")
    return lines


def draw(path: Path, figure: Path) -> None:
    import matplotlib

    matplotlib.use("svg")
    import matplotlib.pyplot as plt

    matplotlib.rcParams["svg.hashsalt"] = "hwnas"
    runs = [json.loads(line) for line in path.read_text().splitlines()]
    colours = dict(
        zip(sorted({one["arm"] for one in runs}), plt.get_cmap("tab10").colors, strict=False)
    )
    panels = {
        "test": "test accuracy of the derived cell, %",
        "skip_share": "share of skip_connect",
        "curvature": "curvature in alpha",
    }
    figure_, axes = plt.subplots(1, 3, figsize=(13, 3.6), constrained_layout=True)
    for axis, (key, label) in zip(axes, panels.items(), strict=True):
        for one in runs:
            steps = [row["step"] for row in one["trace"]]
            first = one["seed"] == min(r["seed"] for r in runs if r["arm"] == one["arm"])
            axis.plot(
                steps, [row[key] for row in one["trace"]], color=colours[one["arm"]], alpha=0.8,
                linestyle=("-", "--", ":", "-.")[one["seed"] % 4], label=one["arm"] if first else None,
            )  # fmt: skip
        axis.set_xlabel("weight steps")
        axis.set_ylabel(label)
    axes[2].set_yscale("log")
    axes[0].legend()
    figure_.savefig(figure, metadata={"Date": None})


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--arm", choices=tuple(ARMS))
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--steps", type=int, default=2000)
    parser.add_argument("--looks", type=int, default=25)
    parser.add_argument("--side", type=int, default=16)
    parser.add_argument("--out", type=Path)
    parser.add_argument("--summary", type=Path)
    parser.add_argument("--figure", type=Path)
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    if arguments.summary:
        print("\n".join(summary(arguments.summary)))
        if arguments.figure:
            draw(arguments.summary, arguments.figure)
        return
    found = run(arguments.arm, arguments.seed, arguments.steps, arguments.looks, arguments.side)
    with open(arguments.out, "a") as file:
        file.write(json.dumps(found) + "\n")


if __name__ == "__main__":
    main()
