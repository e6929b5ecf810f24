"""From photos to a front of tuned networks: what it costs, and what is had by hand for the same (docs/evidence/photos.md).

    OMP_NUM_THREADS=1 python -m benchmarks.photos --arm stock3 --seed 0 --out benchmarks/results/photos.jsonl
    OMP_NUM_THREADS=1 python -m benchmarks.photos --arm front --seed 0 --out benchmarks/results/photos.jsonl
    python -m benchmarks.photos --summary benchmarks/results/photos.jsonl

One arm and seed per process; each appends one line of JSON per network. Photos: flowers of ../shared/data at 96 x 96
pixels; `val`, the test set, is looked at once per network, at its end. All networks begin with the weights of
EfficientNet-Lite0 unless they say scratch, are trained on all of `train` and have seen no photo of `val`.
Times are CPU seconds of the process and its children, on one thread. Arms:

- stockN: the whole network, N epochs;
- halfN, thirdN: all blocks that wide inside, by hand; with -soft half of the loss follows what the stock network of 5
  epochs says of each photo (its own training is counted in `teacher_cpu_s`, not in `cpu_s`);
- scratchN: the half, from random weights;
- front: `hwnas search` with the defaults for photos and the latency of this machine, then `hwnas train --all`;
- six: networks narrowed by hand to the latencies of six members of that front, 8 epochs with soft labels;
- one: the half of stock by hand, trained for as long as the whole front took.
"""

from __future__ import annotations

import argparse
import json
import math
import re
import statistics
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.mobile_parts import latencies
from benchmarks.photos_parts import (
    WEIGHTS,
    Hand,
    architecture_of,
    cpu_seconds,
    one_thread,
    prepared,
    taught,
    tuned,
)
from hwnas.config import resolve
from hwnas.nets.trained import weights_named
from hwnas.runs.choice import Choice, choose
from hwnas.runs.directory import open_run
from hwnas.runs.models import model_of
from hwnas.runs.training_record import read_records
from hwnas.search.photos import with_weights
from hwnas.search.plan import plan
from hwnas.search.search import search, summary
from hwnas.space.genotype import Architecture
from hwnas.training.data import Dataset, load
from hwnas.training.finalists import train_models
from hwnas.training.inherited import starts
from hwnas.training.planning import plan_epochs
from hwnas.training.recipe import RECIPES
from hwnas.training.run_images import images_of

Row = dict[str, Any]
PHOTOS = Path("../shared/data/flowers")
SIDE = 96
SHARES = {"stock": 1.0, "half": 1 / 2, "third": 1 / 3, "scratch": 1 / 2}
_ARM = re.compile(r"(?P<kind>stock|half|third|scratch)(?P<epochs>\d+)(?P<soft>-soft)?")
TEACHER_EPOCHS = 5
SIX_EPOCHS = 8


def images(source: Path) -> Dataset:
    """The photos, prepared as the weights want them."""
    crop = weights_named(WEIGHTS).preprocessing.crop
    return prepared(load(source, image_size=SIDE, crop=crop))


def row(arm: str, seed: int, name: str, accuracy: float, cpu_s: float, **more: Any) -> Row:
    """One network as a line of the results."""
    return {
        "arm": arm,
        "seed": seed,
        "network": name,
        "test_accuracy": round(accuracy, 5),
        "cpu_s": round(cpu_s, 1),
        **more,
    }


def by_hand(arm: str, seed: int, dataset: Dataset) -> list[Row]:
    """An arm of one network that is made by hand."""
    found = _ARM.fullmatch(arm)
    if found is None:
        raise SystemExit(f"unknown arm {arm}")
    hand, teacher_cpu = Hand(share=SHARES[found["kind"]]), 0.0
    if found["soft"]:
        dataset, teacher_cpu = _with_teacher(dataset, seed)
    result, cpu = tuned(
        hand, dataset, int(found["epochs"]), seed, bool(found["soft"]), found["kind"] == "scratch"
    )
    ms = _milliseconds([architecture_of(hand, dataset)], dataset)
    return [row(arm, seed, arm, result.test_accuracy, cpu, teacher_cpu_s=teacher_cpu, **ms[0])]


def _with_teacher(dataset: Dataset, seed: int) -> tuple[Dataset, float]:
    teacher, cpu = tuned(Hand(share=1.0), dataset, TEACHER_EPOCHS, seed, False, False)
    return taught(dataset, teacher.network), round(cpu, 1)


