"""What a search takes where the process keeps freed memory (hwnas/nets/fast/allocator.py), and where it gives it back.

    OMP_NUM_THREADS=1 python -m benchmarks.freed_memory --task cifar --pairs 3 --out benchmarks/results/freed-memory.jsonl
    python -m benchmarks.freed_memory --summary benchmarks/results/freed-memory.jsonl

Each search is a process of its own; those of a pair follow one another, in an order that changes from pair to pair. Tasks:
`photos`: the largest part of EfficientNet-Lite0 for an epoch, then random parts, on flowers of ../shared/data; `cifar`: TND-NAS
in two stages of an epoch on 4,000 CIFAR-10 images; `digits`: two stages of six epochs. Times are CPU seconds of the search alone
(user and system), memory is the process's peak.
"""

from __future__ import annotations

import argparse
import json
import resource
import statistics
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

import torch

from benchmarks.mobile_parts import write_images
from hwnas.config import Config, resolve
from hwnas.nets.fast.allocator import keep_freed_memory
from hwnas.search.photos import with_weights
from hwnas.search.plan import plan
from hwnas.search.search import search

FLOWERS = Path(__file__).resolve().parents[2] / "shared" / "data" / "flowers"
TASKS = ("photos", "cifar", "digits")


def config_of(task: str, seed: int, folder: Path) -> Config:
    """The search of a task, with its images."""
    if task == "photos":
        stages = [
            {"epochs": 1, "train": "largest"},
            {"epochs": 1, "frozen_epochs": 1},
            {"epochs": 1, "train": "nothing", "rounds": 1},
        ]
        given: dict[str, Any] = {"objectives": [{"metric": "macs"}], "stages": stages}
        given |= {"target": "cpu", "seed": seed, "data": {"source": str(FLOWERS / "train")}}
        return resolve(with_weights(given, None))
    given = {"algorithm": "tndnas", "objectives": [{"metric": "params"}], "seed": seed}
    if task == "digits":
        return resolve({**given, "stages": [{"cells": n, "epochs": 6} for n in (3, 4)]})
    write_images(folder / "cifar.npz", tuple(range(10)), 400, seed)
    return resolve(
        {
            **given,
            "data": {"source": str(folder / "cifar.npz")},
            "channels": 8,
            "stages": [{"cells": 3, "epochs": 1}, {"cells": 4, "epochs": 1}],
            "weight_step": {"batch_size": 64},
            "alpha_step": {"every": 6, "images": 64},
            "finalists_per_policy": 2,
            "evaluation": {"channels": 4, "cells": 4},
        }
    )


def measured(task: str, seed: int, kept: bool) -> dict[str, Any]:
    """One search in this process."""
    torch.set_num_threads(1)
    if kept and not keep_freed_memory():
        raise SystemExit("no glibc: freed memory can't be kept here")
    with tempfile.TemporaryDirectory() as folder:
        planned = plan(config_of(task, seed, Path(folder)))
        before = resource.getrusage(resource.RUSAGE_SELF)
        search(planned.config, Path(folder) / "run", planned=planned)
    after = resource.getrusage(resource.RUSAGE_SELF)
    return {
        "task": task,
        "seed": seed,
        "kept": kept,
        "user_s": round(after.ru_utime - before.ru_utime, 2),
        "system_s": round(after.ru_stime - before.ru_stime, 2),
        "peak_mib": after.ru_maxrss // 1024,
    }


def table(rows: list[dict[str, Any]]) -> str:
    """Markdown: per task, medians and the paired ratios of CPU time."""
    lines = [
        "| task | user + system, CPU s, given back | kept | kept over given back | peak MiB, given back | kept |",
        "|---|---|---|---|---|---|",
    ]
    for task in dict.fromkeys(row["task"] for row in rows):
        of = {(row["seed"], row["kept"]): row for row in rows if row["task"] == task}
        seeds = [seed for seed, kept in of if kept and (seed, False) in of]
        if not seeds:
            continue
        spent = {at: row["user_s"] + row["system_s"] for at, row in of.items()}
        ratios = [spent[seed, True] / spent[seed, False] for seed in seeds]
        text, peaks = {}, {}
        for kept in (False, True):
            some = [of[seed, kept] for seed in seeds]
            user, system, peak = (
                statistics.median(row[name] for row in some)
                for name in ("user_s", "system_s", "peak_mib")
            )
            text[kept], peaks[kept] = f"{user:.1f} + {system:.1f}", f"{peak:.0f}"
        lines.append(
            f"| {task}, {len(seeds)} pairs | {text[False]} | {text[True]} | {statistics.median(ratios):.3f}"
            f" ({min(ratios):.3f} to {max(ratios):.3f}) | {peaks[False]} | {peaks[True]} |"
        )
    return "\n".join(lines)


def main() -> None:
    """Run from the command line."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--task", choices=TASKS, default="cifar")
    parser.add_argument("--pairs", type=int, default=3)
    parser.add_argument("--out", type=Path, help="file of JSON lines to append to")
    parser.add_argument(
        "--one", nargs=2, metavar=("SEED", "KEPT"), help="one search, in this process"
    )
    parser.add_argument("--summary", type=Path, help="print the table of such rows and stop")
    given = parser.parse_args()
    if given.summary is not None:
        print(table([json.loads(line) for line in given.summary.read_text().splitlines()]))
        return
    if given.one is not None:
        print(json.dumps(measured(given.task, int(given.one[0]), given.one[1] == "1")))
        return
    for seed in range(given.pairs):
        for kept in ("01", "10")[seed % 2]:
            words = ["-m", "benchmarks.freed_memory", "--task", given.task]
            words += ["--one", str(seed), kept]
            done = subprocess.run(
                [sys.executable, *words], capture_output=True, text=True, check=True
            )
            line = done.stdout.splitlines()[-1]
            print(line, flush=True)
            if given.out is not None:
                with given.out.open("a") as file:
                    file.write(line + "\n")


if __name__ == "__main__":
    main()
