"""Do searched chains of blocks beat residual networks, cells and chance on small images, trained
from scratch?

    OMP_NUM_THREADS=1 python -m benchmarks.mobile --arm mobile --task six --seed 0 --out
    benchmarks/results/mobile.jsonl python -m benchmarks.mobile --summary
    benchmarks/results/mobile.jsonl

One arm, task and seed per process. It searches, measures the latency of the front's networks beside
that of residual networks of 8 layers (ONNX Runtime, one thread, in turn), trains what it has
chosen, and appends one line of JSON. Arms:

- mobile: TND-NAS in the space mobile-small; without --whole, RESNET8 of 8 and of 16 channels are trained beside it;
- random: random search on an equal supernet: as many evaluations and epochs;
- tnd: TND-NAS in the cells of the TND space, for about the same CPU time.

Tasks: ``six``: six classes of CIFAR-10, 150 images each; ``ten``: 1,000 images of each class. Both
are of 32 x 32 pixels, from lossy JPEGs, and tested on half of the test images of their classes.
With --enlarged they are a folder of pictures of 96 x 96 pixels, as a user's photos, read at 32.

A member is chosen before anything is trained, by its validation accuracy with shared weights alone:
of those at most as slow as RESNET8 at one width, the best; with --whole, FRONT of the front, evenly
along its latency, alike in all arms. It is trained for about SECONDS of CPU
time, and RESNET8 for as long as the member took, rounded up to whole epochs: the same recipe,
images and seed.
"""

from __future__ import annotations

import argparse
import json
import math
import statistics
import tempfile
import time
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import torch

from benchmarks.mobile_parts import (
    epoch_seconds,
    latencies,
    trained,
    write_images,
    write_pictures,
)
from benchmarks.page import mean_and_error
from hwnas.config import Config, resolve
from hwnas.runs.front import Bounds, hypervolume
from hwnas.search.plan import SearchPlan, plan
from hwnas.search.search import search, summary
from hwnas.space.encoding import every, to_genotype
from hwnas.space.genotype import Architecture
from hwnas.space.known import KNOWN
from hwnas.space.space import SPACES
from hwnas.space.text import from_dict
from hwnas.training.data import Dataset
from hwnas.training.recipe import RECIPES
from profilers.host import cpu_model

Member = dict[str, Any]

CLASSES = {"six": tuple(range(6)), "ten": tuple(range(10))}
TUNING = {"six": tuple(range(4, 10)), "ten": tuple(range(10))}
EACH = {"six": 150, "ten": 1000}
SECONDS = {"six": 20.0, "ten": 30.0}
RECIPE = replace(RECIPES["quick"], weight_decay=5e-3, label_smoothing=0.1, cutout=8)
WIDTHS = (8, 16)
ENLARGED, READ = 96, 32
"""Pixels: the side of enlarged pictures, and that they are read at."""
FRONT = 4
SLOWEST_MS = 1.0
"""The box of the hypervolume reaches from no latency to this one, from chance to every image
right; that of ``hypervolume_within_resnet8_16`` to the latency of RESNET8 with 16 channels. That of
``hypervolume_within_space`` reaches from the network with the fewest MACs of mobile-small to the one
with the most, as the box of every hypervolume that hwnas prints reaches over its space."""

VOLUMES = {
    "hypervolume": "to 1 ms",
    "hypervolume_within_resnet8_16": "to RESNET8 16",
    "hypervolume_within_space": "the space",
}

SEARCH: dict[str, dict[str, Any]] = {
    "six": {
        "stages": [
            {"epochs": 30, "frozen_epochs": 15},
            {"epochs": 25, "frozen_epochs": 10},
            {"epochs": 30, "frozen_epochs": 10},
        ],
        "weight_step": {"batch_size": 32},
        "alpha_step": {"every": 4, "images": 64},
        "finalists_per_policy": 2,
    },
    "ten": {
        "stages": [
            {"epochs": 6, "frozen_epochs": 3},
            {"epochs": 5, "frozen_epochs": 2},
            {"epochs": 10, "frozen_epochs": 1, "finalist_epochs": 6},
        ],
        "finalists_by": "cover",
        "weight_step": {"batch_size": 64},
        "alpha_step": {"every": 8, "images": 128},
        "finalists_per_policy": 2,
    },
}
SPACE: dict[str, dict[str, Any]] = {
    "mobile": {"space": "mobile-small"},
    # It has no policies: as many finalists as the eight policies of the others name.
    "random": {"space": "mobile-small", "algorithm": "random", "finalists_per_policy": 16},
    # A step takes ten times as long as in mobile-small: so many epochs fit into about the same CPU time.
    "tnd": {
        "space": "tnd",
        "channels": 4,
        "stages": [{"cells": 3, "epochs": 3, "frozen_epochs": 1}],
        "finalists_by": "regression",
        "evaluation": {"channels": 4, "cells": 3},
    },
}