def _milliseconds(networks: list[Architecture], dataset: Dataset) -> list[Row]:
    """The latency of each beside the stock network's, measured in turn."""
    stock = architecture_of(Hand(share=1.0), dataset)
    *each, whole = latencies([*networks, stock], dataset)
    return [
        {
            "latency_ms": one.value,
            "of_stock": round(one.value / whole.value, 4),
            "stock_ms": whole.value,
        }
        for one in each
    ]


def front(seed: int, source: Path, algorithm: str | None, keep: Path | None) -> list[Row]:
    """Search with the defaults for photos, then train every member of the front."""
    given = {
        "target": "cpu",
        "objectives": [{"metric": "latency"}],
        "seed": seed,
        "data": {"source": str(source)},
        **({} if algorithm is None else {"algorithm": algorithm}),
    }
    config = resolve(with_weights(given, None, print))
    planned = plan(config, print)  # a machine's first table is measured here, and not counted
    began = cpu_seconds()
    with tempfile.TemporaryDirectory() as folder:
        run = search(config, keep or Path(folder) / "run", planned=planned, say=print)
        searched = cpu_seconds() - began
        dataset = images_of(run)
        models = [model_of(run, member) for member in choose(run, Choice(every=True)).members]
        recipe = RECIPES["tune"]
        records = train_models(
            run,
            models,
            dataset,
            recipe,
            seed,
            plan=plan_epochs(run, models, dataset, recipe, seed),
            start=starts(run, dataset.task, True),
        )
        total = cpu_seconds() - began
        found = summary(run)
    shared = {member["key"]: member["accuracy"]["value"] for member in found["front"]}
    ms = _milliseconds([model.architecture for model in models], dataset)
    return [
        row(
            "front",
            seed,
            model.key,
            record.test_accuracy,
            total,
            search_cpu_s=round(searched, 1),
            shared_accuracy=shared[model.key],
            text=record.text,
            evaluations=found["evaluations"],
            params=model.costs["params"].value,
            macs=model.costs["macs"].value,
            **one,
        )
        for model, record, one in zip(models, records, ms, strict=True)
    ]


def of_run(path: Path, cpu_s: float, search_cpu_s: float) -> list[Row]:
    """The same rows of a finished run whose front is trained; what it took is known to whoever ran it."""
    run = open_run(path)
    found, dataset = summary(run), images_of(run)
    records = {record.key: record for record in read_records(run)}
    members = [
        member for member in choose(run, Choice(every=True)).members if member.key in records
    ]
    models = [model_of(run, member) for member in members]
    ms = _milliseconds([model.architecture for model in models], dataset)
    shared = {member["key"]: member["accuracy"]["value"] for member in found["front"]}
    return [
        row(
            "front",
            run.config.seed,
            model.key,
            records[model.key].test_accuracy,
            cpu_s,
            search_cpu_s=search_cpu_s,
            shared_accuracy=shared[model.key],
            text=records[model.key].text,
            evaluations=found["evaluations"],
            params=model.costs["params"].value,
            macs=model.costs["macs"].value,
            **one,
        )
        for model, one in zip(models, ms, strict=True)
    ]


def six(seed: int, dataset: Dataset, members: list[Row]) -> list[Row]:
    """For six members of the front, spread over its latencies, a network narrowed by hand to the same latency."""
    ordered = sorted(members, key=lambda one: float(one["of_stock"]))
    ordered = [one for one in ordered if one["of_stock"] <= 1.02]
    rows = np.unique(np.linspace(0, len(ordered) - 1, 6).round().astype(int))
    dataset, teacher_cpu = _with_teacher(dataset, seed)
    found = []
    for member in (ordered[number] for number in rows):
        hand = narrowed(float(member["of_stock"]), dataset)
        result, cpu = tuned(hand, dataset, SIX_EPOCHS, seed, True, False)
        ms = _milliseconds([architecture_of(hand, dataset)], dataset)[0]
        found.append(
            row(
                "six", seed, f"{hand.share:.3f} of {hand.side:g}", result.test_accuracy, cpu,
                teacher_cpu_s=teacher_cpu, beside=member["network"], **ms,
            )
        )  # fmt: skip
    return found


