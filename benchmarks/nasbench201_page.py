"""Tables of docs/evidence/nasbench201.md from the rows of benchmarks/nasbench201.py.

    python -m benchmarks.nasbench201_page ../shared/data benchmarks/results/nasbench201-fresh.jsonl --page docs/evidence/nasbench201.md
    python -m benchmarks.nasbench201_page ../shared/data benchmarks/results/nasbench201.jsonl --figure docs/evidence/nasbench201.svg
    python -m benchmarks.nasbench201_page ../shared/data benchmarks/results/nasbench201-tried.jsonl --tried

With ``--page`` the table of fresh seeds is replaced there, else tables are printed. An interval holds the mean of an arm with 95 %
(Student's t over its seeds). CIFAR-100 is looked up for the same cells; nothing was chosen by it.
"""

from __future__ import annotations

import argparse
import json
import statistics
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from scipy.stats import t as student

from benchmarks import tabular
from benchmarks.draw import curves
from benchmarks.nasbench201 import COSTS, chance, share, tables_of
from benchmarks.page import filled, standard_error
from benchmarks.tabular import Table
from hwnas.space.encoding import to_choices
from hwnas.space.text import parse

BEGIN, END = "<!-- fresh: begin -->", "<!-- fresh: end -->"
OTHER = "cifar100_test_acc_200ep"
LEVEL = 0.95


def interval(values: Sequence[float]) -> tuple[float, float]:
    """Where the mean of such values lies with 95 %; not numbers with fewer than two."""
    if len(values) < 2:
        return float("nan"), float("nan")
    at = {"loc": statistics.mean(values), "scale": standard_error(values)}
    low, high = student.interval(LEVEL, len(values) - 1, **at)
    return float(low), float(high)


def with_interval(values: Sequence[float], digits: int) -> str:
    """The mean with its interval, empty where there is no value."""
    if not values:
        return ""
    low, high = interval(values)
    mean = f"{statistics.mean(values):.{digits}f}"
    return mean if len(values) < 2 else f"{mean} ({low:.{digits}f} to {high:.{digits}f})"


def places(texts: Sequence[str]) -> tabular.Ints:
    """The rows of a table that such cells stand in."""
    return tabular.codes(np.array([to_choices(parse(text)) for text in texts]))


def accuracies(rows: Sequence[dict[str, Any]], other: Table) -> list[float]:
    """What another column says of each run's best cell, in %."""
    return [100 * float(value) for value in other.accuracy[places([row["best"] for row in rows])]]


def report(rows: list[dict[str, Any]], tables: dict[str, Table]) -> str:
    """Markdown: one line per run, means per arm, what chance gives, and the rank correlations."""
    uniform = chance(tables)
    shares = uniform["uniform_share"]
    lines = [
        "| arm | seed | share of the exact front, params | latency | best cell, test accuracy in % | CPU s | wall s |",
        "|---|---|---|---|---|---|---|",
    ]
    for row in rows:
        found = row.get("share", {})
        cells = " | ".join(f"{found[name]:.3f}" if found else "" for name in COSTS)
        best, cpu, wall = row["test_accuracy"], row["cpu_s"], row["wall_s"]
        lines.append(
            f"| {row['arm']} | {row['seed']} | {cells} | {best:.2f} | {cpu:,} | {wall:,} |"
        )
    for arm in dict.fromkeys(row["arm"] for row in rows):
        mine = [row for row in rows if row["arm"] == arm]
        cells = " | ".join(
            f"{np.mean([row['share'][name] for row in mine]):.3f}" if "share" in mine[0] else ""
            for name in COSTS
        )
        best = np.mean([row["test_accuracy"] for row in mine])
        lines.append(f"| {arm} | mean of {len(mine)} | {cells} | {best:.2f} | | |")
    lines += [
        f"| 20 uniform cells | mean of 200 | {' | '.join(f'{shares[name]:.3f}' for name in COSTS)} |"
        f" {uniform['uniform_accuracy']:.2f} (one cell) | | |",
        f"| six 3x3 convolutions | | | | {uniform['all_conv3x3_accuracy']:.2f} | | |",
        "",
        "| arm | seed | Kendall's tau of shared weights with the table, after so many epochs |",
        "|---|---|---|",
    ]
    for row in rows:
        followed = ", ".join(f"{one['epoch']:.0f}: {one['tau']:.2f}" for one in row["tau"])
        if followed:
            lines.append(f"| {row['arm']} | {row['seed']} | {followed} |")
    lines += [
        "",
        "| arm | seed | test accuracy in % of the cell derived after each epoch |",
        "|---|---|---|",
    ]
    for row in rows:
        if row.get("derived"):
            found = ", ".join(f"{one:.2f}" for one in row["derived"])
            lines.append(f"| {row['arm']} | {row['seed']} | {found} |")
    return "\n".join(lines)


