"""The tabular self-test counts distinct evaluations, measures shares of the exact front and
refuses bad input."""

import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from benchmarks import tabular, tabular_peers, tabular_tuning
from hwnas.space.nasbench201 import SPACE
from profilers.errors import InputError

ROOT = Path(__file__).parents[2]
TABLE = ROOT / "../shared/data/nasbench201.csv.gz"
SIZE = 5**6


@pytest.fixture
def table() -> tabular.Table:
    """Quality and cost add up over the drawn operations, large ones tend to be good; every tenth
    cost is blank."""
    rng = np.random.default_rng(0)
    digits = np.stack(np.unravel_index(np.arange(SIZE), (5,) * 6), axis=1)
    quality, size = rng.random((6, 5)) / 6, rng.random((6, 5)) / 6
    accuracy = quality[np.arange(6), digits].sum(axis=1)
    cost = 1.0 + accuracy + size[np.arange(6), digits].sum(axis=1)
    cost[::10] = np.nan
    return tabular.table_of(accuracy, cost)


def test_a_sample_is_the_row_that_its_operations_spell() -> None:
    assert tabular.codes(np.array([[0, 0, 0, 0, 0, 1], [1, 0, 0, 0, 0, 0]])).tolist() == [1, 5**5]


def test_the_whole_table_has_the_whole_exact_hypervolume(table: tabular.Table) -> None:
    def everything(evaluate: tabular_peers.Evaluate, mask: np.ndarray, seed: int) -> None:
        evaluate(np.stack(np.unravel_index(np.arange(SIZE), (5,) * 6), axis=1))

    seen = tabular.history(everything, table, 0, SIZE)
    assert len(seen) == SIZE
    assert tabular.hypervolume(table.accuracy, table.cost[:, None], table.bounds) == pytest.approx(
        table.exact()
    )


def test_only_distinct_evaluations_are_counted(table: tabular.Table) -> None:
    ledger = tabular.Ledger(table=table, budget=3)
    same = np.zeros((5, 6), dtype=np.int64)
    ledger(same)
    ledger(same + 1)
    assert len(ledger.order) == 2
    with pytest.raises(tabular_peers.Spent):
        ledger(same + 2)


def test_what_has_no_cost_is_not_eligible(table: tabular.Table) -> None:
    accuracy, costs = tabular.Ledger(table=table, budget=100)(np.zeros((1, 6), dtype=np.int64))
    assert np.isnan(accuracy[0]) and np.isnan(costs[0, 0])


@pytest.mark.parametrize("name", list(tabular.METHODS))
def test_every_method_spends_the_budget_and_repeats_with_its_seed(
    name: str, table: tabular.Table
) -> None:
    method = tabular.METHODS[name]
    first, second, other = (tabular.history(method, table, seed, 150) for seed in (1, 1, 2))
    assert len(first) == len(set(first.tolist())) == 150
    np.testing.assert_array_equal(first, second)
    assert first.tolist() != other.tolist()


def test_shares_never_fall_and_search_beats_chance(table: tabular.Table) -> None:
    ours, chance = (tabular.shares(tabular.METHODS[name], table, 0) for name in ("hwnas", "random"))
    assert ours == sorted(ours) and ours[-1] <= 1.0
    assert ours[1] > chance[1]


def test_an_unknown_column_is_refused_with_the_nearest_one(tmp_path: Path) -> None:
    path = tmp_path / "t.csv"
    path.write_text(
        "index,arch_str,cifar10_test,params\n0,|none~0|+|none~0|none~1|+|none~0|none~1|none~2|,10,1\n"
    )
    with pytest.raises(InputError, match="did you mean 'params'"):
        tabular.load(path, "cifar10_test", "param")
    with pytest.raises(InputError, match="is not a file"):
        tabular.load(tmp_path / "absent.csv", "cifar10_test", "params")


@pytest.mark.skipif(
    not TABLE.exists(), reason="the table of NAS-Bench-201 is not beside this checkout"
)
def test_the_real_table_has_its_published_best() -> None:
    found = tabular.load(TABLE, "cifar10_test_acc_200ep", "cifar10_params_M")
    assert np.nanmax(found.accuracy) == pytest.approx(0.9437, abs=5e-5)
    convolutions = np.full((1, len(SPACE.slots)), 3)
    assert found.cost[tabular.codes(convolutions)][0] == pytest.approx(1.531546, abs=1e-5)


@pytest.mark.skipif(
    not TABLE.exists(), reason="the table of NAS-Bench-201 is not beside this checkout"
)
def test_the_script_prints_the_promised_json_alone() -> None:
    command = [
        sys.executable,
        str(ROOT / "benchmarks/tabular.py"),
        "--table",
        str(TABLE),
        "--seeds",
        "1",
        "--json",
    ]
    done = subprocess.run(
        [*command, "--methods", "random,plain"], capture_output=True, text=True, check=True
    )
    result = json.loads(done.stdout)
    assert result["budgets"] == [100, 200, 500, 1000]
    assert len(result["methods"]["plain"]["mean"]) == len(result["methods"]["random"]["std"]) == 4


@pytest.mark.skipif(
    not TABLE.exists(), reason="the table of NAS-Bench-201 is not beside this checkout"
)
def test_the_accuracy_only_search_spends_the_published_seconds() -> None:
    rows = tabular.single(TABLE, seeds=2, seconds=3000)
    assert [row["form"] for row in rows] == ["paper", "directed"]
    # 12 epochs of 5.4 to 34.7 seconds each: between 7 and 46 evaluations fit.
    assert all(7 <= row["evaluations"] <= 46 for row in rows)
    assert all(85 < row["cifar10_test_acc_200ep"]["mean"] <= 94.37 for row in rows)


def test_every_run_is_kept_and_the_means_are_theirs(table: tabular.Table) -> None:
    kept: list[list[float]] = []
    result = tabular.compare(table, 2, ("random",), lambda name, seed, found: kept.append(found))
    np.testing.assert_allclose(result["methods"]["random"]["mean"], np.mean(kept, axis=0))


@pytest.mark.parametrize("crossover", list(tabular_peers.CROSSOVERS))
def test_every_crossover_of_the_peer_asks_for_cells_of_the_space(
    table: tabular.Table, crossover: str
) -> None:
    seen = tabular.history(tabular_peers.nsga2, table, 0, 200, crossover=crossover)
    assert len(set(seen.tolist())) == 200 and 0 <= seen.min() <= seen.max() < SIZE


def test_tuning_runs_every_setting_and_puts_the_best_first(
    table: tabular.Table, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tabular_tuning, "POPULATIONS", (10, 100))
    monkeypatch.setattr(tabular_tuning, "MUTATIONS", (0.1,))
    monkeypatch.setattr(tabular_tuning, "SEEDS", range(100, 102))
    rows = tabular_tuning.rows_of(table, ("accuracy", "cost"))
    assert [(row["population"], row["crossover"]) for row in rows] == [
        (population, crossover)
        for population in (10, 100)
        for crossover in ("uniform", "two-point", "simulated binary")
    ]
    again = tabular.shares(tabular_peers.nsga2, table, 101, population=100, mutation=0.1)
    assert rows[3]["shares"][1] == pytest.approx(again, abs=1e-6)
    lines = tabular_tuning.page(rows).splitlines()[2:]
    means = [float(line.split(" | ")[-2]) for line in lines]
    assert len(lines) == 6 and means == sorted(means, reverse=True)
    assert lines[0].split(" | ")[-1].strip(" |") == ""
