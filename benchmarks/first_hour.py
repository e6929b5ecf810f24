"""A stranger's first hour: the README's commands on two folders, and whether the search paid (docs/evidence/first-hour.md)

    python -m benchmarks.first_hour --make /somewhere/objects            # 700 enlarged images of CIFAR-10, odd files among them
    OMP_NUM_THREADS=1 python -m benchmarks.first_hour --photos /somewhere/objects --seed 0 --out benchmarks/results/first-hour.jsonl
    python -m benchmarks.first_hour --summary benchmarks/results/first-hour.jsonl

One line of JSON per folder and seed: CPU seconds of search, training and baselines, and each baseline beside the member
that the search would give for its latency, as `hwnas show --json` has them.
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

import numpy as np
from PIL import Image

from benchmarks.page import mean_and_error
from benchmarks.worth import subset

SIDES = (64, 128)
IMAGES = 700
RUN_CLI = "from hwnas.cli import main; main()"


def make(folder: Path, seed: int = 3) -> None:
    """A folder of enlarged images of CIFAR-10, a class per folder, of all the kinds that people have; one is cut short."""
    rng = np.random.default_rng(seed)
    with (
        tempfile.TemporaryDirectory() as place,
        np.load(subset(Path(place) / "few.npz", IMAGES, seed)) as stored,
    ):
        pairs = list(zip(stored["x_train"], stored["y_train"], strict=True))
    for number, (pixels, label) in enumerate(pairs):
        side = int(rng.integers(*SIDES))
        image = Image.fromarray(pixels).resize((side, side + 9), Image.Resampling.BICUBIC)
        name = folder / f"class{label}" / f"{number:04}"
        name.parent.mkdir(parents=True, exist_ok=True)
        _save(image, name, number)
    whole = next(folder.rglob("*.jpg")).read_bytes()
    (folder / "class0" / "cut.jpg").write_bytes(whole[: len(whole) // 2])


def _save(image: Image.Image, name: Path, number: int) -> None:
    """Most as JPEG; now and then grey, with an alpha channel, CMYK, 16 bit, or turned by EXIF."""
    kind = number % 50
    if kind == 1:
        image.convert("L").save(name.with_suffix(".png"))
    elif kind == 2:
        image.convert("RGBA").save(name.with_suffix(".png"))
    elif kind == 3:
        image.convert("CMYK").save(name.with_suffix(".jpg"))
    elif kind == 4:
        grey = np.asarray(image.convert("L")).astype(np.uint16) * 257
        Image.fromarray(grey).save(name.with_suffix(".png"))
    elif kind == 5:
        exif = Image.Exif()
        exif[0x0112] = 6  # to be turned by a quarter
        image.rotate(90, expand=True).save(name.with_suffix(".jpg"), exif=exif)
    else:
        image.save(name.with_suffix(".jpg"), quality=90)


def typed(*words: str) -> tuple[str, float]:
    """What a command prints to standard output, and its CPU seconds."""
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    done = subprocess.run(
        [sys.executable, "-c", RUN_CLI, *words], stdout=subprocess.PIPE, text=True, check=True
    )
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    return done.stdout, after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime


def row(photos: Path, seed: int, keep: Path | None) -> dict[str, Any]:
    """Search, train, compare; the run stays at ``keep``."""
    with tempfile.TemporaryDirectory() as folder:
        run = str(keep or Path(folder) / "run")
        asked = ["--target", "cpu", "--objective", "latency", "--skip-broken", "--seed", str(seed)]
        images = ["--data", str(photos), *asked]
        advice, plan_s = typed("plan", *images, "--json", "--budget", "10m")
        forecast = json.loads(typed("plan", *images, "--json")[0])
        spent = {
            "plan": plan_s,
            "search": typed("search", *images, "--out", run)[1],
            "train": typed("train", run, "--all")[1],
            "baselines": typed("train", run, "--baselines")[1],
        }
        shown = json.loads(typed("show", run, "--json")[0])
        return {
            "photos": photos.name,
            "seed": seed,
            "cpu_s": {name: round(seconds, 1) for name, seconds in spent.items()},
            "said_cpu_s": round(forecast["cpu_seconds"] - forecast["tuning_cpu_seconds"], 1),
            "plan_mib": round(forecast["memory_mib"]),
            "search_in_ten_minutes": json.loads(advice)["search"],
            "hypervolume": shown["hypervolume"],
            "random": shown["baseline"]["random_hypervolume"],
            "verdict": shown["verdict"],
        }


def summarise(path: Path) -> None:
    """Of each folder and baseline the mean difference over the seeds."""
    rows = [json.loads(line) for line in path.read_text().splitlines()]
    print(
        "| photos | baseline | seeds | member's latency, share of the baseline's | accuracy of the member minus the baseline's, points |"
    )
    print("|---|---|---|---|---|")
    for photos in dict.fromkeys(one["photos"] for one in rows):
        mine = [one for one in rows if one["photos"] == photos]
        found: dict[str, list[dict[str, Any]]] = {}
        for one in mine:
            for compared in one["verdict"]["comparisons"]:
                found.setdefault(compared["title"], []).append(compared)
        for title, each in found.items():
            difference = mean_and_error([100 * one["difference"] for one in each], 1, "+")
            ratio = statistics.mean(one["cost_ratio"] for one in each)
            print(f"| {photos} | {title} | {len(each)} | {ratio:.2f} | {difference} |")
    for one in rows:
        print(
            f"- {one['photos']}, seed {one['seed']}: {one['verdict']['line']} CPU seconds: {one['cpu_s']}"
        )


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument("--make", type=Path)
    parser.add_argument("--photos", type=Path)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--keep", type=Path, help="where the run is to stay")
    parser.add_argument("--out", type=Path)
    parser.add_argument("--summary", type=Path)
    said = parser.parse_args()
    if said.make is not None:
        make(said.make)
    if said.summary is not None:
        summarise(said.summary)
    if said.photos is not None:
        found = row(said.photos, said.seed, said.keep)
        print(json.dumps(found))
        if said.out is not None:
            with said.out.open("a") as file:
                file.write(json.dumps(found) + "\n")


if __name__ == "__main__":
    main()