def config_of(arm: str, task: str, seed: int, npz: Path, changes: dict[str, Any]) -> Config:
    """The search of one arm; ``changes``: what is tried instead of the settings above."""
    settings = {
        "algorithm": "tndnas",
        "objectives": [{"metric": "latency"}],
        "target": "cpu",
        "seed": seed,
    }
    more = {
        "data": {"source": str(npz)},
        "finalists_by": "regression",
        **SEARCH[task],
        **SPACE[arm],
        **changes,
    }
    return resolve({**settings, **more})


def network_of(member: Member) -> Architecture:
    return Architecture(
        from_dict(member["genotype"]), channels=member["channels"], cells=member["cells"]
    )


def row_of(role: str, member: Member, latency: Any) -> dict[str, Any]:
    """What is known of a network before it is trained."""
    return {
        "role": role,
        "text": member.get("text", role),
        "latency_ms": round(latency.value, 5),
        "interval_ms": [round(latency.low, 5), round(latency.high, 5)],
        "macs": member["costs"]["macs"]["value"] if "costs" in member else None,
        "params": member["costs"]["params"]["value"] if "costs" in member else None,
        "shared_accuracy": member["accuracy"]["value"] if "accuracy" in member else None,
    }


def best_within(members: list[Member], ms: list[float], limit: float, taken: set[int]) -> int:
    """The member with the best validation accuracy at most so slow; of others, where that one is
    taken."""
    rows = [row for row, one in enumerate(ms) if one <= limit and row not in taken]
    return max(rows, key=lambda row: float(members[row]["accuracy"]["value"]))


def spread(members: list[Member], ms: list[float]) -> list[int]:
    """FRONT members of the front of validation accuracy, evenly along its latency."""
    order = sorted(range(len(ms)), key=lambda row: ms[row])
    front, best = [], -1.0
    for row in order:
        if members[row]["accuracy"]["value"] > best:
            best = members[row]["accuracy"]["value"]
            front.append(row)
    places = np.linspace(0, len(front) - 1, min(FRONT, len(front))).round().astype(int)
    return [front[place] for place in np.unique(places)]


def ends_of(planned: SearchPlan) -> list[Architecture]:
    """The networks of mobile-small with the fewest and with the most MACs."""
    space = SPACES[SPACE["mobile"]["space"]]
    choices = every(space.mask)
    macs = next(cost for cost in planned.costs if cost.name == "macs").of(choices)
    return [
        Architecture(
            to_genotype(space, choices[row]),
            channels=planned.config.evaluation.channels,
            cells=planned.config.evaluation.cells,
        )
        for row in (int(macs.argmin()), int(macs.argmax()))
    ]


