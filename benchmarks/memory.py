"""How does the memory that a network asks for compare with what a process takes?

    python -m benchmarks.memory [--space darts] [--channels 36] [--cells 8] [--side 32] [--networks
    20]

`hwnas.costs.memory` counts weights and live maps; ONNX Runtime's processes are measured twice each
(peak resident set that loading and running added). Prints both ranges, the straight line between
them, and Kendall's tau beside the ceiling that the second measurement sets.
"""

from __future__ import annotations

import argparse
import os
import time

import numpy as np

from hwnas.costs.memory import memory_table
from hwnas.measuring.bench import RuntimeBench
from hwnas.space import SPACES
from hwnas.space.encoding import project, sample, to_genotype
from hwnas.space.family import family
from hwnas.space.genotype import Architecture
from profilers.agreement import kendall_tau, mape_percent
from profilers.measurement import measurements
from profilers.onnx_latency import OnnxOptions


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--space", choices=sorted(SPACES), default="darts")
    parser.add_argument("--channels", type=int, default=36)
    parser.add_argument("--cells", type=int, default=8)
    parser.add_argument("--side", type=int, default=32)
    parser.add_argument("--networks", type=int, default=20)
    given = parser.parse_args()
    space, rng, image = SPACES[given.space], np.random.default_rng(0), (3, given.side, given.side)
    drawn = [
        project(space, sample(space, rng), rng.random(space.mask.shape))
        for _ in range(given.networks)
    ]
    choices = np.stack(drawn)
    of = family(space, channels=given.channels, cells=given.cells, classes=10, image=image)
    table = memory_table(of)
    start = time.perf_counter()
    asked = table.of(np.repeat(choices, 1000 // len(choices) + 1, axis=0))[
        :: 1000 // len(choices) + 1
    ]
    each = 1e6 * (time.perf_counter() - start) / 1000
    bench = RuntimeBench(family=of, device="cpu", options=OnnxOptions())
    items = [
        Architecture(to_genotype(space, one), channels=given.channels, cells=given.cells)
        for one in drawn
    ]
    first, second = (
        np.array([one.value for one in measurements(bench.memories(items))]) for _ in range(2)
    )
    line = np.polyfit(asked, first, 1)
    print(
        f"{space.name}, {given.channels} channels, {given.cells} cells, {given.side} pixels,"
        f" load {os.getloadavg()[0]:.1f}"
    )
    print(f"asked for {asked.min():.3g} to {asked.max():.3g} MiB ({each:.0f} us per network)")
    print(
        f"a process takes {first.min():.3g} to {first.max():.3g} MiB, again within {mape_percent(second, first):.2f} %"
    )
    off = mape_percent(np.polyval(line, asked), first)
    print(f"process = {line[0]:.2f} x asked for + {line[1]:.1f} MiB, within {off:.2f} %")
    print(f"tau {kendall_tau(asked, first):.2f}, ceiling {kendall_tau(second, first):.2f}")


if __name__ == "__main__":
    main()
