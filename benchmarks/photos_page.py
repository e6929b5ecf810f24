"""The rows that benchmarks.photos keeps, as one figure and as the tables of docs/evidence/photos.md.

    python -m benchmarks.photos_page benchmarks/results/photos.jsonl \\
        --svg docs/evidence/photos.svg --page docs/evidence/photos.md

The tables are written between two markers of the page; without --page they are printed. Arms that have no rows yet
are left out. No member of a front is chosen by its test accuracy: where one is compared at a latency, it is the
member no slower than that which the search itself, by its validation images, found best.
"""

from __future__ import annotations

import argparse
import json
import statistics
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import Any

from benchmarks.page import filled, mean_and_error
from benchmarks.photos_figure import figure

Row = dict[str, Any]
BEGIN, END = "<!-- photos: begin -->", "<!-- photos: end -->"
BASE = "stock3"
NAMES = {
    "stock": "stock",
    "half": "every block half as wide",
    "third": "every block a third as wide",
    "scratch": "half as wide, from scratch",
}


def read(path: Path) -> list[Row]:
    """All rows; of a network that was measured twice the last."""
    found = {}
    for line in path.read_text(encoding="utf-8").splitlines():
        row = json.loads(line)
        found[row["arm"], row["seed"], row["network"]] = row
    return list(found.values())


def arm_name(arm: str) -> str:
    """``half8-soft`` in words."""
    kind = arm.removesuffix("-soft").rstrip("0123456789")
    if kind not in NAMES:
        return {"one": "half as wide, for the whole front's CPU time"}.get(arm, arm)
    epochs = arm.removeprefix(kind).removesuffix("-soft")
    labels = ", the teacher's labels" if arm.endswith("-soft") else ""
    return f"{NAMES[kind]}, {epochs} epochs{labels}"


def of_seed(rows: Iterable[Row], arm: str) -> dict[int, list[Row]]:
    """The rows of one arm by seed."""
    found: dict[int, list[Row]] = {}
    for row in rows:
        if row["arm"] == arm:
            found.setdefault(row["seed"], []).append(row)
    return found


def at_latency(front: Sequence[Row], limit: float) -> Row | None:
    """The member of a front that its search found best of those no slower; None where all are slower."""
    fitting = [row for row in front if row["of_stock"] <= limit]
    return max(fitting, key=lambda row: float(row["shared_accuracy"]), default=None)


def networks(rows: Sequence[Row]) -> str:
    """One line for every arm of one network, means over seeds."""
    base = of_seed(rows, BASE)
    lines = [
        "| network | latency, share of stock's | test accuracy, % | CPU s | of stock's three epochs | seeds |",
        "|---|---|---|---|---|---|",
    ]
    for arm in dict.fromkeys(row["arm"] for row in rows if row["arm"] not in ("front", "six")):
        mine = of_seed(rows, arm)
        each = [row for seed in sorted(mine) for row in mine[seed]]
        times = [
            row["cpu_s"] / base[seed][0]["cpu_s"]
            for seed in mine
            if seed in base
            for row in mine[seed]
        ]
        lines.append(
            f"| {arm_name(arm)} | {statistics.mean(row['of_stock'] for row in each):.2f}"
            f" | {mean_and_error([100 * row['test_accuracy'] for row in each])}"
            f" | {statistics.mean(row['cpu_s'] for row in each):.0f}"
            f" | {f'{statistics.mean(times):.2f}' if times else ''} | {len(mine)} |"
        )
    return "\n".join(lines)


def members(rows: Sequence[Row]) -> str:
    """Every member of every front, by seed and latency."""
    lines = [
        "| seed | network | latency, share of stock's | test accuracy, % | by shared weights (validation), % |",
        "|---|---|---|---|---|",
    ]
    for seed, front in sorted(of_seed(rows, "front").items()):
        for row in sorted(front, key=lambda row: float(row["of_stock"])):
            lines.append(
                f"| {seed} | `{row['network']}` | {row['of_stock']:.2f} | {100 * row['test_accuracy']:.1f}"
                f" | {100 * row['shared_accuracy']:.1f} |"
            )
    return "\n".join(lines)


def bars(rows: Sequence[Row]) -> str:
    """What was wanted and what was found: one line for each comparison whose arms are there."""
    lines = ["| what | wanted | found | met |", "|---|---|---|---|"]
    for what, wanted, values, is_met in _wanted(rows):
        if values:
            digits = 1 if "minus" in what or "members" in what else 2
            sign = "+" if "minus" in what else ""
            met = ("yes" if is_met(statistics.mean(values)) else "no") if wanted else ""
            lines.append(f"| {what} | {wanted} | {mean_and_error(values, digits, sign)} | {met} |")
    return "\n".join(lines)