def run(
    arm: str,
    task: str,
    seed: int,
    whole: bool,
    changes: dict[str, Any],
    seconds: float,
    epochs: int | None = None,
    enlarged: bool = False,
) -> dict[str, Any]:
    """Search, measure, choose, train; ``whole``: a front of FRONT networks, not those that RESNET8
    is beside."""
    torch.set_num_threads(1)
    with tempfile.TemporaryDirectory() as folder:
        npz = Path(folder) / f"{task}{seed}.npz"
        write_images(npz, (CLASSES if seed < 10 else TUNING)[task], EACH[task], seed)
        data = {}
        if enlarged:
            where = write_pictures(Path(folder) / "pictures", npz, ENLARGED)
            data = {"data": {**where, "image_size": READ}}
        config = config_of(arm, task, seed, npz, {**changes, **data})
        began = time.process_time()
        # Not measured by the search: all are measured below, beside RESNET8.
        planned = replace(plan(config), attached_target=None)
        found = summary(search(config, Path(folder) / "run", planned=planned))
        print(f"searched in {time.process_time() - began:.1f} CPU s", flush=True)
        searched = time.process_time() - began
        dataset = planned.dataset
        chains = planned if arm != "tnd" else plan(config_of("mobile", task, seed, npz, data))
    members = [*found["front"], *found["dominated"]]
    beside = [Architecture(KNOWN["RESNET8"], channels=width, cells=9) for width in WIDTHS]
    networks = [*map(network_of, members), *beside, *ends_of(chains)]
    measured = latencies(networks, dataset)
    each = [one.value for one in measured]
    ms, limits, (fastest, slowest) = (
        each[: len(members)],
        each[len(members) : -2],
        each[-2:],
    )
    taken: list[int] = []
    if not whole:
        for limit in limits:
            taken.append(best_within(members, ms, limit, set(taken)))
    chosen = spread(members, ms) if whole else taken
    rows = [
        row_of(
            f"within RESNET8 {WIDTHS[n]}" if n < len(taken) else "front",
            members[row],
            measured[row],
        )
        for n, row in enumerate(chosen)
    ]
    train_all(
        rows,
        [networks[row] for row in chosen],
        beside if taken else [],
        measured[len(members) : -2],
        dataset,
        seed,
        seconds,
        epochs,
    )
    classes = len(dataset.classes)
    ours = [row for row in rows if not row["role"].startswith("RESNET8")]
    boxes = [(0.0, SLOWEST_MS), (0.0, limits[-1]), (fastest, slowest)]
    volumes = [
        hypervolume(
            np.array([row["test_accuracy"] for row in ours]),
            np.array([[row["latency_ms"]] for row in ours]),
            Bounds(accuracy=(1 / classes, 1.0), costs=(box,)),
        )
        for box in boxes
    ]
    return {
        "task": f"{task}, enlarged" if enlarged else task,
        "arm": arm,
        "seed": seed,
        "changes": changes,
        "cpu": cpu_model(),
        "box_ms": [round(end, 5) for _, end in boxes],
        "fastest_ms": round(fastest, 5),
        "search_cpu_s": round(searched, 1),
        "evaluations": found["evaluations"],
        "test_images": len(dataset.test_labels),
        **{
            column: round(volume, 5) if whole else None
            for column, volume in zip(VOLUMES, volumes, strict=True)
        },
        "finalists": [
            [round(t, 4), one["accuracy"]["value"], one["text"]]
            for t, one in zip(ms, members, strict=False)
        ],
        "networks": rows,
    }


def train_all(
    rows: list[dict[str, Any]],
    networks: list[Architecture],
    beside: list[Architecture],
    measured: list[Any],
    dataset: Dataset,
    seed: int,
    seconds: float,
    epochs: int | None,
) -> None:
    """Train all, for so many seconds or ``epochs``, each RESNET8 for as long as the member that it
    stands beside; the results go into ``rows``."""
    each = epoch_seconds([*networks, *beside], dataset, RECIPE)
    for row, network, epoch_s in zip(rows, networks, each, strict=False):
        row["epochs"] = epochs or max(1, round(seconds / epoch_s))
        _train(row, network, dataset, seed)
    for number, network in enumerate(beside):
        name, took = f"RESNET8 {WIDTHS[number]}", rows[number]["train_cpu_s"]
        row = row_of(name, {}, measured[number])
        row["epochs"] = math.ceil(took / each[len(networks) + number])
        _train(row, network, dataset, seed)
        rows.append(row)


def _train(row: dict[str, Any], network: Architecture, dataset: Dataset, seed: int) -> None:
    accuracy, took = trained(network, dataset, RECIPE, row["epochs"], seed)
    row |= {"train_cpu_s": round(took, 1), "test_accuracy": accuracy}
    print(json.dumps(row), flush=True)


