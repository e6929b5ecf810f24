"""Do shared weights rank chains of blocks as trainings of their own do?

    OMP_NUM_THREADS=1 python -m benchmarks.mobile_ranks --train 0 --out benchmarks/results/mobile-ranks.jsonl    # to 19
    python -m benchmarks.mobile_ranks --rank benchmarks/results/mobile-ranks.jsonl --stages 4 --finalists 6 --seed 11 --out benchmarks/results/mobile-ranked.jsonl
    python -m benchmarks.mobile_ranks --summary benchmarks/results/mobile-ranked.jsonl

``--train K`` trains one of TRAINED networks of mobile-small for EPOCHS epochs, as benchmarks/mobile.py does, and appends a row:
those at equal steps of rank among DRAWN uniform networks in the order of their MACs. ``--rank`` trains a supernet, uniform paths in
stages of so many epochs, then for some epochs the trained networks' paths alone, and prints how it ranks them (Kendall's tau, of all and of
the larger half). Every stage begins with fresh weights unless --kept. Images: those of seed 10, on which nothing is judged.
"""

from __future__ import annotations

import argparse
import json
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch

from benchmarks.mobile import CLASSES, EACH, RECIPE
from benchmarks.mobile_parts import trained, write_images
from hwnas.config import WeightStep, resolve
from hwnas.nets.supernet import Supernet, build_supernet
from hwnas.search.distributed import shared_weights
from hwnas.search.plan import SearchPlan, plan
from hwnas.space.encoding import sample, to_genotype
from hwnas.space.genotype import Architecture
from hwnas.space.space import SPACES, Choices
from hwnas.space.text import format_text
from hwnas.training.data import batch_count, batches, equal_batches
from profilers.agreement import kendall_tau

TRAINED = 20
DRAWN = 2000
EPOCHS = 30
SEED = 10
BATCH = 64


def planned(folder: Path, weight_step: dict[str, Any] | None = None) -> SearchPlan:
    """A plan of a search on the images of SEED, for its data, its space and its counts."""
    write_images(folder / "images.npz", CLASSES["ten"], EACH["ten"], SEED)
    given = {
        "algorithm": "random",
        "space": "mobile-small",
        "objectives": [{"metric": "macs"}],
        "seed": SEED,
        "data": {"source": str(folder / "images.npz")},
        "weight_step": {"batch_size": BATCH, **(weight_step or {})},
    }
    return plan(resolve(given))


def networks(of: SearchPlan) -> Choices:
    """Those that are trained, (TRAINED, decisions), from few MACs to many."""
    space, rng = SPACES[of.config.space], np.random.default_rng(31)
    drawn = np.stack([sample(space, rng) for _ in range(DRAWN)])
    drawn = drawn[np.argsort(of.costs[0].of(drawn), kind="stable")]
    return drawn[((np.arange(TRAINED) + 0.5) * DRAWN / TRAINED).astype(int)]


def train_one(number: int) -> dict[str, Any]:
    """A row: one network trained by itself."""
    with tempfile.TemporaryDirectory() as folder:
        of = planned(Path(folder))
        choices = networks(of)
        genotype = to_genotype(SPACES[of.config.space], choices[number])
        size = of.config.evaluation
        network = Architecture(genotype, channels=size.channels, cells=size.cells)
        accuracy, took = trained(network, of.dataset, RECIPE, EPOCHS, SEED)
    return {
        "number": number,
        "text": format_text(genotype),
        "macs": float(of.costs[0].of(choices)[number]),
        "epochs": EPOCHS,
        "test_accuracy": accuracy,
        "train_cpu_s": round(took, 1),
    }


