"""Does a search with shared weights on real images find what NAS-Bench-201 says is good?

    python -m benchmarks.nasbench201 ../shared/data --arm front --seed 0 --out rows.jsonl
    python -m benchmarks.nasbench201 ../shared/data --arm ndarts --seed 0 --out rows.jsonl

`benchmarks/nasbench201_page.py` makes tables of such rows.

One arm and one seed per process of one thread; the row of results is appended when the run ends.
Arms: `front` is TND-NAS with eight policies on uniform paths, `directed` the same in our directed
form, `policies` and `paper` train the policies' own paths in the directed and in the paper's form,
`ndarts` and `darts` (first order) look for accuracy alone, `random` trains uniform paths and scores
as many uniform cells, `synflow` trains nothing and takes the cell of most flow in each band of
cost. What was chosen (at most 20 cells, by shared weights, SynFlow and predicted cost) is then
looked up in the table: CIFAR-10 test accuracy after 200 epochs, parameters, and latency on a GTX
1080 Ti at batch 1.

The supernet is narrower, shallower and sees less than the benchmark's networks (C 16, 15 cells, 32
x 32 pixels, 50,000 images): see `SIZES`. `--size full` is the search at the benchmark's own size,
for a GPU. Rank correlations (Kendall's tau) are of 100 fixed uniform cells on 512 validation
images, every few epochs, with the table.
"""

from __future__ import annotations

import argparse
import json
import sys
import tempfile
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import torch

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))  # run as a script from anywhere

from benchmarks import cifar_jpeg, tabular
from benchmarks.search_fronts import Member
from benchmarks.tabular import Floats, Ints, Table
from hwnas.config import Config, resolve
from hwnas.nets.fast.allocator import keep_freed_memory
from hwnas.nets.supernet import build_supernet
from hwnas.runs import directory as runs
from hwnas.runs.checkpoint import load_checkpoint
from hwnas.runs.front import hypervolume
from hwnas.runs.history import Epoch, read_history
from hwnas.search.algorithms.regression import best_of_bins
from hwnas.search.distributed import shared_weights
from hwnas.search.finalists.synflow import log_flows
from hwnas.search.plan import SearchPlan, plan
from hwnas.search.progress import SearchProgress
from hwnas.search.search import search, summary
from hwnas.space.encoding import every, to_choices, to_genotype
from hwnas.space.family import Family, family
from hwnas.space.nasbench201 import SPACE
from hwnas.space.size import CellSize
from hwnas.space.text import format_text, from_dict
from hwnas.training.data import sample
from profilers.agreement import kendall_tau

ACCURACY = "cifar10_test_acc_200ep"
COSTS = {"params": "cifar10_params_M", "latency": "latency_ms_1080ti_1"}
LARGEST = SPACE.slots[0].ops.index("nor_conv_3x3")
CELLS = 20  # the most that may be handed back
WATCHED = 100  # cells whose rank is followed

SIZES: dict[str, dict[str, Any]] = {
    # One thread of a CPU, a quarter of an hour where nothing else runs: all images at 16 x 16
    # pixels.
    "small": {
        "images": None,
        "factorized_reduce": True,
        "channels": 16,
        "cells": 3,
        "epochs": 40,
        "batch": 64,
        "every": 20,
        "mixture": {"channels": 8, "cells": 6, "batch": 32, "epochs": 5, "searches": 3},
    },
    # Seconds: whether all parts work.
    "quick": {
        "images": 2_000,
        "factorized_reduce": True,
        "channels": 8,
        "cells": 3,
        "epochs": 6,
        "batch": 64,
        "every": 4,
        "mixture": {"channels": 4, "cells": 3, "batch": 32, "epochs": 2, "searches": 2},
    },
    # For a GPU.
    "full": {
        "images": None,
        "factorized_reduce": False,
        "channels": 16,
        "cells": 15,
        "epochs": 100,
        "batch": 256,
        "every": 2,
        "mixture": {"channels": 16, "cells": 15, "batch": 64, "epochs": 50, "searches": 1},
    },
}
ARMS: dict[str, dict[str, Any]] = {
    "front": {
        "algorithm": "tndnas",
        "alpha_step": {"lr": 2e-3},
        "weight_step": {"paths": "uniform"},
    },
    "directed": {
        "algorithm": "tndnas",
        "alpha_step": {"form": "directed"},
        "weight_step": {"paths": "uniform"},
    },
    "paper": {"algorithm": "tndnas"},
    "ndarts": {"algorithm": "ndarts", "weights": "mixture"},
    "policies": {"algorithm": "tndnas", "alpha_step": {"form": "directed"}},
    "darts": {"algorithm": "ndarts", "weights": "mixture"},
    "random": {"algorithm": "random", "exponents": [0]},
}
ALONE = ("ndarts", "darts")  # accuracy is all they look for


