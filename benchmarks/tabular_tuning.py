"""How NSGA-II, the peer of benchmarks/tabular.py, was tuned: all settings on the same pairs and seeds.

    python -m benchmarks.tabular_tuning ../shared/data/nasbench201.csv.gz --out benchmarks/results/tabular-tuning.jsonl
    python -m benchmarks.tabular_tuning --page benchmarks/results/tabular-tuning.jsonl

The pairs of columns are seven that the five of the comparison are not among, and the seeds, 100 to 107, are not its
seeds either: the same that hwnas's own variants were tried on. One line per setting and pair: the shares of the exact
hypervolume after each of `tabular.BUDGETS`, seed by seed. The better setting has the larger mean share of 200, 500 and
1,000 evaluations.
"""

from __future__ import annotations

import argparse
import itertools
import json
import statistics
from pathlib import Path
from typing import Any

from benchmarks import tabular
from benchmarks.page import standard_error
from benchmarks.tabular_peers import CROSSOVERS, nsga2

Row = dict[str, Any]

PAIRS = (
    ("cifar100_valid_acc_200ep", "latency_ms_fpga_1"),
    ("cifar10_test_acc_200ep", "latency_ms_edgetpu_1"),
    ("cifar100_test_acc_200ep", "latency_ms_pixel3_1"),
    ("cifar10_test_acc_200ep", "latency_ms_silver_4114"),
    ("cifar100_valid_acc_200ep", "energy_mj_edgegpu_1"),
    ("cifar10_valid_acc_12ep", "cifar10_macs_M"),
    ("cifar100_test_acc_200ep", "energy_mj_fpga_1"),
)
SEEDS = range(100, 108)
POPULATIONS = (10, 20, 40, 100)
MUTATIONS = (0.1, 0.1667, 0.3333)
"""Per slot; a genotype has six of them."""


def rows_of(table: tabular.Table, pair: tuple[str, str]) -> list[Row]:
    """All settings on one pair of columns."""
    return [
        {
            "accuracy": pair[0],
            "cost": pair[1],
            **setting,
            "seeds": [SEEDS[0], SEEDS[-1]],
            "shares": [
                [round(one, 6) for one in tabular.shares(nsga2, table, seed, **setting)]
                for seed in SEEDS
            ],
        }
        for setting in (
            {"population": population, "crossover": crossover, "mutation": mutation}
            for population, crossover, mutation in itertools.product(
                POPULATIONS, CROSSOVERS, MUTATIONS
            )
        )
    ]


def page(rows: list[Row]) -> str:
    """Markdown: every setting by its mean share, and how far the best is ahead, run by run."""
    runs: dict[tuple[int, str, float], list[list[float]]] = {}
    for row in rows:
        setting = (row["population"], row["crossover"], row["mutation"])
        runs.setdefault(setting, []).extend(row["shares"])
    score = {
        setting: [statistics.mean(shares[1:]) for shares in found]
        for setting, found in runs.items()
    }
    order = sorted(score, key=lambda setting: -statistics.mean(score[setting]))
    columns = " | ".join(f"{budget:,}" for budget in tabular.BUDGETS)
    lines = [
        f"| population | crossover | mutation per slot | {columns} | mean of the last three | the best minus this |",
        "|---" * (5 + len(tabular.BUDGETS)) + "|",
    ]
    for setting in order:
        means = (statistics.mean(column) for column in zip(*runs[setting], strict=True))
        behind = [one - other for one, other in zip(score[order[0]], score[setting], strict=True)]
        gap = (
            ""
            if setting == order[0]
            else f"{statistics.mean(behind):.4f} ± {standard_error(behind):.4f}"
        )
        lines.append(
            f"| {setting[0]} | {setting[1]} | {setting[2]:.2f} | {' | '.join(f'{one:.4f}' for one in means)}"
            f" | {statistics.mean(score[setting]):.4f} | {gap} |"
        )
    return "\n".join(lines)


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("table", type=Path, nargs="?", help="nasbench201.csv.gz")
    parser.add_argument("--out", type=Path, help="file of JSON lines to append to")
    parser.add_argument("--page", type=Path, help="print the table of such a file and stop")
    given = parser.parse_args()
    if given.page:
        print(page([json.loads(line) for line in given.page.read_text().splitlines()]))
        return
    if given.table is None:
        parser.error("say where nasbench201.csv.gz is")
    for pair in PAIRS:
        rows = rows_of(tabular.load(given.table, *pair), pair)
        print(pair, flush=True)
        if given.out:
            with open(given.out, "a", encoding="utf-8") as file:
                file.writelines(json.dumps(row) + "\n" for row in rows)


if __name__ == "__main__":
    main()
