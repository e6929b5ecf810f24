"""What eight policies cost: seconds per epoch of a search with K = 8 against K = 1, at the same
samples per step.

Epochs of both searches alternate in one process, so that the host's drift falls on both alike.

    python -m benchmarks.policies_cost --epochs 8
"""

from __future__ import annotations

import argparse
import json
import statistics
import tempfile
import threading
import time
from pathlib import Path

import torch

from hwnas.config import EXPONENTS, Config, resolve
from hwnas.search.plan import plan
from hwnas.search.progress import SearchProgress
from hwnas.search.search import search


def alternate(configs: dict[int, Config], folder: Path) -> dict[int, list[float]]:
    """Seconds of every epoch of both searches.

    One runs at a time: each hands over to the other after an epoch.
    """
    turns = {count: threading.Semaphore(number == 0) for number, count in enumerate(configs)}
    seconds: dict[int, list[float]] = {count: [] for count in configs}

    def run(count: int, other: int) -> None:
        began = 0.0

        def hand_over(progress: SearchProgress) -> None:
            nonlocal began
            seconds[count].append(time.perf_counter() - began)
            turns[other].release()
            turns[count].acquire()
            began = time.perf_counter()

        turns[count].acquire()
        planned = plan(configs[count])
        began = time.perf_counter()
        search(configs[count], folder / str(count), hand_over, planned)
        turns[other].release()

    one, other = configs
    threads = [threading.Thread(target=run, args=pair) for pair in ((one, other), (other, one))]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return seconds


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument(
        "--epochs", type=int, default=8, help="of each search, after one that warms up"
    )
    options = parser.parse_args()
    torch.set_num_threads(1)
    stages = [{"cells": 3, "epochs": options.epochs + 1}]
    configs = {
        count: resolve(
            {"objectives": [{"metric": "params"}], "stages": stages, "exponents": exponents}
        )
        for count, exponents in ((1, [-0.1]), (8, EXPONENTS))
    }
    with tempfile.TemporaryDirectory() as folder:
        # The first epoch of each also builds its supernet.
        seconds = {count: all_[1:] for count, all_ in alternate(configs, Path(folder)).items()}
    ratios = [eight / one for one, eight in zip(seconds[1], seconds[8], strict=True)]
    print(
        json.dumps(
            {
                "seconds_per_epoch": {
                    count: round(statistics.median(all_), 3) for count, all_ in seconds.items()
                },
                "ratio_median": round(statistics.median(ratios), 3),
                "ratio_range": [round(min(ratios), 3), round(max(ratios), 3)],
            }
        )
    )


if __name__ == "__main__":
    main()
