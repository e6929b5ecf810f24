"""What a step and an evaluation of the elastic supernet cost, in CPU seconds on one thread, interleaved.

OMP_NUM_THREADS=1 python -m benchmarks.photos_steps --rounds 8
"""

from __future__ import annotations

import argparse
import statistics
import time
from collections.abc import Callable

import numpy as np
import torch

from benchmarks.photos_parts import one_thread
from hwnas.config import resolve
from hwnas.nets.supernet import build_supernet
from hwnas.search.distributed import shared_weights
from hwnas.search.evaluate import pieces
from hwnas.space.encoding import sample
from hwnas.space.size import Task
from hwnas.space.space import SPACES
from hwnas.space.spread import spread_path
from hwnas.training.data import Batch

IMAGES = 368


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument("--rounds", type=int, default=8)
    rounds = parser.parse_args().rounds
    config = resolve(
        {
            "space": "efficientnet-lite0-elastic",
            "weights_from": "efficientnet-lite0",
            "objectives": [{"metric": "macs"}],
        }
    )
    task, rng = Task(classes=5, image=(3, 96, 96)), np.random.default_rng(0)
    net = build_supernet(config.stage_family(0, task), 0)
    shared = shared_weights.optimise(net, config.weight_step)
    space = SPACES[config.space]
    few, many = (
        Batch(
            torch.randn(count, 3, 96, 96).contiguous(memory_format=torch.channels_last),
            torch.arange(count) % 5,
        )
        for count in (32, IMAGES)
    )
    whole = net.largest
    assert whole is not None

    def path() -> None:
        drawn = spread_path(space, net.relative_costs, space.mask, rng)
        shared_weights.weight_step(shared, few, drawn, 0.01)

    work: dict[str, Callable[[], object]] = {
        "step of the largest": lambda: shared_weights.weight_step(shared, few, whole, 0.01),
        "step of a drawn path": path,
        "evaluation of a candidate": lambda: shared_weights.likelihoods(
            net, [sample(space, rng)], pieces(many)
        ),
        "evaluation of the largest": lambda: shared_weights.likelihoods(net, [whole], pieces(many)),
    }
    seconds: dict[str, list[float]] = {name: [] for name in work}
    with one_thread():
        for number in range(rounds + 1):
            for name, one in work.items():
                repeats = 4 if "path" in name or "candidate" in name else 1
                began = time.process_time()
                for _ in range(repeats):
                    one()
                if number:  # the first round warms up
                    seconds[name].append((time.process_time() - began) / repeats)
    unit = statistics.median(seconds["step of the largest"])
    for name, each in seconds.items():
        print(
            f"{name:26} {statistics.median(each):.3f} s ({min(each):.3f} to {max(each):.3f}),"
            f" {statistics.median(each) / unit:.2f} steps of the largest"
        )


if __name__ == "__main__":
    main()
