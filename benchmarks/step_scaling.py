"""How a search step's cost grows: every space and stage, cells, channels, images, samples M and
policies K.

    python -m benchmarks.step_scaling --out benchmarks/results/step-scaling.jsonl
    python -m benchmarks.step_scaling --page benchmarks/results/step-scaling.jsonl

One thread, a process's own CPU seconds, medians over rounds; within a round the steps take turns,
so that a busy host slows all alike. ``weight``: one weight step of a drawn path; ``evaluation``:
one sub-network on one batch; ``mixture``: a weight step of all operations; ``second``: DARTS's
second-order step of alpha and ``first`` its first-order one, in a plain network
(benchmarks/plain_supernet.py), with ``neumann``, NDARTS's step with K = 2, in ours. ``tell``:
learning from M evaluations with K policies, supernet not counted. ``--only`` takes part of them.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import torch

from benchmarks.plain_supernet import PlainSteps
from benchmarks.step import CELLS, CHANNELS, CLASSES, Steps, images
from hwnas.config import resolve
from hwnas.nets.fast.allocator import keep_freed_memory
from hwnas.search.bilevel import ndarts
from hwnas.search.distributed import shared_weights
from hwnas.search.plan import plan, searcher_of
from hwnas.training.data import Batch

Timed = dict[str, Callable[[], None]]
Row = dict[str, Any]


def in_turn(steps: Timed, rounds: int) -> dict[str, float]:
    """Median CPU milliseconds of each step; the first round only warms up."""
    spent: dict[str, list[float]] = {name: [] for name in steps}
    for number in range(rounds + 1):
        for name, step in steps.items():
            began = time.process_time()
            step()
            if number:
                spent[name].append(1e3 * (time.process_time() - began))
    return {name: round(float(np.median(some)), 2) for name, some in spent.items()}


def ours(
    space: str, stage: int, channels: int, cells: int, batch: int, rounds: int, mixture: bool = True
) -> Row:
    """Our steps on one supernet."""
    net, given = Steps(space, stage, channels, cells), images("ours", batch)
    steps: Timed = {
        "weight": lambda: net.sampled_weight(*given),
        "evaluation": lambda: net.sampled_evaluation(*given),
    }
    if mixture:
        steps["mixture"] = lambda: net.mixture_weight(*given)
    where = {"space": space, "stage": stage, "channels": channels, "cells": cells, "batch": batch}
    return {**where, **in_turn(steps, rounds)}


def learning(algorithm_samples: int, policies: int, rounds: int, form: str) -> Row:
    """One tell of M evaluations to K policies in the TND space, in milliseconds."""
    exponents = tuple(-0.1 * number for number in range(policies))
    config = resolve(
        {
            "space": "tnd",
            "objectives": [{"metric": "params"}],
            "exponents": exponents,
            "alpha_step": {"form": form},
        }
    )
    state = {"searcher": searcher_of(plan(config))}
    rng = np.random.default_rng(0)

    def tell() -> None:
        asked = state["searcher"].ask(algorithm_samples, rng)
        accuracy, costs = rng.random(len(asked)), 1e5 * (1 + rng.random((len(asked), 1)))
        state["searcher"] = state["searcher"].tell(asked, accuracy, costs)

    return {
        "form": form,
        "samples": algorithm_samples,
        "policies": policies,
        **in_turn({"tell": tell}, rounds),
    }


def bilevel(rounds: int, batch: int) -> Row:
    """First and second order steps of a plain DARTS, and ours: DARTS space, first stage."""
    cells = CELLS["darts"][0]
    plain, (x, y) = PlainSteps(CHANNELS, cells, CLASSES), images("plain", batch)
    steps: Timed = {
        "plain weight": lambda: plain.weight(x, y),
        "plain alpha, first order": lambda: plain.alpha(x, y),
        "plain alpha, second order": lambda: plain.alpha_second_order(x, y),
    }
    for name in ("first_order", "second_order", "neumann"):
        steps[f"our alpha, {name}"] = _bilevel_step(name, batch, cells)
    return {"space": "darts", "stage": 0, "batch": batch, **in_turn(steps, rounds)}


def _bilevel_step(hypergradient: str, batch: int, cells: int) -> Callable[[], None]:
    config = resolve(
        {
            "space": "darts",
            "algorithm": "ndarts",
            "weights": "mixture",
            "ndarts": {"hypergradient": hypergradient},
        }
    )
    net = Steps("darts", 0, CHANNELS, cells).net
    shared = shared_weights.optimise(net, config.weight_step)
    searcher = ndarts.start(config, np.random.default_rng(0))
    given = Batch(*images("ours", batch))
    return lambda: void(ndarts.alpha_step(searcher, shared, given, given, config.weight_step.lr))


def void(_: object) -> None:
    """A step's result is of no interest here."""


