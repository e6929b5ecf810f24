"""The supernet benchmark: the right rows of the table are looked up, and at most 20 cells are handed back."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from benchmarks import nasbench201, tabular
from hwnas.space.encoding import to_genotype
from hwnas.space.nasbench201 import SPACE
from hwnas.space.text import format_text


def member(choices: list[int], accuracy: float, cost: float) -> dict[str, Any]:
    genotype = to_genotype(SPACE, np.array(choices))
    return {
        "key": genotype.key,
        "genotype": genotype.to_dict(),
        "text": format_text(genotype),
        "accuracy": {"value": accuracy},
        "costs": {"params": {"value": cost}},
    }


@pytest.fixture
def tables() -> dict[str, tabular.Table]:
    rng = np.random.default_rng(0)
    found = tabular.table_of(rng.random(15_625), 1 + rng.random(15_625))
    return {"params": found, "latency": found}


def test_the_cells_that_shared_weights_prefer_are_looked_up(tables: dict[str, tabular.Table]) -> None:
    cells = [[0, 1, 2, 3, 4, 0], [3] * 6, [1] * 6]
    front = [member(cells[0], 0.5, 1.0), member(cells[1], 0.9, 9.0)]
    row = nasbench201.looked_up(
        {"front": front, "dominated": [member(cells[2], 0.4, 3.0)]}, "front", "params", tables
    )
    places = [sum(op * 5**power for op, power in zip(cell, range(5, -1, -1), strict=True)) for cell in cells]
    accuracy = tables["params"].accuracy
    assert row["test_accuracy"] == pytest.approx(100 * accuracy[places[1]], abs=1e-3)
    assert row["test_accuracies"] == pytest.approx(
        100 * accuracy[[places[0], places[1], places[2]]], abs=1e-3
    )
    assert row["share"]["params"] == pytest.approx(
        nasbench201.share(tables["params"], np.array(places)), abs=1e-4
    )


def test_the_whole_table_is_the_whole_front_and_20_uniform_cells_are_less(
    tables: dict[str, tabular.Table],
) -> None:
    assert nasbench201.share(tables["params"], np.arange(15_625)) == pytest.approx(1.0)
    found = nasbench201.chance(tables, draws=10)
    assert 0.0 < found["uniform_share"]["params"] < 1.0


def test_ndarts_looks_for_accuracy_alone() -> None:
    config = nasbench201.config_of("small", "ndarts", "params", 0, Path("cifar.npz"))
    assert config.algorithm == "ndarts" and not config.objectives
    assert nasbench201.config_of("small", "front", "latency", 0, Path("c.npz")).alpha_step.form == "directed"
