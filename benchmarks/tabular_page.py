"""The rows that benchmarks.tabular keeps, as tables for docs/evidence/tabular.md and as one drawn
figure.

python -m benchmarks.tabular_page benchmarks/results/tabular.jsonl --figure
docs/evidence/tabular.svg
"""

from __future__ import annotations

import argparse
import json
import math
from collections.abc import Mapping
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from benchmarks.tabular import BUDGETS

Pair = tuple[str, str]
Runs = dict[str, dict[int, list[float]]]  # method -> seed -> shares after BUDGETS

COLOURS = {
    "hwnas": "#0b6e99",
    "nsga2": "#d95f02",
    "evolution": "#7570b3",
    "plain": "#66a61e",
    "random": "#888888",
}
NAMES = {
    "hwnas": "hwnas",
    "nsga2": "NSGA-II",
    "evolution": "regularised evolution",
    "plain": "plain REINFORCE",
}
WIDTH, HEIGHT, LEFT, TOP, BOTTOM = 190, 210, 40, 34, 26


def read(path: Path) -> dict[Pair, Runs]:
    """All runs, by pair of columns."""
    found: dict[Pair, Runs] = {}
    for line in path.read_text().splitlines():
        row = json.loads(line)
        runs = found.setdefault((row["accuracy"], row["cost"]), {})
        runs.setdefault(row["method"], {})[row["seed"]] = row["shares"]
    return found


def shares(runs: Mapping[int, list[float]]) -> NDArray[np.float64]:
    """(seeds, budgets) in order of the seeds."""
    return np.array([runs[seed] for seed in sorted(runs)])


def error(values: NDArray[np.float64]) -> NDArray[np.float64]:
    """Standard error of the mean over seeds, (budgets,)."""
    return np.asarray(values.std(axis=0, ddof=1) / math.sqrt(len(values)))


def table(pair: Pair, runs: Runs) -> str:
    """Mean +- standard error of every method, and the paired difference of ours to NSGA-II."""
    rows = [f"**{pair[0]}, {pair[1]}** ({len(runs['hwnas'])} seeds)", ""]
    rows += [f"| method | {' | '.join(map(str, BUDGETS))} |", "|---" * (1 + len(BUDGETS)) + "|"]
    for name, mine in runs.items():
        rows.append(_row(NAMES.get(name, name), shares(mine), sign=""))
    if "nsga2" in runs:
        rows.append(
            _row("hwnas - NSGA-II, paired", shares(runs["hwnas"]) - shares(runs["nsga2"]), sign="+")
        )
    return "\n".join(rows)


def _row(name: str, values: NDArray[np.float64], sign: str) -> str:
    cells = [
        f"{mean:{sign}.4f} ± {se:.4f}"
        for mean, se in zip(values.mean(axis=0), error(values), strict=True)
    ]
    return f"| {name} | {' | '.join(cells)} |"


def figure(pairs: Mapping[Pair, Runs]) -> str:
    """One panel per pair: what is missing of the exact hypervolume (log scale) against
    evaluations, as SVG text."""
    parts = [_panel(number, pair, runs) for number, (pair, runs) in enumerate(pairs.items())]
    width, height = LEFT + WIDTH * len(parts), TOP + HEIGHT + BOTTOM + 22
    legend = [
        f'<text x="{LEFT + 150 * place}" y="{height - 6}" fill="{colour}">{NAMES.get(name, name)}</text>'
        for place, (name, colour) in enumerate(COLOURS.items())
    ]
    head = (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}" width="{width}" height="{height}"'
        ' font-family="sans-serif" font-size="11"><rect width="100%" height="100%" fill="white"/>'
    )
    return "\n".join([head, *parts, *legend, "</svg>"]) + "\n"


def _panel(number: int, pair: Pair, runs: Runs) -> str:
    x0 = LEFT + WIDTH * number

    def place(budget: float, missing: float) -> tuple[float, float]:
        across = math.log10(budget / BUDGETS[0]) / math.log10(BUDGETS[-1] / BUDGETS[0])
        down = (math.log10(0.2) - math.log10(missing)) / (math.log10(0.2) - math.log10(0.0003))
        return x0 + across * (WIDTH - 40), TOP + down * HEIGHT

    title = (pair[0].replace("_200ep", "").replace("_acc", ""), pair[1].replace("latency_ms_", ""))
    lines = [
        f'<text x="{x0}" y="{14 + 13 * place}">{text}</text>' for place, text in enumerate(title)
    ]
    for level in (0.1, 0.01, 0.001):
        left, y = place(BUDGETS[0], level)
        lines.append(f'<path d="M{left:.0f} {y:.1f}h{WIDTH - 40}" stroke="#ddd"/>')
        if number == 0:
            lines.append(
                f'<text x="{left - 6:.0f}" y="{y + 4:.1f}" text-anchor="end">{100 * level:g} %</text>'
            )
    for budget in BUDGETS:
        x, y = place(budget, 0.0003)
        lines.append(f'<text x="{x:.0f}" y="{y + 16:.0f}" text-anchor="middle">{budget}</text>')
    for name, mine in runs.items():
        values = 1 - shares(mine).mean(axis=0)
        points = [
            place(budget, max(float(v), 0.0003)) for budget, v in zip(BUDGETS, values, strict=True)
        ]
        spots = " ".join(f"{x:.1f},{y:.1f}" for x, y in points)
        wide = 2.5 if name == "hwnas" else 1.5
        lines.append(
            f'<polyline points="{spots}" fill="none" stroke="{COLOURS[name]}" stroke-width="{wide}"/>'
        )
    return "\n".join(lines)


def main() -> None:
    """Run from the command line."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("rows", type=Path)
    parser.add_argument("--figure", type=Path, help="the pairs that every method ran on, drawn")
    given = parser.parse_args()
    pairs = read(given.rows)
    print("\n\n".join(table(pair, runs) for pair, runs in pairs.items()))
    if given.figure:
        given.figure.write_text(
            figure({pair: runs for pair, runs in pairs.items() if len(runs) == len(COLOURS)})
        )


if __name__ == "__main__":
    main()
