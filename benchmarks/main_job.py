"""The user's own sentence, judged: `hwnas search --target 1080ti --objective params` on digits.

One seed per process: search, or read a finished run, then ask every member of its front about the test images, which
a search never reads, and append one JSON line.

    python -m benchmarks.main_job --seed 0 --out new.jsonl [--threads 1] [--keep FOLDER]
    python -m benchmarks.main_job --run RUN --out old.jsonl [--cpu 187.2]
    python -m benchmarks.main_job --page old.jsonl new.jsonl

A run of an older version is judged by --run: the final weights are read from its checkpoint, no accuracy of its
front.json is believed. What is judged, all with the weights of the search:

- hypervolume of (accuracy on the test images, parameters) of the members, in the box from a guess and the cheapest to
  the most expensive network of the space; beside it that of 64 uniform networks of the operations that are left;
- the ends, the cheapest and the most expensive member: how many times the parameters, and by how many standard errors
  the second is more accurate, image by image, on the images that the search printed from, on the test images, and on
  both together. In a run that covers the costs none of these chose among candidates; before, the printed ones did;
- how many members are better than every cheaper one, on either kind of images. A front that covers the costs keeps a
  member unless a cheaper one is better by three standard errors, so it has more.
"""

from __future__ import annotations

import argparse
import json
import math
import statistics
import tempfile
import time
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from hwnas.config import resolve
from hwnas.nets.supernet import Supernet
from hwnas.runs.directory import open_run
from hwnas.runs.front import Bounds, hypervolume
from hwnas.runs.summary import read_front
from hwnas.search.algorithms.searcher import mask_of
from hwnas.search.checkpoint import restore
from hwnas.search.plan import plan, searcher_of
from hwnas.search.scoring_images import scoring_images
from hwnas.search.search import search
from hwnas.space.encoding import distinct_rows, project, sample, to_choices
from hwnas.space.space import SPACES, Choices, Mask, Space
from hwnas.training.data import Batch, equal_batches

Row = dict[str, Any]
Bools = NDArray[np.bool_]

ENDS = ("errors_printed", "errors_test", "errors_both")
RANDOM = 64
BATCH = 1024
"""All test images of digits at once: sub-networks normalise by the statistics of their batch."""
JUDGE = 25
"""A word of the seeds of what only the judge draws."""


def searched(seed: int, threads: int, folder: Path) -> float:
    """Search as the user's sentence does; returns CPU seconds."""
    torch.set_num_threads(threads)
    asked = {"target": "1080ti", "objectives": [{"metric": "params"}]}
    config = resolve({**asked, "seed": seed, "threads": threads})
    began = time.process_time()
    search(config, folder)
    return time.process_time() - began


def judged(folder: Path, cpu_s: float | None) -> Row:
    """What is to be said of one finished run."""
    run = open_run(folder)
    summary = read_front(run)
    planned = plan(run.config)
    state = restore(run, planned.dataset, searcher_of(planned))
    space, net = SPACES[run.config.space], state.shared.net
    net.dropout = type(net.dropout)()
    seed = (run.config.seed, JUDGE)
    batches = list(equal_batches(planned.dataset, "test", BATCH, seed))
    members = sorted(summary.front, key=lambda member: float(member.costs["params"].value))
    right = rights(net, [to_choices(member.architecture.genotype) for member in members], batches)
    printing = list(scoring_images(run.config, planned.dataset).to_print())
    printed = rights(
        net, [to_choices(members[end].architecture.genotype) for end in (0, -1)], printing
    )
    paid = np.array([float(member.costs["params"].value) for member in members])
    cost = next(cost for cost in planned.costs if cost.name == "params")
    guess, best = planned.dataset.task.score_range
    box = Bounds(accuracy=(guess, best), costs=(planned.cost_ranges["params"].bounds,))
    mask = mask_of(state.searcher, space)
    random = uniform(space, mask, RANDOM, np.random.default_rng(list(seed)))
    by_chance = rights(net, list(random), batches).mean(axis=1)
    return {
        "seed": run.config.seed,
        "threads": run.config.threads,
        "finalists_by": run.config.finalists_by,
        "members": len(members),
        "factor": round(float(paid[-1] / paid[0]), 3),
        "errors_printed": round(paired(printed[0], printed[-1]), 2),
        "errors_test": round(paired(right[0], right[-1]), 2),
        "errors_both": round(
            paired(
                *(np.append(one, other) for one, other in zip(printed, right[[0, -1]], strict=True))
            ),
            2,
        ),
        "hypervolume": round(hypervolume(right.mean(axis=1), paid[:, None], box), 5),
        "random": round(hypervolume(by_chance, cost.of(random)[:, None], box), 5),
        "printed_hypervolume": round(float(summary.hypervolume), 5),
        "cpu_s": None if cpu_s is None else round(cpu_s, 1),
        "seconds": float(summary.seconds),
        "evaluations": summary.evaluations,
        "front": [
            {
                "key": member.key,
                "params": int(params),
                "printed": float(member.accuracy.value),
                "test": round(float(share), 5),
            }
            for member, params, share in zip(members, paid, right.mean(axis=1), strict=True)
        ],
    }


@torch.no_grad()
def rights(net: Supernet, choices: list[Choices], batches: list[Batch]) -> Bools:
    """Which images each network gets right, (N, images)."""
    return np.array(
        [
            np.concatenate(
                [(net.sampled(batch.x, one).argmax(1) == batch.y).numpy() for batch in batches]
            )
            for one in choices
        ]
    )


