"""What is had in NAS-Bench-201 without a search: the controls beside docs/evidence/nasbench201.md.

    python -m benchmarks.nasbench201_controls ../shared/data [--draws 200] [--out FILE.json]

- `flow of 64`: the cell of most flow (SynFlow) among 64 uniform cells; its test accuracy.
- `one per bin`: a uniform cell in each of the 20 bins of a cost; `flow of 32 per bin`: the one of
  most flow among 32 uniform cells of the bin; `most MACs per bin`: no draw at all. Share of the
  exact front, for parameters and for 1080 Ti latency.

Bins and costs are those that the search itself goes by (latency by the roofline), so these controls
know what the search knows before it begins. Test accuracies come from the table at the end.
"""

from __future__ import annotations

import argparse
import json
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.nasbench201 import (
    CELLS,
    COSTS,
    SIZES,
    config_of,
    share,
    supernet_family,
    tables_of,
    written_images,
)
from benchmarks.tabular import Floats, Ints, codes
from hwnas.costs.counts import count_table
from hwnas.search.algorithms.regression import best_of_bins
from hwnas.search.finalists.synflow import log_flows
from hwnas.search.plan import plan
from hwnas.space.encoding import every
from hwnas.space.nasbench201 import SPACE

ALONE, EACH = 64, 32


def controls(data: Path, draws: int) -> dict[str, Any]:
    """All controls: mean, and the range that holds 95 % of the draws."""
    tables, cells = tables_of(data), every(SPACE.mask)
    used = SIZES["small"]
    with tempfile.TemporaryDirectory() as folder:
        npz = written_images(data, Path(folder), 1_000, used["factorized_reduce"])
        planned = plan(config_of("small", "random", 0, npz))
    of = supernet_family(planned, "small")
    flow, places = log_flows(of, cells), codes(cells)
    costs = {cost.name: cost.of(cells) for cost in planned.costs}
    macs = count_table(of).macs.of(cells)
    accuracy = tables["params"].accuracy[places]
    rng = np.random.default_rng(0)

    def in_bins(score: Floats, name: str, rows: Ints, each: int = 1) -> Ints:
        bounds = planned.cost_ranges[name].bounds
        return rows[best_of_bins(score[rows], costs[name][rows], bounds, CELLS, each)]

    def shares(choose: Callable[[str], Ints], count: int) -> dict[str, Any]:
        return {
            name: summary([share(tables[name], places[choose(name)]) for _ in range(count)])
            for name in COSTS
        }

    everything = np.arange(len(cells))

    def one(name: str) -> Ints:
        return in_bins(rng.random(len(cells)), name, everything)

    def some(name: str) -> Ints:
        drawn = in_bins(rng.random(len(cells)), name, everything, EACH)
        return in_bins(flow, name, drawn)

    best = [
        100 * accuracy[(drawn := rng.integers(len(cells), size=ALONE))[flow[drawn].argmax()]]
        for _ in range(draws)
    ]
    return {
        f"flow of {ALONE}, test accuracy in %": summary(best),
        "one per bin": shares(one, draws),
        f"flow of {EACH} per bin": shares(some, draws),
        "most MACs per bin": shares(lambda name: in_bins(macs, name, everything), 1),
    }


def summary(values: list[float]) -> dict[str, float]:
    """Mean, the 2.5th and the 97.5th percentile, and how many."""
    low, high = np.percentile(values, [2.5, 97.5])
    return {
        "mean": round(float(np.mean(values)), 4),
        "low": round(float(low), 4),
        "high": round(float(high), 4),
        "draws": len(values),
    }


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("data", type=Path, help="folder of cifar10_jpeg.npz and nasbench201.csv.gz")
    parser.add_argument("--draws", type=int, default=200)
    parser.add_argument("--out", type=Path)
    given = parser.parse_args()
    text = json.dumps(controls(given.data, given.draws), indent=1)
    print(text)
    if given.out:
        given.out.write_text(text + "\n")


if __name__ == "__main__":
    main()