def figure(rows: list[dict[str, Any]]) -> str:
    """SVG: rank correlation over the epochs, a line per run that trains paths."""
    lines = {
        f"{row['arm']}, seed {row['seed']}": [
            (float(one["epoch"]), one["tau"]) for one in row["tau"]
        ]
        for row in rows
        if row["tau"]
    }
    return curves(
        "Shared weights against trained accuracies: 100 uniform cells", "epoch", "tau", lines
    )


def shares_of(
    rows: Sequence[dict[str, Any]], tables: Mapping[str, Table], name: str
) -> list[float]:
    """The share of the exact front of these tables that the cells reach which each run handed back for a cost."""
    return [share(tables[name], places(row["cells"][name])) for row in rows if row.get("cells")]


def fresh(rows: list[dict[str, Any]], others: Mapping[str, Table]) -> str:
    """Markdown: one line per run and one per arm, with its interval; ``others``: by cost, the
    tables of another data set that the same cells are looked up in."""
    lines = [
        "| arm | seed | share of the exact front, params | latency | the same cells on CIFAR-100, params | latency |"
        " best cell, CIFAR-10 test accuracy in % | the same cell on CIFAR-100 | CPU s |",
        "|---|---|---|---|---|---|---|---|---|",
    ]
    other = next(iter(others.values()))
    for arm in dict.fromkeys(row["arm"] for row in rows):
        mine = sorted((row for row in rows if row["arm"] == arm), key=lambda row: int(row["seed"]))
        shares = {name: [row["share"][name] for row in mine if "share" in row] for name in COSTS}
        shares |= {f"{name}, other": shares_of(mine, others, name) for name in COSTS}
        best, elsewhere = [row["test_accuracy"] for row in mine], accuracies(mine, other)
        for place, row in enumerate(mine):
            cells = [f"{some[place]:.3f}" if some else "" for some in shares.values()]
            lines.append(
                f"| {arm} | {row['seed']} | {' | '.join(cells)} | {best[place]:.2f} |"
                f" {elsewhere[place]:.2f} | {row['cpu_s']:,} |"
            )
        means = [with_interval(some, 3) for some in shares.values()]
        means += [with_interval(best, 2), with_interval(elsewhere, 2)]
        cpu = statistics.mean(row["cpu_s"] for row in mine)
        lines.append(f"| {arm} | mean of {len(mine)} | {' | '.join(means)} | {cpu:,.0f} |")
    return "\n".join(lines)


def tried(rows: list[dict[str, Any]]) -> str:
    """Markdown: what earlier settings handed back, a line for each of them and of its arms, seed by seed."""
    lines = [
        "| what | arm | seeds | epochs | tau of shared weights, at the end | share of the exact front, params | latency"
        " | best cell, test accuracy in % |",
        "|---|---|---|---|---|---|---|---|",
    ]
    groups: dict[tuple[str, str, int], list[dict[str, Any]]] = {}
    for row in rows:
        groups.setdefault((row["what"], row["arm"], row["epochs"]), []).append(row)
    for (what, arm, epochs), mine in groups.items():
        mine.sort(key=lambda row: int(row["seed"]))
        columns = [
            [str(row["seed"]) for row in mine],
            [str(epochs)],
            [f"{row['tau'][-1]['tau']:.2f}" for row in mine if row["tau"]],
            *([f"{row['share'][name]:.3f}" for row in mine if "share" in row] for name in COSTS),
            [f"{row['test_accuracy']:.2f}" for row in mine],
        ]
        lines.append(f"| {what} | {arm} | {' | '.join(', '.join(one) for one in columns)} |")
    return "\n".join(lines)


def main() -> None:
    """Run from the command line."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("data", type=Path, help="folder of nasbench201.csv.gz")
    parser.add_argument("rows", type=Path)
    parser.add_argument("--page", type=Path, help="the page whose table of fresh seeds is replaced")
    parser.add_argument("--figure", type=Path, help="SVG file to draw rank correlations into")
    parser.add_argument("--tried", action="store_true", help="print what earlier settings gave")
    given = parser.parse_args()
    rows = [json.loads(line) for line in given.rows.read_text(encoding="utf-8").splitlines()]
    if given.tried:
        print(tried(rows))
        return
    if given.figure is not None:
        given.figure.write_text(figure(rows), encoding="utf-8")
    if given.page is None:
        print(report(rows, tables_of(given.data)))
        return
    others = {
        name: tabular.load(given.data / "nasbench201.csv.gz", OTHER, column)
        for name, column in COSTS.items()
    }
    page = filled(given.page.read_text(encoding="utf-8"), fresh(rows, others), BEGIN, END)
    given.page.write_text(page, encoding="utf-8")


if __name__ == "__main__":
    main()
