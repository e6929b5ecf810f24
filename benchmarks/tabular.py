"""Does the search find the exact front of a published table, and how soon, beside its peers?

    python benchmarks/tabular.py --table ../shared/data/nasbench201.csv.gz \
        --accuracy cifar100_valid_acc_200ep --cost latency_ms_1080ti_1
    python benchmarks/tabular.py --table ../shared/data/nasbench201.csv.gz --single

Every architecture of NAS-Bench-201 was trained and measured by others; here an evaluation is a
look-up, and the policy, reward and front code is the real search's. Reported is the hypervolume of
what was evaluated as a share of the exact front's, after 100, 200, 500 and 1,000 distinct
evaluations. Accuracy is scaled from its 5 % quantile (0) to its maximum, cost from its minimum to
its maximum, and the reference point is the worst corner of that box. A row without a cost is not
eligible: evaluating it uses an evaluation and adds nothing. The cost is looked up with the
accuracy; no method knows the cost of what it has not evaluated.
"""

from __future__ import annotations

import argparse
import csv
import gzip
import json
import sys
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))  # run as a script from anywhere

from benchmarks.tabular_peers import Evaluate, Spent, evolution, nsga2, random_search
from hwnas.runs.front import Bounds, hypervolume
from hwnas.search.algorithms import policy, scalarised
from hwnas.search.algorithms.reward import Objective, for_exponents, rewards
from hwnas.space.nasbench201 import PRIMITIVES, SPACE
from profilers.errors import InputError, nearest

Ints = NDArray[np.int64]
Floats = NDArray[np.float64]

BUDGETS = (100, 200, 500, 1000)
EXPONENTS = (0.0, -0.02, -0.05, -0.1, -0.2, -0.4, -0.7, -1.0)
PLAIN = policy.Learning(
    lr=0.2
)  # 100 steps of 6e-3, the published rate, would leave alpha where it was
SAMPLES = 10
TRAINING = "cifar10_train_time_s_per_epoch_gpu"
PUBLISHED = {"cifar10_test_acc_200ep": (93.85, 0.37), "cifar100_test_acc_200ep": (71.71, 1.09)}


@dataclass(frozen=True, kw_only=True)
class Table:
    """One accuracy (0..1) and one cost of every genotype, by the number its choices (slots,)
    spell."""

    accuracy: Floats  # (15625,), NaN where not eligible
    cost: Floats  # (15625,)
    bounds: Bounds

    def exact(self) -> float:
        """The hypervolume of the whole table."""
        return hypervolume(self.accuracy, self.cost[:, None], self.bounds)


@dataclass(kw_only=True)
class Ledger:
    """Looks samples up and keeps the order of first appearance, up to a budget of distinct ones."""

    table: Table
    budget: int
    order: dict[int, None] = field(default_factory=dict)

    def __call__(self, choices: Ints) -> tuple[Floats, Floats]:
        """Accuracy (M,) and costs (M, 1) of choices (M, slots).

        Raises Spent once the budget is used.
        """
        rows = codes(choices)
        self.order |= dict.fromkeys(rows.tolist())
        if len(self.order) >= self.budget:
            raise Spent
        return self.table.accuracy[rows], self.table.cost[rows][:, None]


def codes(choices: Ints) -> Ints:
    """The row of each sample (M, slots) in a Table: its operations as digits."""
    operations = len(PRIMITIVES)
    return np.asarray(choices @ operations ** np.arange(choices.shape[1])[::-1], dtype=np.int64)


def load(path: Path, accuracy: str, cost: str) -> Table:
    """The table of two columns of a CSV file.

    Raises InputError that names the file and the nearest column.
    """
    if not path.is_file():
        raise InputError(f"--table: {path} is not a file")
    data = path.read_bytes()
    text = (gzip.decompress(data) if path.suffix == ".gz" else data).decode()
    rows = list(csv.DictReader(text.splitlines()))
    for flag, column in (("accuracy", accuracy), ("cost", cost)):
        if not rows or column not in rows[0]:
            raise InputError(
                f"--{flag}: {path} has no column {column!r}{nearest(column, rows[0] if rows else [])}"
            )
    size = len(PRIMITIVES) ** len(SPACE.slots)
    columns = np.full((2, size), np.nan)
    drawn = [
        [PRIMITIVES.index(edge.split("~")[0]) for edge in _edges(row["arch_str"])] for row in rows
    ]
    places = codes(np.array(drawn, dtype=np.int64))
    for line, column in enumerate((accuracy, cost)):
        columns[line, places] = [float(row[column] or "nan") for row in rows]
    return table_of(columns[0] / 100, columns[1])


