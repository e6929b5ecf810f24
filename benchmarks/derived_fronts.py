"""Is a front that `hwnas derive` draws for another device as good as that of a search for it?

    OMP_NUM_THREADS=1 python -m benchmarks.derived_fronts ../shared/data --seed 0 --out benchmarks/results/derived.jsonl
    python -m benchmarks.derived_fronts ../shared/data --summary benchmarks/results/derived.jsonl

NAS-Bench-201, TND-NAS on CIFAR-10 at 16 x 16 pixels (benchmarks.nasbench201, size small, fewer epochs, no SynFlow). One
search for a GTX 1080 Ti's latency, from which a front is derived for each of three other devices; and a search of its
own for each of these, equally long. Latencies are estimated by rooflines in both. At most 20 cells are handed back,
then looked up: the share of the exact front of accuracy and the published latency of the device.
"""

from __future__ import annotations

import argparse
import json
import statistics
import tempfile
from pathlib import Path
from typing import Any

import numpy as np
import torch

from benchmarks import tabular
from benchmarks.nasbench201 import (
    ACCURACY,
    SIZES,
    chosen_of_bands,
    config_of,
    share,
    written_images,
)
from benchmarks.photos_parts import cpu_seconds
from hwnas.config import Config
from hwnas.config.sections import ObjectiveConfig
from hwnas.runs.directory import open_run
from hwnas.runs.schema import to_json
from hwnas.search.derive import derive
from hwnas.search.plan import plan
from hwnas.search.search import search, summary

HOME = "1080ti"
OTHERS = {
    "raspberry-pi-4": "latency_ms_raspi4_1",
    "pixel-3": "latency_ms_pixel3_1",
    "silver-4114": "latency_ms_silver_4114",
}
EPOCHS = 16


def config_for(target: str, seed: int, images: Path, size: str, epochs: int) -> Config:
    """A search for one device's latency."""
    return config_of(size, "front", seed, images, epochs).model_copy(
        update={
            "target": target,
            "objectives": (ObjectiveConfig(metric="latency"),),
            "finalists_synflow": False,
        }
    )


def rows(data: Path, seed: int, size: str, epochs: int) -> list[dict[str, Any]]:
    """Derived and own, for each device."""
    torch.set_num_threads(1)
    found = []
    with tempfile.TemporaryDirectory() as folder:
        used = SIZES[size]
        images = written_images(data, Path(folder), used["images"], used["factorized_reduce"])
        config = config_for(HOME, seed, images, size, epochs)
        began = cpu_seconds()
        search(config, Path(folder) / HOME, planned=plan(config))
        base_cpu_s, began = cpu_seconds() - began, cpu_seconds()
        run = open_run(Path(folder) / HOME)
        derived = {one.target: one.summary for one in derive(run, list(OTHERS), "latency")}
        derived_cpu_s = (cpu_seconds() - began) / len(OTHERS)
        for target, column in OTHERS.items():
            config = config_for(target, seed, images, size, epochs)
            planned = plan(config)
            bounds = planned.cost_ranges["latency"].bounds
            began = cpu_seconds()
            own = summary(search(config, Path(folder) / target, planned=planned))
            own_cpu_s = cpu_seconds() - began
            table = tabular.load(data / "nasbench201.csv.gz", ACCURACY, column)
            for arm, result, cpu_s in (
                ("derived", to_json(derived[target]), derived_cpu_s),
                ("own", own, own_cpu_s),
            ):
                places = chosen_of_bands(result, "latency", bounds)
                found.append(
                    {
                        "arm": arm,
                        "seed": seed,
                        "target": target,
                        "share": round(share(table, places), 4),
                        "cells": len(places),
                        "cpu_s": round(cpu_s, 1),
                        "base_cpu_s": round(base_cpu_s, 1),
                    }
                )
    return found


def summarise(path: Path) -> None:
    """A table for the page."""
    found = [json.loads(line) for line in path.read_text().splitlines()]
    print("| seed | device | derived | CPU s | own search | CPU s |")
    print("|---|---|---|---|---|---|")
    differences = []
    for one in found:
        if one["arm"] != "derived":
            continue
        (own,) = (
            other
            for other in found
            if other["arm"] == "own"
            and (other["seed"], other["target"]) == (one["seed"], one["target"])
        )
        differences.append(one["share"] - own["share"])
        print(
            f"| {one['seed']} | {one['target']} | {one['share']:.3f} | {one['cpu_s']:.0f}"
            f" | {own['share']:.3f} | {own['cpu_s']:.0f} |"
        )
    error = float(np.std(differences, ddof=1) / len(differences) ** 0.5)
    print(f"\nderived minus own: {statistics.mean(differences):+.4f} (standard error {error:.4f})")


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("data", type=Path, help="folder of cifar10_jpeg.npz and nasbench201.csv.gz")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--size", choices=sorted(SIZES), default="small")
    parser.add_argument("--epochs", type=int, default=EPOCHS)
    parser.add_argument("--out", type=Path)
    parser.add_argument("--summary", type=Path)
    given = parser.parse_args()
    if given.summary:
        summarise(given.summary)
        return
    for row in rows(given.data, given.seed, given.size, given.epochs):
        print(json.dumps(row))
        if given.out:
            with given.out.open("a") as file:
                file.write(json.dumps(row) + "\n")


if __name__ == "__main__":
    main()
