"""Does the forecast of `hwnas plan` hold? CPU seconds of searches beside what was said before (docs/evidence/first-hour.md)

    OMP_NUM_THREADS=1 python -m benchmarks.forecasts --out benchmarks/results/forecasts.jsonl
    python -m benchmarks.forecasts --summary benchmarks/results/forecasts.jsonl

Five searches with the defaults for their images: real photos from trained weights, 700 enlarged photos, 10,000 and 3,000
images of CIFAR-10, digits. Training the front is not part of it.
"""

from __future__ import annotations

import argparse
import json
import resource
import tempfile
import time
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from benchmarks.photos_parts import cpu_seconds, one_thread
from benchmarks.worth import subset
from hwnas.config import resolve
from hwnas.search.advice import advise
from hwnas.search.photos import with_weights
from hwnas.search.plan import plan
from hwnas.search.search import search

CASES = ("flowers", "enlarged", "cifar-10000", "cifar-3000", "digits")
SEED = 3


def source_of(case: str, folder: Path) -> str:
    """The images of a case: a folder, a file, or a name."""
    if case == "flowers":
        return "../shared/data/flowers"
    if case == "digits":
        return case
    if case.startswith("cifar"):
        return str(subset(folder / "images.npz", int(case.split("-")[1]), SEED))
    with np.load(subset(folder / "few.npz", 700, SEED)) as stored:
        for number, (pixels, label) in enumerate(
            zip(stored["x_train"], stored["y_train"], strict=True)
        ):
            place = folder / "photos" / f"class{label}"
            place.mkdir(parents=True, exist_ok=True)
            image = Image.fromarray(pixels).resize((96, 96), Image.Resampling.BICUBIC)
            image.save(place / f"{number}.jpg", quality=92)
    return str(folder / "photos")


def row(case: str) -> dict[str, Any]:
    """What was said, and what it took."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        source = source_of(case, folder)
        metric = "latency" if case in ("flowers", "enlarged") else "params"
        given = {
            "target": "cpu",
            "objectives": [{"metric": metric}],
            "data": {"source": source},
            "seed": SEED,
        }
        planned = plan(resolve(with_weights(given, None)))
        began = cpu_seconds()
        advice = advise(planned, 600.0)
        took, peak = (
            cpu_seconds() - began,
            resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**10,
        )
        advised = advise(planned).forecast
        said = advised.cpu_seconds - advised.tuning_cpu_seconds
        began, wall = cpu_seconds(), time.monotonic()
        search(planned.config, folder / "run", planned=planned)
        return {
            "case": case,
            "said_cpu_s": round(said, 1),
            "took_cpu_s": round(cpu_seconds() - began, 1),
            "took_s": round(time.monotonic() - wall, 1),
            "plan_cpu_s": round(took, 1),
            "plan_mib": round(peak),
            "search_in_ten_minutes": advice.search,
            "why": list(advice.why),
        }


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument("--cases", nargs="+", default=CASES)
    parser.add_argument("--out", type=Path)
    parser.add_argument("--summary", type=Path)
    said = parser.parse_args()
    if said.summary is not None:
        print(
            "| images | said, CPU s | took | off | plan with a budget, CPU s | memory, MiB | in ten minutes |"
        )
        print("|---|---|---|---|---|---|---|")
        for line in said.summary.read_text().splitlines():
            one = json.loads(line)
            off = one["said_cpu_s"] / one["took_cpu_s"] - 1
            print(
                f"| {one['case']} | {one['said_cpu_s']:.0f} | {one['took_cpu_s']:.0f} | {100 * off:+.0f} %"
                f" | {one['plan_cpu_s']:.0f} | {one['plan_mib']:,} | {'search' if one['search_in_ten_minutes'] else 'do not'} |"
            )
        return
    for case in said.cases:
        with one_thread():
            found = row(case)
        print(json.dumps(found), flush=True)
        if said.out is not None:
            with said.out.open("a") as file:
                file.write(json.dumps(found) + "\n")


if __name__ == "__main__":
    main()