def config_of(size: str, arm: str, seed: int, npz: Path, epochs: int | None = None) -> Config:
    """The search's config; NDARTS and DARTS mix all operations in every step, so they get a size
    of their own."""
    mixes = arm in ALONE
    used = {**SIZES[size], **(SIZES[size]["mixture"] if mixes else {})}
    epochs = epochs or used["epochs"]
    # Alpha waits: to weights that know nothing yet, the shallowest network is the best one. A
    # mixture's alpha says most in its first epoch, and what one says by chance, several from other
    # weights don't.
    waits = epochs - max(1, epochs // 5) if mixes else epochs // 2
    stage = {"cells": used["cells"], "epochs": epochs, "frozen_epochs": waits}
    # A path's rate stays where it is: shared weights rank best before it falls
    # (docs/evidence/nasbench201.md).
    lr = 0.025 if mixes else 0.1
    settings: dict[str, Any] = {
        **ARMS[arm],
        "space": "nasbench201",
        "target": "1080ti",
        "seed": seed,
        "objectives": [] if arm in ALONE else [{"metric": name} for name in COSTS],
        "channels": used["channels"],
        "stages": [stage] * (used["searches"] if mixes else 1),
        "evaluation": {"channels": 16, "cells": 15},
        "data": {"source": str(npz)},
        "finalists_per_policy": 1
        if mixes
        else 5,  # those that mix hand back the cell that they derive
        "finalists_by": "seen" if mixes else "regression",
        "finalists_synflow": True,
        "scoring_images": 2048,
    }
    weights = {"batch_size": used["batch"], "lr": lr, "lr_end": lr, "head_rate": 1.0}
    if mixes:
        # The published settings (configs/ndarts-nasbench201.toml), with a slower classifier and a
        # rate that falls less.
        weights |= {"lr_end": 1e-2, "head_rate": 0.1, "nesterov": True, "weight_decay": 5e-4}
    settings["weight_step"] = {**weights, **ARMS[arm].get("weight_step", {})}
    alpha = {"samples": 10, "every": used["every"], "images": 128}
    settings["alpha_step"] = {**alpha, **ARMS[arm].get("alpha_step", {})}
    # Alpha moves by its rate a step, and there are few steps: the fewer, the faster.
    if arm == "ndarts":
        settings["ndarts"] = {"alpha_lr": 2.4e-2, "weight_steps": 4, "pooled": True}
    if arm == "darts":
        settings["ndarts"] = {
            "alpha_lr": 6e-3,
            "weight_steps": 1,
            "hypergradient": "first_order",
            "pooled": True,
        }
    return resolve(settings)


@dataclass(kw_only=True)
class Watch:
    """Follows, every few epochs, how well shared weights rank cells; and says where the search
    is."""

    planned: SearchPlan
    run: Path
    accuracy: Floats  # (15625,) of the table
    every: int | None
    began: float = field(default_factory=time.process_time)
    seen: list[dict[str, float]] = field(default_factory=list)

    def __call__(self, progress: SearchProgress) -> None:
        """After an epoch; the newest checkpoint is that of the epoch before."""
        print(f"epoch {progress.epoch}/{progress.epochs} loss {progress.loss:.3f}", file=sys.stderr)
        if self.every and progress.epoch % self.every == 1 and progress.epoch > 1:
            self.look(progress.epoch - 1)

    def look(self, epoch: int) -> None:
        """Tau of the same uniform cells on the same images with the weights as they stand in the
        checkpoint."""
        config, dataset = self.planned.config, self.planned.dataset
        found = load_checkpoint(runs.open_run(self.run))
        assert found is not None
        cpu = time.process_time() - self.began
        size = config.stages[0].cells
        net = build_supernet(
            family(
                SPACE,
                channels=config.channels,
                cells=size,
                classes=len(dataset.classes),
                image=dataset.image,
            ),
            seed=0,
        )
        shared = shared_weights.optimise(net, config.weight_step)
        shared_weights.from_arrays(shared, found[0])
        cells = np.random.default_rng(201).integers(
            len(SPACE.slots[0].ops), size=(WATCHED, len(SPACE.slots))
        )
        images = [sample(dataset, "policy", 256, (201,))]
        ranked = np.array([shared_weights.accuracy(net, cell, images) for cell in cells])
        tau = kendall_tau(ranked, self.accuracy[tabular.codes(cells)])
        row = {"epoch": epoch, "cpu_s": cpu, "tau": tau, "mean_accuracy": float(ranked.mean())}
        self.seen.append({name: round(value, 4) for name, value in row.items()})
        print(self.seen[-1], file=sys.stderr)


def run(
    data: Path, size: str, arm: str, seed: int, epochs: int | None = None, keep: Path | None = None
) -> dict[str, Any]:
    """Search once; the row of results. ``keep``: where the run directory is to stay."""
    torch.set_num_threads(1)
    began, cpu = time.monotonic(), time.process_time()
    used = SIZES[size]
    with tempfile.TemporaryDirectory() as folder:
        npz = written_images(data, Path(folder), used["images"], used["factorized_reduce"])
        config = config_of(size, arm, seed, npz, epochs)
        planned = plan(config)
        tables = tables_of(data)
        epochs = sum(stage.epochs for stage in config.stages)
        # A mixture's weights never work alone, so there is no rank to follow; its derived cells are
        # looked up instead.
        every = None if arm in ALONE else max(2, epochs // 6)
        watch = Watch(
            planned=planned,
            run=keep or Path(folder) / "run",
            accuracy=tables["params"].accuracy,
            every=every,
        )
        result = summary(search(config, watch.run, watch, planned))
        if every:
            watch.look(epochs)
        history = read_history(runs.open_run(watch.run)) if arm in ALONE else []
    return {
        "arm": arm,
        "seed": seed,
        "size": size,
        "epochs": epochs,
        "wall_s": round(time.monotonic() - began),
        "cpu_s": round(time.process_time() - cpu),
        "evaluations": result["evaluations"],
        "tau": watch.seen,
        "derived": [_derived(epoch, tables["params"].accuracy) for epoch in history],
        **looked_up(
            result,
            arm,
            tables,
            {name: planned.cost_ranges[name].bounds for name in planned.cost_ranges},
        ),
    }


def untrained(data: Path, size: str) -> dict[str, Any]:
    """What SynFlow alone would hand back, of all cells: a row of results."""
    began, cpu = time.monotonic(), time.process_time()
    used = SIZES[size]
    with tempfile.TemporaryDirectory() as folder:
        npz = written_images(data, Path(folder), 1_000, used["factorized_reduce"])
        planned = plan(config_of(size, "random", 0, npz))
    cells, tables = every(SPACE.mask), tables_of(data)
    flow = log_flows(supernet_family(planned, size), cells)
    costs = {cost.name: cost.of(cells) for cost in planned.costs}
    bounds = {name: planned.cost_ranges[name].bounds for name in COSTS}
    chosen = np.concatenate(
        [best_of_bins(flow, costs[name], bounds[name], CELLS) for name in COSTS]
    )
    members = [
        {
            "text": format_text(to_genotype(SPACE, cells[row])),
            "genotype": to_genotype(SPACE, cells[row]).to_dict(),
            "accuracy": {"value": float(flow[row])},
            "costs": {name: {"value": float(costs[name][row])} for name in COSTS},
        }
        for row in np.unique(np.append(chosen, flow.argmax()))
    ]
    return {
        "arm": "synflow",
        "seed": 0,
        "size": size,
        "epochs": 0,
        "wall_s": round(time.monotonic() - began),
        "cpu_s": round(time.process_time() - cpu),
        "evaluations": 0,
        "tau": [],
        **looked_up({"front": members, "dominated": []}, "synflow", tables, bounds),
    }


def looked_up(
    result: dict[str, Any],
    arm: str,
    tables: dict[str, Table],
    bounds: dict[str, tuple[float, float]],
) -> dict[str, Any]:
    """What the table says about the chosen cells; nothing of it went into choosing them."""
    members = [*result["front"], *result["dominated"]]
    best = max(members, key=_believed)
    accuracy = tables["params"].accuracy
    row: dict[str, Any] = {"best": best["text"], "test_accuracy": _percent(accuracy[_place(best)])}
    if arm not in ALONE:
        chosen = {cost: _of_bands(members, cost, bounds[cost]) for cost in COSTS}
        row["cells"] = {cost: [member["text"] for member in some] for cost, some in chosen.items()}
        row["share"] = {
            cost: round(share(tables[cost], np.array([_place(member) for member in some])), 4)
            for cost, some in chosen.items()
        }
        row["finalists"] = [
            {
                **member["accuracy"],
                "text": member["text"],
                "test_accuracy": _percent(accuracy[_place(member)]),
            }
            for member in members
        ]
    return row


def _believed(member: Member) -> float:
    """What a member was chosen by: regression and SynFlow, or the one, or the accuracy with
    shared weights."""
    found = member["accuracy"]
    return float(found.get("believed", found.get("regression", found["value"])))


def _of_bands(members: list[Member], cost: str, bounds: tuple[float, float]) -> list[Member]:
    """At most CELLS finalists: the best of each band of this cost, as the search itself chose
    them."""
    believed = np.array([_believed(member) for member in members])
    costs = np.array([member["costs"][cost]["value"] for member in members], dtype=float)
    return [members[row] for row in best_of_bins(believed, costs, bounds, CELLS)]


def chosen_of_bands(result: dict[str, Any], cost: str, bounds: tuple[float, float]) -> Ints:
    """Places in the table of what a search hands back, at most CELLS, the best of each band."""
    members = [*result["front"], *result["dominated"]]
    return np.array([_place(member) for member in _of_bands(members, cost, bounds)])


def share(table: Table, places: Ints) -> float:
    """The hypervolume of these rows of the table over that of its exact front."""
    return (
        hypervolume(table.accuracy[places], table.cost[places][:, None], table.bounds)
        / table.exact()
    )


def chance(tables: dict[str, Table], draws: int = 1000) -> dict[str, Any]:
    """Uniform cells, 20 at a time, and the cell of six 3x3 convolutions."""
    rng = np.random.default_rng(0)
    places = rng.integers(len(tables["params"].accuracy), size=(draws, CELLS))
    accuracy = tables["params"].accuracy
    largest = int(tabular.codes(np.full((1, len(SPACE.slots)), LARGEST))[0])
    return {
        "uniform_accuracy": _percent(accuracy[places].mean()),
        "uniform_share": {
            name: round(float(np.mean([share(table, some) for some in places[:200]])), 4)
            for name, table in tables.items()
        },
        "all_conv3x3_accuracy": _percent(accuracy[largest]),
    }


def tables_of(data: Path) -> dict[str, Table]:
    """Test accuracy with each of the two costs."""
    return {
        name: tabular.load(data / "nasbench201.csv.gz", ACCURACY, column)
        for name, column in COSTS.items()
    }


def written_images(data: Path, folder: Path, count: int | None, halve: bool) -> Path:
    """CIFAR-10, so many training images of it, as a user's .npz file."""
    arrays = cifar_jpeg.load(
        data / "cifar10_jpeg.npz", count, None if count is None else max(100, count // 10)
    )
    for part in ("x_train", "x_test") if halve else ():
        arrays[part] = cifar_jpeg.halved(arrays[part])
    path = folder / "cifar10.npz"
    np.savez(path, **arrays)
    return path


def supernet_family(planned: SearchPlan, size: str) -> Family:
    """The supernets of a size, on the plan's images."""
    used = SIZES[size]
    return Family(
        space=SPACE,
        size=CellSize(channels=used["channels"], cells=used["cells"]),
        task=planned.dataset.task,
    )


def _place(member: Member) -> int:
    return int(tabular.codes(to_choices(from_dict(member["genotype"]))[None])[0])


def _derived(epoch: Epoch, accuracy: Floats) -> float:
    """What the table says about the cell that was derived after an epoch, in %."""
    return _percent(accuracy[tabular.codes(np.array(epoch.derived))[0]])


def _percent(value: float) -> float:
    return round(100 * float(value), 3)


def main() -> int:
    """Run from the command line."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("data", type=Path, help="folder of cifar10_jpeg.npz and nasbench201.csv.gz")
    parser.add_argument("--arm", choices=sorted([*ARMS, "synflow"]), default="front")
    parser.add_argument("--size", choices=sorted(SIZES), default="small")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--epochs", type=int, help="instead of the size's own")
    parser.add_argument("--out", type=Path, help="file of JSON lines to append to")
    parser.add_argument(
        "--keep", type=Path, help="run directory to keep (default: it is thrown away)"
    )
    given = parser.parse_args()
    keep_freed_memory()  # as `hwnas search` does
    row = (
        untrained(given.data, given.size)
        if given.arm == "synflow"
        else run(given.data, given.size, given.arm, given.seed, given.epochs, given.keep)
    )
    print(json.dumps(row))
    if given.out:
        with open(given.out, "a") as file:
            file.write(json.dumps(row) + "\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