def uniform(space: Space, mask: Mask, count: int, rng: np.random.Generator) -> Choices:
    """So many different uniform networks of the operations that are left."""
    found = np.zeros((0, len(space.decisions)), dtype=np.int64)
    for _ in range(20 * count):
        scores = np.where(mask, rng.random(mask.shape), 0.0)
        found = np.concatenate([found, project(space, sample(space, rng, mask), scores)[None]])
        found = found[distinct_rows(found)]
        if len(found) == count:
            break
    return found


def paired(first: Bools, last: Bools) -> float:
    """By how many standard errors the last is more accurate than the first: of the images that one
    of them got right."""
    difference = last.astype(float) - first
    error = float(difference.std()) / math.sqrt(len(difference))
    return float(difference.mean()) / max(error, 1e-9)


def page(files: list[Path]) -> str:
    """One table per file, and, of two files, the differences of the seeds that are in both."""
    tables = [
        (path, [json.loads(line) for line in path.read_text().splitlines()]) for path in files
    ]
    lines: list[str] = []
    for path, rows in tables:
        rows.sort(key=lambda row: (row["seed"], row["threads"]))
        lines += [
            f"{path.stem}:",
            "",
            "| seed | threads | members | better than every cheaper one, printed / test"
            " | times the parameters | standard errors between the ends,"
            " printed / test / both | hypervolume on test images | of 64 random | CPU s |",
            "|---|---|---|---|---|---|---|---|---|",
        ]
        lines += [
            f"| {', '.join(str(row[key]) for key in ('seed', 'form') if key in row)} | {row['threads']} | {row['members']}"
            f" | {better(row, 'printed')} / {better(row, 'test')} | {row['factor']:.1f}"
            f" | {' / '.join(f'{row[key]:.1f}' for key in ENDS if key in row)} | {row['hypervolume']:.3f}"
            f" | {row['random']:.3f} | {row['cpu_s'] or ''} |"
            for row in rows
        ]
        alone = [row for row in rows if row["threads"] == 1]
        means = {
            name: mean(alone, name)
            for name in ("members", "factor", "hypervolume", "random", "cpu_s")
        }
        counts = (
            statistics.mean(better(row, kind) for row in alone) for kind in ("printed", "test")
        )
        lines += [
            f"| mean | 1 | {means['members']:.1f} | {' / '.join(f'{one:.1f}' for one in counts)} | {means['factor']:.1f} | | {means['hypervolume']:.3f}"
            f" | {means['random']:.3f} | {means['cpu_s']:.1f} |",
            "",
        ]
    if len(tables) == 2:
        lines += differences(*(rows for _, rows in tables))
    return "\n".join(lines)


def better(row: Row, images: str) -> int:
    """How many members of a front, cheapest first, are right on more of these images than every cheaper one."""
    best, found = -1.0, 0
    for member in row["front"]:
        if member[images] > best:
            best, found = member[images], found + 1
    return found


def differences(before: list[Row], after: list[Row]) -> list[str]:
    """What changed, seed by seed, in words."""
    old = {(row["seed"], row["threads"]): row for row in before}
    pairs = [
        (old[row["seed"], row["threads"]], row)
        for row in after
        if (row["seed"], row["threads"]) in old
    ]
    if not pairs:
        return ["no seed is in both files"]
    gains = [one["hypervolume"] - other["hypervolume"] for other, one in pairs]
    error = statistics.stdev(gains) / math.sqrt(len(gains)) if len(gains) > 1 else math.nan
    times = [
        one["cpu_s"] / other["cpu_s"] for other, one in pairs if one["cpu_s"] and other["cpu_s"]
    ]
    return [
        f"second minus first, {len(pairs)} pairs: hypervolume {statistics.mean(gains):+.4f} +- {error:.4f}, the least"
        f" {min(gains):+.4f}; above random in {sum(one['hypervolume'] > one['random'] for _, one in pairs)}; CPU time"
        f" {f'{statistics.mean(times):.3f} ({min(times):.2f} to {max(times):.2f})' if times else 'unknown,'} times",
    ]


def mean(rows: list[Row], name: str) -> float:
    """Of what is known."""
    known = [row[name] for row in rows if row[name] is not None]
    return statistics.mean(known) if known else math.nan


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--run", type=Path, help="judge this finished run instead of searching")
    parser.add_argument(
        "--cpu", type=float, help="the CPU seconds that the run took, where they are known"
    )
    parser.add_argument(
        "--keep", type=Path, help="where the run directory is to stay; default: it is removed"
    )
    parser.add_argument("--out", type=Path, help="file of JSON lines to append to")
    parser.add_argument(
        "--page", type=Path, nargs="+", help="print the tables of such files and stop"
    )
    options = parser.parse_args()
    if options.page:
        print(page(options.page))
        return
    with tempfile.TemporaryDirectory() as folder:
        path, cpu_s = options.run, options.cpu
        if path is None:
            path = options.keep or Path(folder) / "run"
            cpu_s = searched(options.seed, options.threads, path)
        row = judged(path, cpu_s)
    print(json.dumps(row))
    if options.out:
        with open(options.out, "a", encoding="utf-8") as file:
            file.write(json.dumps(row) + "\n")


if __name__ == "__main__":
    main()