def table(path: Path) -> str:
    """Markdown: each member beside its RESNET8, then hypervolumes of whole fronts and, paired by
    seed, how much of them an arm lacks."""
    results = [json.loads(line) for line in path.read_text().splitlines()]
    head = [
        "| task | seed | within | member, ms | RESNET8, ms | member | RESNET8 | CPU s of both | search, CPU s |",
        "|---|---|---|---|---|---|---|---|---|",
    ]
    beside = []
    for one in results:
        by_role = {row["role"]: row for row in one["networks"]}
        for width in WIDTHS if f"RESNET8 {WIDTHS[0]}" in by_role else ():
            ours, theirs = by_role[f"within RESNET8 {width}"], by_role[f"RESNET8 {width}"]
            beside.append(
                f"| {one['task']} | {one['seed']} | {width} | {ours['latency_ms']:.4f} | {theirs['latency_ms']:.4f} |"
                f" {ours['test_accuracy']:.1%} | {theirs['test_accuracy']:.1%} |"
                f" {ours['train_cpu_s']:.0f}, {theirs['train_cpu_s']:.0f} | {one['search_cpu_s']:.0f} |"
            )
    volumes = _volumes([one for one in results if one["hypervolume"] is not None])
    parts = [[*head, *beside] if beside else [], volumes]
    return "\n\n".join("\n".join(part) for part in parts if part)


def _volumes(whole: list[dict[str, Any]]) -> list[str]:
    """Lines about whole fronts, each arm by its seeds, the first arm less the others."""
    if not whole:
        return []
    lines = [
        "| task | arm | box | its end by seed, ms | by seed | mean | the first arm minus this | search, CPU s |"
    ]
    lines.append("|---|---|---|---|---|---|---|---|")
    for task in dict.fromkeys(one["task"] for one in whole):
        arms = list(dict.fromkeys(one["arm"] for one in whole if one["task"] == task))
        for place, (column, box) in enumerate(VOLUMES.items()):
            of = {
                (one["arm"], one["seed"]): one
                for one in whole
                if one["task"] == task and one.get(column) is not None
            }
            for arm in arms:
                seeds = sorted(seed for name, seed in of if name == arm)
                if not seeds:
                    continue
                values = [of[arm, seed][column] for seed in seeds]
                leads = [
                    of[arms[0], seed][column] - of[arm, seed][column]
                    for seed in seeds
                    if (arms[0], seed) in of
                ]
                lead = "" if arm == arms[0] or not leads else mean_and_error(leads, 3, "+")
                each = ", ".join(f"{value:.3f}" for value in values)
                ends = ", ".join(
                    f"{of[arm, seed]['box_ms'][place]:.3f}"
                    for seed in seeds
                    if "box_ms" in of[arm, seed]
                )
                cpu = ", ".join(f"{of[arm, seed]['search_cpu_s']:.0f}" for seed in seeds)
                lines.append(
                    f"| {task} | {arm} | {box} | {ends} | {each} | {statistics.mean(values):.3f} | {lead} | {cpu} |"
                )
    return lines


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--arm", choices=sorted(SPACE), default="mobile")
    parser.add_argument("--task", choices=sorted(CLASSES), default="six")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument(
        "--whole", action="store_true", help="train a whole front, for the hypervolume"
    )
    parser.add_argument(
        "--changes", type=json.loads, default={}, help="settings to try, as JSON (seeds from 10 on)"
    )
    parser.add_argument("--seconds", type=float, help="of CPU time for each training")
    parser.add_argument("--epochs", type=int, help="of each training, in place of a time")
    parser.add_argument(
        "--enlarged", action="store_true", help="the images as a folder of larger pictures"
    )
    parser.add_argument("--out", type=Path, help="file of JSON lines to append to")
    parser.add_argument("--summary", type=Path, help="print the tables of such a file and stop")
    options = parser.parse_args()
    if options.summary:
        print(table(options.summary))
        return
    seconds = options.seconds or SECONDS[options.task]
    row = run(
        options.arm,
        options.task,
        options.seed,
        options.whole,
        options.changes,
        seconds,
        options.epochs,
        options.enlarged,
    )
    print(json.dumps(row))
    if options.out:
        with open(options.out, "a") as file:
            file.write(json.dumps(row) + "\n")


if __name__ == "__main__":
    main()
