"""Photos that are read while a device trains on those before.

    OMP_NUM_THREADS=1 python -m benchmarks.read_ahead [--step 0.15] [--json FILE]

The device is pretended by a sleep, during which the CPU is as free as beside a GPU. JPEGs of 500 x
375 pixels are drawn, read at 224. Seconds per batch of 64: inline, as before, and read ahead, in
turn.
"""

from __future__ import annotations

import argparse
import json
import statistics
import tempfile
import time
from collections.abc import Iterable
from pathlib import Path

import numpy as np
import torch
from PIL import Image
from torch import Tensor

from hwnas.training.files import AHEAD, Files
from hwnas.training.stored import Wanted
from profilers.host import usable_cores

BATCH, BATCHES, ROUNDS = 64, 8, 5


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--step", type=float, default=0.15, help="seconds of a pretended step")
    parser.add_argument("--json", type=Path)
    options = parser.parse_args()
    found: dict[str, list[float]] = {"read alone": [], "inline": [], "read ahead": []}
    with tempfile.TemporaryDirectory() as folder:
        files = _drawn(Path(folder))
        indices = torch.arange(BATCH * BATCHES).split(BATCH)
        for _ in range(ROUNDS):
            found["read alone"].append(_seconds((files[index] for index in indices), 0.0))
            found["inline"].append(_seconds((files[index] for index in indices), options.step))
            found["read ahead"].append(_seconds(files.ahead(map(Wanted, indices)), options.step))
    told = {
        "step_s": options.step,
        "batch": BATCH,
        "cores": usable_cores(),
        "waiting_batches": AHEAD,
        "seconds_per_batch": {name: statistics.median(each) for name, each in found.items()},
        "ranges": {name: [min(each), max(each)] for name, each in found.items()},
    }
    print(json.dumps(told, indent=1))
    if options.json:
        options.json.write_text(json.dumps(told, indent=1) + "\n")


def _drawn(folder: Path) -> Files:
    rng = np.random.default_rng(0)
    paths = []
    for number in range(BATCH * BATCHES):
        small = Image.fromarray(rng.integers(0, 255, (24, 32, 3), dtype=np.uint8))
        paths.append(folder / f"{number}.jpg")
        small.resize((500, 375), Image.Resampling.BICUBIC).save(paths[-1], quality=90)
    return Files(paths=tuple(map(str, paths)), image=(3, 224, 224))


def _seconds(source: Iterable[Tensor], step_s: float) -> float:
    began = time.monotonic()
    for _ in source:
        time.sleep(step_s)
    return (time.monotonic() - began) / BATCHES


if __name__ == "__main__":
    main()