Wanted = tuple[str, str, list[float], Callable[[float], bool]]


def _wanted(rows: Sequence[Row]) -> list[Wanted]:
    fronts, base = of_seed(rows, "front"), of_seed(rows, BASE)
    spread = [
        float(sum(0.2 <= row["of_stock"] <= 1.0 for row in front)) for front in fronts.values()
    ]
    cost = [fronts[seed][0]["cpu_s"] / base[seed][0]["cpu_s"] for seed in fronts if seed in base]
    found: list[Wanted] = [
        ("members from 0.2 to 1 of stock's latency", "at least 6", spread, lambda mean: mean >= 6),
        (
            "CPU time of search and all trainings, of stock's three epochs",
            "at most 4",
            cost,
            lambda mean: mean <= 4,
        ),
        (
            "a member at 0.40 of stock's latency or less, minus stock after 3 epochs",
            "at least -1.5",
            _differences(fronts, base, lambda other: 0.40),
            lambda mean: mean >= -1.5,
        ),
    ]
    for arm, least in (
        ("third3", 2.0),
        ("third8-soft", -1.0),
        ("scratch3", 20.0),
        ("scratch8", 20.0),
    ):
        values = _differences(fronts, of_seed(rows, arm), lambda other: float(other["of_stock"]))
        what = f"a member at no more than its latency, minus {arm_name(arm)}"
        found.append((what, f"at least {least:g}", values, lambda mean, least=least: mean >= least))  # type: ignore[misc]
    one = _differences(fronts, of_seed(rows, "one"), lambda other: float(other["of_stock"]))
    found.append((f"the same, minus {arm_name('one')}", "", one, lambda mean: mean >= 0))
    return [*found, *_six(rows, fronts)]


def _differences(
    fronts: dict[int, list[Row]], others: dict[int, list[Row]], limit: Callable[[Row], float]
) -> list[float]:
    """Points of accuracy, one for each seed that has both."""
    found = []
    for seed in sorted(set(fronts) & set(others)):
        other = others[seed][0]
        mine = at_latency(fronts[seed], limit(other))
        if mine is not None:
            found.append(100 * (mine["test_accuracy"] - other["test_accuracy"]))
    return found


def _six(rows: Sequence[Row], fronts: dict[int, list[Row]]) -> list[Wanted]:
    """Six members beside six networks narrowed by hand to their latencies."""
    by_hand, points, cost, without = of_seed(rows, "six"), [], [], []
    for seed in sorted(set(by_hand) & set(fronts)):
        named = {row["network"]: row for row in fronts[seed]}
        pairs = [(named[row["beside"]], row) for row in by_hand[seed] if row["beside"] in named]
        if pairs:
            each = [100 * (mine["test_accuracy"] - row["test_accuracy"]) for mine, row in pairs]
            points.append(statistics.mean(each))
            took = sum(row["cpu_s"] for row in by_hand[seed])
            cost.append(fronts[seed][0]["cpu_s"] / (took + by_hand[seed][0]["teacher_cpu_s"]))
            without.append(fronts[seed][0]["cpu_s"] / took)
    return [
        (
            "six members, mean, minus six networks narrowed by hand (8 epochs, the teacher's labels)",
            "at least -1",
            points,
            lambda mean: mean >= -1,
        ),
        (
            "CPU time of the whole front, of those six and their teacher together",
            "at most 0.4",
            cost,
            lambda mean: mean <= 0.4,
        ),
        (
            "the same, had their teacher been there before",
            "at most 0.4",
            without,
            lambda mean: mean <= 0.4,
        ),
    ]


def tables(rows: Sequence[Row]) -> str:
    """All tables that the rows are enough for, as markdown."""
    parts = [networks(rows)]
    if any(row["arm"] == "front" for row in rows):
        note = (
            "Differences in points, paired by seed; ±: standard errors over seeds. A member is chosen by its latency and"
            " by what the search knew, never by its test accuracy."
        )
        parts += [f"{note}\n\n{bars(rows)}", members(rows)]
    return "\n\n".join(parts)


def main() -> None:
    """Run from the command line."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("rows", type=Path)
    parser.add_argument("--svg", type=Path, help="the figure")
    parser.add_argument("--page", type=Path, help="the page whose tables are replaced")
    given = parser.parse_args()
    rows = read(given.rows)
    if given.svg is not None:
        given.svg.write_text(figure(rows), encoding="utf-8")
    if given.page is None:
        print(tables(rows))
    else:
        page = filled(given.page.read_text(encoding="utf-8"), tables(rows), BEGIN, END)
        given.page.write_text(page, encoding="utf-8")


if __name__ == "__main__":
    main()