def parts(rounds: int, batch: int) -> dict[str, list[Callable[[], Row]]]:
    """What is measured, by name."""
    everywhere = [(space, stage) for space in CELLS for stage in range(len(CELLS[space]))]
    return {
        "spaces": [
            lambda space=space, stage=stage: ours(  # type: ignore[misc]
                space, stage, CHANNELS, CELLS[space][stage], batch, rounds
            )
            for space, stage in everywhere
        ],
        "cells": [
            lambda cells=cells: ours("tnd", 0, CHANNELS, cells, batch, rounds, False)  # type: ignore[misc]
            for cells in (3, 5, 8, 11, 14, 17, 20)
        ],
        "channels": [
            lambda channels=channels: ours("tnd", 0, channels, 5, batch, rounds, False)  # type: ignore[misc]
            for channels in (4, 8, 16, 24, 32, 48)
        ],
        "images": [
            lambda size=size: ours("tnd", 0, CHANNELS, 5, size, rounds, False)  # type: ignore[misc]
            for size in (8, 16, 32, 64, 128)
        ],
        "tell": [
            lambda m=m, k=k, form=form: learning(m, k, 10 * rounds, form)  # type: ignore[misc]
            for form in ("paper", "directed")
            for m, k in ((10, 1), (10, 2), (10, 4), (10, 8), (10, 16), (5, 8), (20, 8), (40, 8))
        ],
        "bilevel": [lambda: bilevel(max(2, rounds // 3), batch)],
    }


def page(rows: list[Row]) -> str:
    """Markdown tables, one per part."""
    text = []
    for part in dict.fromkeys(row["part"] for row in rows):
        mine = [row for row in rows if row["part"] == part]
        columns = [key for key in mine[0] if key not in ("part", "load", "torch")]
        text += [f"### {part}", "", "| " + " | ".join(columns) + " |", "|" + "---|" * len(columns)]
        text += [
            "| " + " | ".join(_said(row.get(key, "")) for key in columns) + " |" for row in mine
        ]
        text.append("")
    return "\n".join(text)


def _said(value: object) -> str:
    return f"{value:,.4g}" if isinstance(value, float) else str(value)


def main() -> int:
    """Run from the command line."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--rounds", type=int, default=9)
    parser.add_argument("--batch", type=int, default=16)
    parser.add_argument(
        "--only", help="spaces, cells, channels, images, tell, bilevel; several with commas"
    )
    parser.add_argument("--out", type=Path, help="file of JSON lines to write anew")
    parser.add_argument("--page", type=Path, help="print such a file as tables and stop")
    given = parser.parse_args()
    if given.page:
        print(page([json.loads(line) for line in given.page.read_text().splitlines()]))
        return 0
    torch.set_num_threads(1)
    keep_freed_memory()
    rows: list[Row] = []
    chosen = parts(given.rounds, given.batch)
    for name in given.only.split(",") if given.only else chosen:
        for measure in chosen[name]:
            rows.append({"part": name, **measure(), "load": round(os.getloadavg()[0], 1)})
            print(json.dumps(rows[-1]), flush=True)
    if given.out:
        given.out.write_text("".join(json.dumps(row) + "\n" for row in rows))
    return 0


if __name__ == "__main__":
    sys.exit(main())
