"""Does hwnas know before a search whether it will be better than chance? (docs/evidence/first-hour.md)

    OMP_NUM_THREADS=1 python -m benchmarks.worth --seed 0 --out benchmarks/results/worth.jsonl
    python -m benchmarks.worth --summary benchmarks/results/worth.jsonl

Searches with the defaults for so many images of CIFAR-10 (../shared/data/cifar10_jpeg.npz), of the usual length and
cut short. One line of JSON each: what the rule (hwnas.search.worth) says before, and the hypervolumes of the front and
of as many random networks, all with the same shared weights, on the test images: on those that the front was chosen
by, luck alone would make it better.
"""

from __future__ import annotations

import argparse
import io
import json
import tempfile
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from benchmarks.photos_parts import cpu_seconds, one_thread
from hwnas.config import resolve, with_epochs
from hwnas.runs.directory import Run
from hwnas.runs.front import Bounds, hypervolume
from hwnas.search.advice import advise
from hwnas.search.algorithms.searcher import mask_of
from hwnas.search.checkpoint import restore
from hwnas.search.distributed import shared_weights
from hwnas.search.photos import with_weights
from hwnas.search.plan import SearchPlan, plan, searcher_of
from hwnas.search.search import search, summary
from hwnas.search.worth import doubts, evaluated, trained_steps
from hwnas.space.encoding import sample, to_choices
from hwnas.space.space import SPACES
from hwnas.space.text import from_dict
from hwnas.training.data import equal_batches

DATA = Path("../shared/data/cifar10_jpeg.npz")
RANDOM = 5
"""Random fronts, whose mean is compared with."""
CASES: tuple[tuple[int, int | None], ...] = (
    (40, None), (40, 1), (150, None), (150, 1), (700, 1), (3000, 1), (10_000, 1), (700, None), (3000, None), (10_000, None),
)  # fmt: skip
"""Training images, and epochs of each stage where it is cut short."""


def subset(path: Path, images: int, seed: int) -> Path:
    """So many training images and a quarter as many test images, as a user's .npz file."""
    rng = np.random.default_rng(seed)
    with np.load(DATA) as stored:
        arrays: dict[str, Any] = {}
        for part, count in (("train", images), ("test", max(20, images // 4))):
            offsets, data = stored[f"{part}_offsets"], stored[f"{part}_jpeg"]
            labels = stored[f"{part}_y"]
            chosen = _of_all_classes(labels, count, rng)
            pixels = [
                np.asarray(Image.open(io.BytesIO(data[offsets[i] : offsets[i + 1]].tobytes())))
                for i in chosen
            ]
            arrays[f"x_{part}"], arrays[f"y_{part}"] = np.stack(pixels), labels[chosen]
    np.savez(path, **arrays)
    return path


def _of_all_classes(labels: Any, count: int, rng: np.random.Generator) -> Any:
    each = [rng.permutation(np.flatnonzero(labels == one))[: count // 10] for one in range(10)]
    return np.sort(np.concatenate(each))


def row(images: int, epochs: int | None, seed: int) -> dict[str, Any]:
    """One search."""
    with tempfile.TemporaryDirectory() as folder:
        source = subset(Path(folder) / "images.npz", images, seed)
        given = {
            "objectives": [{"metric": "params"}],
            "data": {"source": str(source)},
            "seed": seed,
        }
        config = resolve(with_weights(given, None))
        config = config if epochs is None else with_epochs(config, epochs)
        planned = plan(config)
        said = advise(planned).forecast
        began = cpu_seconds()
        run = search(config, Path(folder) / "run", planned=planned)
        took = cpu_seconds() - began
        found = summary(run)
        front, random = judged(run, planned, found, seed)
        return {
            "images": images,
            "epochs": epochs,
            "seed": seed,
            "steps": trained_steps(config, planned.dataset),
            "judged": min(config.alpha_step.images, len(planned.dataset.split["policy"])),
            "evaluations": evaluated(config, planned.dataset),
            "doubts": doubts(config, planned.dataset),
            "hypervolume": front,
            "random": random,
            "best": round(max(one["accuracy"]["value"] for one in found["front"]), 4),
            "said_cpu_s": round(said.cpu_seconds - said.tuning_cpu_seconds, 1),
            "took_cpu_s": round(took, 1),
        }


def judged(run: Run, planned: SearchPlan, found: dict[str, Any], seed: int) -> tuple[float, float]:
    """Hypervolumes of the front and of as many random networks on the test images, by shared weights."""
    config, dataset = planned.config, planned.dataset
    space, state = SPACES[config.space], restore(run, dataset, searcher_of(planned))
    net, mask = state.shared.net, mask_of(state.searcher, space)
    members = np.stack([to_choices(from_dict(one["genotype"])) for one in found["front"]])
    rng = np.random.default_rng([seed, 7])
    box = found["bounds"]
    bounds = Bounds(accuracy=tuple(box["accuracy"]), costs=(tuple(box["params"]),))
    params = next(cost for cost in planned.costs if cost.name == "params")
    images = list(equal_batches(dataset, "test", 256, (seed, 1)))

    def of(choices: Any) -> float:
        accuracy = shared_weights.accuracies(net, choices, images)
        costs = np.asarray(params.of(choices), dtype=np.float64)[:, None]
        return hypervolume(accuracy, costs, bounds)

    draws = [
        of(np.stack([sample(space, rng, mask) for _ in range(len(members))])) for _ in range(RANDOM)
    ]
    return round(of(members), 4), round(float(np.mean(draws)), 4)


def summarise(path: Path) -> None:
    """A table for the page."""
    print(
        "| images | epochs | seed | steps | compared on | networks | says | hypervolume | of chance |"
    )
    print("|---|---|---|---|---|---|---|---|---|")
    for line in path.read_text().splitlines():
        one = json.loads(line)
        says = "do not search" if one["doubts"] else "search"
        print(
            f"| {one['images']:,} | {one['epochs'] or 'as fits'} | {one['seed']} | {one['steps']:,} | {one['judged']}"
            f" | {one['evaluations']:,} | {says} | {one['hypervolume']:.3f} | {one['random']:.3f} |"
        )


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--first", type=int, default=0, help="the case to begin with")
    parser.add_argument("--out", type=Path)
    parser.add_argument("--summary", type=Path)
    said = parser.parse_args()
    if said.summary is not None:
        summarise(said.summary)
        return
    for images, epochs in CASES[said.first :]:
        with one_thread():
            found = row(images, epochs, said.seed)
        print(json.dumps(found), flush=True)
        if said.out is not None:
            with said.out.open("a") as file:
                file.write(json.dumps(found) + "\n")


if __name__ == "__main__":
    main()
