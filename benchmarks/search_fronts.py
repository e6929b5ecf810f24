"""Does search beat chance, and does one search for the whole front beat one search per exponent?

One arm and one seed per process: search, train finalists from scratch alike, and append the
hypervolume of (test accuracy, parameters) to a file of JSON lines: that of the same number of
finalists in each arm, and, as ``whole_front``, that of all members that are handed back. Arms:

- tndnas, random, nsga2: the algorithm as it is by default, one supernet each, the same number of
  evaluations; the last epochs train finalists alone, and the front covers the costs;
- seen: tndnas as it was before (all epochs of the last stage evaluate, and the front is that of the
  finalists with the best mean accuracy);
- singles: eight TND-NAS searches of one exponent each, every one with an eighth of the epochs;
- mixture: seen, but the whole mixture is trained, with as many epochs as fit into about the same
  CPU time;
- synflow: tndnas whose finalists are named by a regression over its trials and SynFlow together.

    python -m benchmarks.search_fronts --arm tndnas --seed 0 --task digits --out results.jsonl
    python -m benchmarks.search_fronts --summary results.jsonl

Tasks: ``digits``, hardened by Gaussian noise (clean digits saturate at 0.99 for every trained
child), and ``cifar``, 10,000 CIFAR-10 images as an .npz (made by benchmarks.cifar_jpeg; --halve
there makes 16 x 16 pixels) given by --npz.
"""

from __future__ import annotations

import argparse
import itertools
import json
import statistics
import tempfile
import time
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import torch

from benchmarks.page import standard_error
from hwnas.config import Config, resolve, with_epochs
from hwnas.runs.front import Bounds, hypervolume, non_dominated, to_minimise
from hwnas.search.plan import plan
from hwnas.search.search import search, summary
from hwnas.space.genotype import Architecture
from hwnas.space.text import from_dict
from hwnas.training.data import Dataset
from hwnas.training.recipe import RECIPES
from hwnas.training.train import train

Member = dict[str, Any]

TASKS: dict[str, dict[str, Any]] = {
    "digits": {
        "data": {"source": "digits", "noise": 0.2},
        "evaluation": {"channels": 4, "cells": 5},
    },
    "cifar": {
        "channels": 4,
        "stages": [
            {"cells": 3, "epochs": 3, "frozen_epochs": 1},
            {"cells": 3, "epochs": 3, "frozen_epochs": 1},
            {"cells": 4, "epochs": 4, "frozen_epochs": 1},
        ],
        "weight_step": {"batch_size": 64},
        "alpha_step": {"every": 6, "images": 64},
        "finalists_per_policy": 2,
        "evaluation": {"channels": 4, "cells": 4},
    },
}
TRAIN_EPOCHS = {"digits": 12, "cifar": 3}
FINALISTS = 5
MIXTURE_SLOWER = 5
"""How many sampled epochs one mixture epoch costs here, evaluations included; the CPU time is in
the results."""


def config_of(task: str, algorithm: str, seed: int, npz: str | None, plain: bool = False) -> Config:
    """``plain``: finalists by their mean accuracy, as before fronts covered the costs."""
    settings = {
        "algorithm": algorithm,
        "objectives": [{"metric": "params"}],
        "seed": seed,
        **TASKS[task],
        **({"finalists_by": "seen"} if plain else {}),
    }
    if task == "cifar":
        settings["data"] = {"source": npz}
    return resolve(settings)


def found(config: Config, keep: Path | None = None) -> dict[str, Any]:
    with tempfile.TemporaryDirectory() as folder:
        return summary(search(config, keep or Path(folder) / "run"))