def ranked(
    truth: list[dict[str, Any]],
    stages: Sequence[int],
    finalists: int,
    kept: bool,
    seed: int,
    weight_step: dict[str, Any],
) -> dict[str, Any]:
    """A row: how a supernet ranks the trained networks, before and after their paths are trained alone."""
    began = time.process_time()
    with tempfile.TemporaryDirectory() as folder:
        of = planned(Path(folder), weight_step)
        choices = networks(of)[[row["number"] for row in truth]]
        trained_alone = np.array([row["test_accuracy"] for row in truth])
        larger = np.argsort([row["macs"] for row in truth])[len(truth) // 2 :]
        images = list(equal_batches(of.dataset, "policy", 256, (201,)))

        def compared(net: Supernet) -> dict[str, float]:
            seen = shared_weights.accuracies(net, choices, images)
            return {
                "tau": round(kendall_tau(seen, trained_alone), 3),
                "tau_larger": round(kendall_tau(seen[larger], trained_alone[larger]), 3),
                "picked": round(float(trained_alone[seen.argmax()]), 4),
                "mean": round(float(seen.mean()), 4),
                "cpu_s": round(time.process_time() - began, 1),
            }

        shared = None
        found = {}
        for stage, epochs in enumerate((*stages, finalists)):
            last = stage == len(stages)
            if shared is None or not (kept or last):
                net = build_supernet(of.config.stage_family(0, of.dataset.task), seed=seed + stage)
                shared = shared_weights.optimise(net, of.config.weight_step)
            _train(of, shared, choices if last else None, epochs, (seed, stage))
            phase = "finalists" if last else f"stage {stage}"
            found[phase] = compared(shared.net)
            print(phase, found[phase], flush=True)
    return {
        "stages": list(stages),
        "epochs_alone": finalists,
        "networks": len(truth),
        "kept": kept,
        "seed": seed,
        **weight_step,
    } | found


def _train(
    of: SearchPlan,
    shared: shared_weights.SharedWeights,
    among: Choices | None,
    epochs: int,
    words: tuple[int, int],
) -> None:
    """Uniform paths, or those of some networks alone, with a rate that falls along a cosine."""
    space, settings = SPACES[of.config.space], of.config.weight_step
    rng = np.random.default_rng(words)
    steps = batch_count(of.dataset, "weights", settings.batch_size)
    for epoch in range(epochs):
        drawn = batches(
            of.dataset,
            "weights",
            settings.batch_size,
            (*words, epoch),
            augment=of.dataset.augment,
        )
        for number, batch in enumerate(drawn):
            path = sample(space, rng) if among is None else among[rng.integers(len(among))]
            done = (epoch + number / steps) / epochs
            shared_weights.weight_step(shared, batch, path, shared_weights.cosine(settings, done))


def table(rows: Sequence[dict[str, Any]]) -> str:
    """Markdown: a line per supernet."""
    lines = [
        "| networks | epochs of uniform paths | of their paths alone | batch | weight decay | seed | tau, of all / of the larger half |"
        " after their paths alone | test accuracy of the one ranked first | CPU s |",
        "|---|---|---|---|---|---|---|---|---|---|",
    ]
    defaults = WeightStep()
    for row in sorted(rows, key=lambda row: (sum(row["stages"]), row["seed"])):
        before, after = row[f"stage {len(row['stages']) - 1}"], row["finalists"]
        decay = row.get("weight_decay", defaults.weight_decay)
        lines.append(
            f"| {row['networks']} | {', '.join(map(str, row['stages']))} | {row['epochs_alone']} | {row.get('batch_size', BATCH)} |"
            f" {decay:g} | {row['seed']} | {before['tau']:.2f} / {before['tau_larger']:.2f} |"
            f" {after['tau']:.2f} / {after['tau_larger']:.2f} | {after['picked']:.1%} | {after['cpu_s']:.0f} |"
        )
    return "\n".join(lines)


def main() -> None:
    """Run from the command line."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--train", type=int, help="which network to train")
    parser.add_argument("--rank", type=Path, help="rows of trained networks")
    parser.add_argument("--stages", type=int, nargs="+", default=[4])
    parser.add_argument("--finalists", type=int, default=6)
    parser.add_argument("--kept", action="store_true", help="stages go on with the weights before")
    parser.add_argument("--seed", type=int, default=SEED)
    parser.add_argument("--weight-step", type=json.loads, default={}, help="settings, as JSON")
    parser.add_argument("--out", type=Path, help="file of JSON lines to append to")
    parser.add_argument("--summary", type=Path, help="print the table of ranked rows and stop")
    given = parser.parse_args()
    if given.summary:
        print(table([json.loads(line) for line in given.summary.read_text().splitlines()]))
        return
    torch.set_num_threads(1)
    if given.train is not None:
        row = train_one(given.train)
    else:
        truth = [json.loads(line) for line in given.rank.read_text().splitlines()]
        row = ranked(
            truth, given.stages, given.finalists, given.kept, given.seed, given.weight_step
        )
    print(json.dumps(row))
    if given.out:
        with open(given.out, "a") as file:
            file.write(json.dumps(row) + "\n")


if __name__ == "__main__":
    main()