def narrowed(of_stock: float, dataset: Dataset) -> Hand:
    """The share at which the stock network takes so much of its time: by bisection over measured latencies; on
    smaller images where even a sixth (no expansion) is slower."""
    for side in (1.0, 0.67):
        low, high = 1 / 6, 1.0
        if _share_of_time(Hand(share=low, side=side), dataset) > of_stock and side == 1.0:
            continue
        for _ in range(5):
            middle = math.sqrt(low * high)
            slower = _share_of_time(Hand(share=middle, side=side), dataset) > of_stock
            low, high = (low, middle) if slower else (middle, high)
        return Hand(share=round(math.sqrt(low * high), 3), side=side)
    raise AssertionError


def _share_of_time(hand: Hand, dataset: Dataset) -> float:
    return float(_milliseconds([architecture_of(hand, dataset)], dataset)[0]["of_stock"])


def one(seed: int, dataset: Dataset, members: list[Row]) -> list[Row]:
    """The half by hand, for about the CPU time of the whole front."""
    hand = Hand(share=1 / 2)
    _, short = tuned(hand, dataset, 1, seed, False, False)
    _, longer = tuned(hand, dataset, 2, seed, False, False)
    epochs = max(1, round((members[0]["cpu_s"] - (2 * short - longer)) / (longer - short)))
    result, cpu = tuned(hand, dataset, epochs, seed, False, False)
    ms = _milliseconds([architecture_of(hand, dataset)], dataset)[0]
    return [row("one", seed, "half", result.test_accuracy, cpu, epochs=epochs, **ms)]


def summarise(path: Path) -> None:
    """Mean accuracy, latency and CPU seconds of each arm over its seeds; members of fronts one by one."""
    rows = [json.loads(line) for line in path.read_text().splitlines()]
    for arm in dict.fromkeys(one["arm"] for one in rows):
        mine = [one for one in rows if one["arm"] == arm]
        if arm in ("front", "six"):
            for one in sorted(mine, key=lambda one: (one["seed"], one["of_stock"])):
                print(
                    f"{arm:14} seed {one['seed']} {one['of_stock']:.3f} of stock's latency:"
                    f" {100 * one['test_accuracy']:.1f} %, CPU {one['cpu_s']:.0f} s"
                )
            continue
        mean = {
            key: statistics.mean(one[key] for one in mine)
            for key in ("test_accuracy", "of_stock", "cpu_s")
        }
        each = ", ".join(f"{100 * one['test_accuracy']:.1f}" for one in mine)
        print(
            f"{arm:14} {mean['of_stock']:.3f} of stock's latency: {100 * mean['test_accuracy']:.1f} %"
            f" ({each}), CPU {mean['cpu_s']:.0f} s"
        )


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument("--arm")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--photos", type=Path, default=PHOTOS, help="another folder, to tune on")
    parser.add_argument("--algorithm", help="of the arm front; the default where not given")
    parser.add_argument("--out", type=Path)
    parser.add_argument("--keep", type=Path, help="of the arm front: where its run stays")
    parser.add_argument("--run", type=Path, help="of the arm front: a run that is there already")
    parser.add_argument(
        "--cpu", type=float, nargs=2, help="its CPU seconds, and those of its search"
    )
    parser.add_argument("--summary", type=Path)
    said = parser.parse_args()
    if said.summary is not None:
        summarise(said.summary)
        return
    members: list[Row] = []
    if said.out is not None and said.out.exists():
        known = [json.loads(line) for line in said.out.read_text().splitlines()]
        members = [one for one in known if one["arm"] == "front" and one["seed"] == said.seed]
    of_front: dict[str, Callable[[int, Dataset, list[Row]], list[Row]]] = {"six": six, "one": one}
    with one_thread():
        if said.run is not None:
            rows = of_run(said.run, *said.cpu)
        elif said.arm == "front":
            rows = front(said.seed, said.photos, said.algorithm, said.keep)
        elif said.arm in of_front:
            rows = of_front[said.arm](said.seed, images(said.photos), members)
        else:
            rows = by_hand(said.arm, said.seed, images(said.photos))
    for found in rows:
        print(json.dumps(found))
    if said.out is not None:
        with said.out.open("a") as file:
            file.writelines(json.dumps(found) + "\n" for found in rows)


if __name__ == "__main__":
    main()