def spread(
    result: dict[str, Any], count: int, cost: str = "params", believed: str = "value"
) -> list[Member]:
    """``count`` finalists: of the front as it is handed back, then rank by rank of the others; of
    those that are too many, some evenly along their ``cost``.

    ``believed``: the figure of a member's accuracy that ranks it; where it is not the printed one,
    it ranks the members of the front too.
    """
    left: list[Member] = [*result["front"], *result["dominated"]]
    rank = list(result["front"]) if believed == "value" else []
    chosen: list[Member] = []
    while left and len(chosen) < count:
        if not rank:
            accuracy = np.array([member["accuracy"][believed] for member in left])
            costs = np.array([[member["costs"][cost]["value"]] for member in left])
            rank = [left[i] for i in non_dominated(to_minimise(accuracy, costs))]
        rank.sort(key=lambda member: float(member["costs"][cost]["value"]))
        room = count - len(chosen)
        places = np.unique(np.linspace(0, len(rank) - 1, min(room, len(rank))).round().astype(int))
        chosen += [rank[i] for i in places]
        keys = {member["key"] for member in rank}
        left = [member for member in left if member["key"] not in keys]
        rank = []
    return chosen


def best_of_single(result: dict[str, Any], exponent: float) -> Member:
    """The member that its own reward prefers."""
    return max(
        result["front"],
        key=lambda m: m["accuracy"]["value"] * (m["costs"]["params"]["value"] / 1e6) ** exponent,
    )


def search_arm(
    task: str, arm: str, seed: int, npz: str | None, keep: Path | None = None
) -> tuple[list[Member], dict[str, Any]]:
    if arm == "mixture":
        whole = config_of(task, "tndnas", seed, npz, plain=True)
        stages = [
            {**one.model_dump(), **scaled(one.epochs, one.frozen_epochs)} for one in whole.stages
        ]
        result = found(resolve({**whole.model_dump(), "weights": "mixture", "stages": stages}))
        return spread(result, FINALISTS), result
    if arm == "synflow":
        flowing = {"finalists_by": "regression", "finalists_synflow": True}
        plain = config_of(task, "tndnas", seed, npz, plain=True)
        result = found(plain.model_copy(update=flowing))
        return spread(result, FINALISTS, believed="believed"), result
    if arm == "seen":
        result = found(config_of(task, "tndnas", seed, npz, plain=True), keep)
        return spread(result, FINALISTS), result
    if arm != "singles":
        result = found(config_of(task, arm, seed, npz), keep)
        return spread(result, FINALISTS), result
    whole = config_of(task, "tndnas", seed, npz, plain=True)
    share = [max(2, round(stage.epochs / len(whole.exponents))) for stage in whole.stages]
    members: dict[str, Member] = {}
    result = {}
    for number, exponent in enumerate(whole.exponents):
        stages = tuple(
            with_epochs(whole, epochs).stages[place] for place, epochs in enumerate(share)
        )
        one = whole.model_copy(
            update={
                "exponents": (exponent,),
                "seed": 1000 * seed + number,
                "stages": stages,
                "finalists_per_policy": 4,
            }
        )
        result = found(one)
        chosen = best_of_single(result, exponent)
        members[chosen["key"]] = chosen
    return list(members.values()), result


def scaled(epochs: int, frozen: int) -> dict[str, int]:
    short = max(2, round(epochs / MIXTURE_SLOWER))
    return {"epochs": short, "frozen_epochs": min(short - 1, round(frozen / MIXTURE_SLOWER))}


def trained(members: list[Member], dataset: Dataset, task: str, seed: int) -> list[dict[str, Any]]:
    recipe = replace(RECIPES["quick"], epochs=TRAIN_EPOCHS[task], evaluate_every=1000)
    rows = []
    for member in members:
        architecture = Architecture(
            from_dict(member["genotype"]), channels=member["channels"], cells=member["cells"]
        )
        result = train(architecture, dataset, recipe, seed=seed)
        params = member["costs"]["params"]["value"]
        rows.append(
            {
                "key": member["key"],
                "params": params,
                "shared_accuracy": member["accuracy"]["value"],
                "test_accuracy": result.test_accuracy,
            }
        )
    return rows


