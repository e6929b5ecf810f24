"""What does it cost to price a candidate? Microseconds of CPU time per network, in batches of 1,000.

    OMP_NUM_THREADS=1 python -m benchmarks.candidate_cost --space mobile --image 224

Parameters, MACs, latency from a table and peak memory, as a search asks for them. The table is fitted to made-up
latencies with one measured operation each, so that it has all columns of a calibrated one; what it says is of no
interest here. Best of several batches: what else runs on the machine only adds.
"""

from __future__ import annotations

import argparse
import json
import time
from collections.abc import Callable

import numpy as np

from hwnas.costs.counts import count_table
from hwnas.costs.features import designs, with_operations
from hwnas.costs.latency import TablePredictor
from hwnas.costs.memory import memory_table
from hwnas.costs.tables import size_of
from hwnas.space import SPACES, Choices
from hwnas.space.encoding import sample
from hwnas.space.family import Family, family
from profilers.fit import fit
from profilers.table import Operations, Table

BATCH = 1_000
BATCHES = 5
FITTED = 120


def best_us(ask: Callable[[Choices], object], choices: Choices) -> float:
    """Microseconds of CPU time per network."""
    ask(choices)  # what is worked out once, at the first call
    spent = []
    for _ in range(BATCHES):
        began = time.process_time()
        ask(choices)
        spent.append(time.process_time() - began)
    return 1e6 * min(spent) / len(choices)


def made_up_table(of: Family, rng: np.random.Generator) -> Table:
    """A table whose latencies are a nanosecond per kilo-MAC, with five per cent of noise."""
    space = of.space
    choices = np.stack([sample(space, rng) for _ in range(FITTED)])
    latency = count_table(of).macs.of(choices) / 1e6 * rng.lognormal(0.0, 0.05, FITTED)
    sums = latency * rng.lognormal(0.0, 0.05, FITTED)
    known = [with_operations(one, sums) for one in designs(space, choices, of.size.cells)]
    edges = tuple(tuple(0.01 for _ in one.operations) for one in space.decisions)
    fitted, _ = fit(known, latency, 0)
    return Table(
        device="cpu",
        space=space.name,
        batch=1,
        network=size_of(of),
        fitted=fitted,
        agreement={},
        provenance={},
        operations=Operations(fixed=0.0, edges=edges),
    )


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--space", default="mobile")
    parser.add_argument("--image", type=int, default=224)
    options = parser.parse_args()
    space, rng = SPACES[options.space], np.random.default_rng(0)
    channels, cells = space.published_size
    image = (3, options.image, options.image)
    of = family(space, channels=channels, cells=cells, classes=10, image=image)
    choices = np.stack([sample(space, rng) for _ in range(BATCH)])
    counts = count_table(of)
    each = {
        "params": best_us(counts.params.of, choices),
        "macs": best_us(counts.macs.of, choices),
        "latency": best_us(
            TablePredictor(table=made_up_table(of, rng), source="made up").predict, choices
        ),
        "memory": best_us(memory_table(of).of, choices),
    }
    each["all"] = sum(each.values())
    print(json.dumps({"space": space.name, "image": options.image, "batch": BATCH, "us": each}))


if __name__ == "__main__":
    main()