def _edges(text: str) -> list[str]:
    return [edge for edge in text.replace("+", "").split("|") if edge]


def table_of(accuracy: Floats, cost: Floats) -> Table:
    """A table with the bounds that the shares are measured in; what lacks a cost loses its
    accuracy too."""
    eligible = ~np.isnan(accuracy) & ~np.isnan(cost)
    kept = np.where(eligible, accuracy, np.nan)
    bounds = Bounds(
        accuracy=(float(np.nanquantile(kept, 0.05)), float(np.nanmax(kept))),
        costs=((float(np.nanmin(cost)), float(np.nanmax(cost))),),
    )
    return Table(accuracy=kept, cost=np.where(eligible, cost, np.nan), bounds=bounds)


def ours(
    evaluate: Evaluate,
    mask: NDArray[np.bool_],
    seed: int,
    settings: scalarised.Settings | None = None,
    costs: int = 1,
) -> None:
    """hwnas: the directed policies, asked for what was not evaluated yet.

    `costs` 0: accuracy alone.
    """
    rng = np.random.default_rng(seed)
    state = scalarised.start(settings or scalarised.Settings(), mask, costs, rng)
    while len(choices := scalarised.ask(state, SAMPLES, rng, novel=True)):
        accuracy, cost = evaluate(choices)
        state = scalarised.tell(state, choices, accuracy, cost[:, :costs])


def plain(
    evaluate: Evaluate,
    mask: NDArray[np.bool_],
    seed: int,
    exponents: Sequence[float] = EXPONENTS,
    learning: policy.Learning = PLAIN,
) -> None:
    """The paper's form: REINFORCE with a moving baseline and the power law, K policies that
    share fresh samples."""
    rng = np.random.default_rng(seed)
    policies = policy.start(mask, len(exponents), rng)
    target = None
    for _ in range(5000):
        choices = policy.sample(policies, SAMPLES, rng)
        accuracy, costs = evaluate(choices)
        if target is None:
            target = float(np.nanmedian(costs)) if not np.isnan(costs).all() else 1.0
            objectives = for_exponents(
                [Objective(metric="cost", unit="", target=target, exponent=0.0)], exponents
            )
        earned = np.nan_to_num(rewards(accuracy, costs, objectives), nan=0.0)
        policies = policy.update(policies, choices, earned, learning)


METHODS: dict[str, Callable[[Evaluate, NDArray[np.bool_], int], None]] = {
    "hwnas": ours,
    "plain": plain,
    "random": random_search,
    "nsga2": nsga2,
    "evolution": evolution,
}


def history(
    method: Callable[..., None], table: Table, seed: int, budget: int, **options: Any
) -> Ints:
    """Rows of the first `budget` distinct genotypes that the method evaluated; fewer where it
    stopped by itself."""
    ledger = Ledger(table=table, budget=budget)
    with suppress(Spent):
        method(ledger, SPACE.mask, seed, **options)
    return np.array(list(ledger.order)[:budget], dtype=np.int64)


def shares(method: Callable[..., None], table: Table, seed: int, **options: Any) -> list[float]:
    """The share of the exact hypervolume after each of BUDGETS."""
    seen, exact = history(method, table, seed, BUDGETS[-1], **options), table.exact()
    found = [
        hypervolume(table.accuracy[seen[:b]], table.cost[seen[:b], None], table.bounds)
        for b in BUDGETS
    ]
    return [volume / exact for volume in found]


def compare(
    table: Table,
    seeds: int,
    names: Sequence[str] = tuple(METHODS),
    keep: Callable[[str, int, list[float]], None] = lambda name, seed, found: None,
) -> dict[str, Any]:
    """Mean and standard deviation over seeds 0.. of every method's shares, in the form of
    --json; `keep` sees each."""
    methods = {}
    for name in names:
        rows = []
        for seed in range(seeds):
            rows.append(shares(METHODS[name], table, seed))
            keep(name, seed, rows[-1])
        runs = np.array(rows)
        spread = runs.std(axis=0, ddof=1) if seeds > 1 else np.zeros(len(BUDGETS))
        methods[name] = {"mean": runs.mean(axis=0).tolist(), "std": spread.tolist()}
    return {"budgets": list(BUDGETS), "methods": methods}