def run(task: str, arm: str, seed: int, npz: str | None, keep: Path | None) -> dict[str, Any]:
    torch.set_num_threads(1)
    began = time.process_time()
    few, result = search_arm(task, arm, seed, npz, keep)
    searched = time.process_time() - began
    dataset = plan(config_of(task, "tndnas", seed, npz)).dataset
    whole = [] if arm == "singles" else result["front"]
    by_key = {member["key"]: member for member in [*few, *whole]}
    rows = trained(list(by_key.values()), dataset, task, seed)
    bounds = Bounds(
        accuracy=(1 / len(dataset.classes), 1.0), costs=(tuple(result["bounds"]["params"]),)
    )

    def volume(members: list[Member]) -> float | None:
        keys = {member["key"] for member in members}
        mine = [row for row in rows if row["key"] in keys]
        if not mine:
            return None
        accuracy = np.array([row["test_accuracy"] for row in mine])
        params = np.array([[row["params"]] for row in mine])
        return round(hypervolume(accuracy, params, bounds), 5)

    return {
        "task": task,
        "arm": arm,
        "seed": seed,
        "hypervolume": volume(few),
        "whole_front": volume(whole),
        "search_cpu_s": round(searched, 1),
        "train_cpu_s": round(time.process_time() - began - searched, 1),
        "evaluations": result["evaluations"],
        "shared_hypervolume": result["hypervolume"],
        "members": rows,
    }


def table(path: Path) -> str:
    rows = [json.loads(line) for line in path.read_text().splitlines()]
    lines = []
    for task in dict.fromkeys(row["task"] for row in rows):
        for arm in dict.fromkeys(row["arm"] for row in rows if row["task"] == task):
            mine = sorted(
                (r for r in rows if (r["task"], r["arm"]) == (task, arm)), key=lambda r: r["seed"]
            )
            values = [row["hypervolume"] for row in mine]
            fronts = [row["whole_front"] for row in mine if row.get("whole_front") is not None]
            cpu = [row["search_cpu_s"] for row in mine]
            lines.append(
                f"{task:8s}{arm:10s} hypervolume {statistics.mean(values):.4f}"
                f" (seeds {[row['seed'] for row in mine]}: {values}), search CPU s {cpu}"
                + (f"; whole fronts {statistics.mean(fronts):.4f}: {fronts}" if fronts else "")
            )
        lines += differences([row for row in rows if row["task"] == task])
    return "\n".join(lines)


def differences(rows: list[dict[str, Any]]) -> list[str]:
    """How far one arm is ahead of another, seed by seed, of all pairs of arms that share two seeds
    or more."""
    lines = []
    by_arm = {
        arm: {row["seed"]: row for row in rows if row["arm"] == arm}
        for arm in dict.fromkeys(row["arm"] for row in rows)
    }
    for (one, first), (other, second) in itertools.combinations(by_arm.items(), 2):
        seeds = sorted(set(first) & set(second))
        for name, words in (("whole_front", "whole fronts"), ("hypervolume", "of five")):
            both = [(first[seed].get(name), second[seed].get(name)) for seed in seeds]
            gains = [here - there for here, there in both if here is not None and there is not None]
            if len(gains) > 1:
                lines.append(
                    f"{one} minus {other}, {words}, {len(gains)} seeds: {statistics.mean(gains):+.4f}"
                    f" (standard error {standard_error(gains):.4f}, the least {min(gains):+.4f})"
                )
    return lines


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--task", choices=sorted(TASKS), default="digits")
    parser.add_argument(
        "--arm",
        choices=("tndnas", "seen", "random", "nsga2", "singles", "mixture", "synflow"),
        default="tndnas",
    )
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--npz", help="10,000 CIFAR-10 images, made by benchmarks.cifar_jpeg")
    parser.add_argument("--keep", type=Path, help="where the run stays, of an arm of one search")
    parser.add_argument("--out", type=Path, help="file of JSON lines to append to")
    parser.add_argument("--summary", type=Path, help="print the table of such a file and stop")
    options = parser.parse_args()
    if options.summary:
        print(table(options.summary))
        return
    row = run(options.task, options.arm, options.seed, options.npz, options.keep)
    print(json.dumps(row))
    if options.out:
        with open(options.out, "a") as file:
            file.write(json.dumps(row) + "\n")


if __name__ == "__main__":
    main()