def single(path: Path, seeds: int, seconds: float) -> list[dict[str, Any]]:
    """Accuracy only, as published: search CIFAR-10's 12-epoch validation accuracy until `seconds`
    of training are used.

    The best cell's test accuracies after 200 epochs in percent, over the seeds; one row per form of
    the policies.
    """
    searched = load(path, "cifar10_valid_acc_12ep", TRAINING)
    judged = {column: load(path, column, TRAINING) for column in PUBLISHED}
    most = min(1000, int(seconds / (12 * np.nanmin(searched.cost))) + 1)
    rows = []
    for form, method in (
        ("paper", partial(plain, exponents=(0.0,))),
        ("directed", partial(ours, costs=0)),
    ):
        found: dict[str, list[float]] = {column: [] for column in PUBLISHED}
        used = []
        for seed in range(seeds):
            seen = history(method, searched, seed, most)
            seen = seen[np.cumsum(12 * searched.cost[seen]) <= seconds]
            best = seen[int(np.nanargmax(searched.accuracy[seen]))]
            used.append(len(seen))
            for column, table in judged.items():
                found[column].append(100 * float(table.accuracy[best]))
        means = {
            c: {"mean": np.mean(v), "std": np.std(v, ddof=min(1, seeds - 1))}
            for c, v in found.items()
        }
        rows.append(
            {"form": form, "seconds": seconds, "evaluations": float(np.mean(used)), **means}
        )
    return rows


def report(result: dict[str, Any], seeds: int) -> str:
    """The table for people: mean and standard error per budget."""
    lines = ["evaluations " + "".join(f"{budget:>18}" for budget in result["budgets"])]
    for name, row in result["methods"].items():
        cells = [
            f"{m:.4f} +- {s / seeds**0.5:.4f}" for m, s in zip(row["mean"], row["std"], strict=True)
        ]
        lines.append(f"{name:12}" + "".join(f"{cell:>18}" for cell in cells))
    return "\n".join(lines)


def main() -> int:
    """Run from the command line; exit code 2 for bad input."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n")[0])
    parser.add_argument("--table", type=Path, required=True)
    parser.add_argument("--accuracy", default="cifar100_valid_acc_200ep")
    parser.add_argument("--cost", default="latency_ms_1080ti_1")
    parser.add_argument("--seeds", type=int, default=20)
    parser.add_argument("--methods", default=",".join(METHODS))
    parser.add_argument(
        "--single", action="store_true", help="accuracy only, beside the published REINFORCE"
    )
    parser.add_argument(
        "--seconds", type=float, default=12000, help="of training on a GPU: --single's budget"
    )
    parser.add_argument("--json", action="store_true")
    parser.add_argument(
        "--out", type=Path, help="file of JSON lines to append every run's shares to"
    )
    given = parser.parse_args()
    try:
        if given.seeds < 1:
            raise InputError(f"--seeds: must be 1 or more, not {given.seeds}")
        unknown = [name for name in given.methods.split(",") if name not in METHODS]
        if unknown:
            raise InputError(f"--methods: {unknown[0]!r} is unknown{nearest(unknown[0], METHODS)}")
        if given.single:
            return _single(given)
        table, names = load(given.table, given.accuracy, given.cost), given.methods.split(",")
        result = compare(table, given.seeds, names, partial(_append, given))
    except InputError as error:
        print(error, file=sys.stderr)
        return 2
    print(json.dumps(result) if given.json else report(result, given.seeds))
    return 0


def _append(given: argparse.Namespace, name: str, seed: int, found: list[float]) -> None:
    if given.out is None:
        return
    pair = {"accuracy": given.accuracy, "cost": given.cost}
    row = {**pair, "method": name, "seed": seed, "shares": [round(one, 6) for one in found]}
    with open(given.out, "a") as file:
        file.write(json.dumps(row) + "\n")


def _single(given: argparse.Namespace) -> int:
    rows = single(given.table, given.seeds, given.seconds)
    if given.json:
        print(json.dumps({"single": rows}))
        return 0
    for row in rows:
        for column, (mean, std) in PUBLISHED.items():
            print(
                f"{row['form']:9} {row['evaluations']:5.1f} evaluations  {column}: {row[column]['mean']:.2f}"
                f" +- {row[column]['std']:.2f} (published REINFORCE {mean} +- {std})"
            )
    return 0


if __name__ == "__main__":
    sys.exit(main())
