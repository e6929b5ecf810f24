"""The supernet benchmark: the right rows of the table are looked up, and at most 20 cells are
handed back."""

from __future__ import annotations

from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from benchmarks import nasbench201, nasbench201_page, tabular
from benchmarks.cifar_jpeg import halved
from hwnas.config import resolve, with_data
from hwnas.space.encoding import to_genotype
from hwnas.space.nasbench201 import SPACE
from hwnas.space.text import format_text
from hwnas.training import data
from hwnas.training.run_images import read_images


def member(
    choices: list[int], accuracy: float, cost: float, believed: float | None = None
) -> dict[str, Any]:
    genotype = to_genotype(SPACE, np.array(choices))
    found = {"value": accuracy} if believed is None else {"value": accuracy, "regression": believed}
    return {
        "key": genotype.key,
        "genotype": genotype.to_dict(),
        "text": format_text(genotype),
        "accuracy": found,
        "costs": {"params": {"value": cost}, "latency": {"value": 1 / cost}},
    }


@pytest.fixture
def tables() -> dict[str, tabular.Table]:
    rng = np.random.default_rng(0)
    found = tabular.table_of(rng.random(15_625), 1 + rng.random(15_625))
    return {"params": found, "latency": found}


BOUNDS = {"params": (1.0, 40.0), "latency": (1 / 40, 1.0)}


def place(cell: list[int]) -> int:
    return sum(op * 5**power for op, power in zip(cell, range(5, -1, -1), strict=True))


def test_the_cells_that_shared_weights_prefer_are_looked_up(
    tables: dict[str, tabular.Table],
) -> None:
    cells = [[0, 1, 2, 3, 4, 0], [3] * 6, [1] * 6]
    front = [member(cells[0], 0.5, 1.0), member(cells[1], 0.9, 9.0)]
    row = nasbench201.looked_up(
        {"front": front, "dominated": [member(cells[2], 0.4, 3.0)]}, "front", tables, BOUNDS
    )
    accuracy = tables["params"].accuracy
    assert row["test_accuracy"] == pytest.approx(100 * accuracy[place(cells[1])], abs=1e-3)
    assert [one["test_accuracy"] for one in row["finalists"]] == pytest.approx(
        100 * accuracy[[place(cell) for cell in cells]], abs=1e-3
    )
    for cost in ("params", "latency"):
        assert row["share"][cost] == pytest.approx(
            nasbench201.share(tables[cost], np.array([place(cell) for cell in cells])), abs=1e-4
        )


def test_where_there_is_a_regression_it_decides_which_20_are_handed_back(
    tables: dict[str, tabular.Table],
) -> None:
    rng = np.random.default_rng(1)
    cells = [list(map(int, rng.integers(5, size=6))) for _ in range(30)]
    # The regression believes in the larger ones, and the shared weights say the opposite.
    front = [member(cell, 1 - rank / 30, 1 + rank, rank / 30) for rank, cell in enumerate(cells)]
    row = nasbench201.looked_up({"front": front, "dominated": []}, "front", tables, BOUNDS)
    handed = row["cells"]["params"]
    assert 5 < len(handed) <= nasbench201.CELLS
    assert front[-1]["text"] in handed and row["best"] == front[-1]["text"]
    # Where SynFlow was asked too, both together decide: here it believes in the first.
    for rank, one in enumerate(front):
        one["accuracy"]["believed"] = -float(rank)
    row = nasbench201.looked_up({"front": front, "dominated": []}, "front", tables, BOUNDS)
    assert row["best"] == front[0]["text"] and front[0]["text"] in row["cells"]["params"]


def test_the_whole_table_is_the_whole_front_and_20_uniform_cells_are_less(
    tables: dict[str, tabular.Table],
) -> None:
    assert nasbench201.share(tables["params"], np.arange(15_625)) == pytest.approx(1.0)
    found = nasbench201.chance(tables, draws=10)
    assert 0.0 < found["uniform_share"]["params"] < 1.0


def test_ndarts_looks_for_accuracy_alone() -> None:
    config = nasbench201.config_of("small", "ndarts", 0, Path("cifar.npz"))
    assert config.algorithm == "ndarts" and not config.objectives
    front = nasbench201.config_of("small", "front", 0, Path("c.npz"))
    assert front.weight_step.paths == "uniform" and len(front.exponents) == 8
    assert [one.metric for one in front.objectives] == ["params", "latency"]


def test_the_report_has_a_line_per_run_and_a_mean_per_arm(
    tables: dict[str, tabular.Table], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(nasbench201_page, "chance", partial(nasbench201.chance, draws=5))
    tau = [{"epoch": 1.0, "tau": 0.1}, {"epoch": 2.0, "tau": 0.2}]
    base = {"test_accuracy": 93.0, "cpu_s": 60, "wall_s": 70, "tau": tau}
    rows = [
        {**base, "arm": "front", "seed": 0, "share": {"params": 0.9, "latency": 0.8}},
        {**base, "arm": "front", "seed": 1, "share": {"params": 0.8, "latency": 0.9}},
        {**base, "arm": "ndarts", "seed": 0, "tau": []},
    ]
    text = nasbench201_page.report(rows, tables)
    assert "| front | mean of 2 | 0.850 | 0.850 | 93.00 |" in text
    assert "| ndarts | 0 |  |  | 93.00 | 60 | 70 |" in text
    assert nasbench201_page.figure(rows).count("<path d") == 5 + 2


def test_fresh_seeds_have_an_interval_and_the_same_cells_on_another_data_set(
    tables: dict[str, tabular.Table],
) -> None:
    cells = [[3] * 6, [1] * 6]
    rows = [
        {"arm": "darts", "seed": seed, "test_accuracy": accuracy, "cpu_s": 60}
        | {"best": format_text(to_genotype(SPACE, np.array(cell)))}
        for seed, accuracy, cell in zip((101, 100), (94.0, 93.0), cells, strict=True)
    ]
    text = nasbench201_page.fresh(rows, tables)
    elsewhere = [100 * tables["params"].accuracy[place(cell)] for cell in cells]
    first = text.splitlines()[2]
    assert first == f"| darts | 100 |  |  |  |  | 93.00 | {elsewhere[1]:.2f} | 60 |"
    # Student's t with one degree of freedom: 12.706 standard errors, here of 0.5.
    assert "| darts | mean of 2 |  |  |  |  | 93.50 (87.15 to 99.85) |" in text


def test_cells_that_were_handed_back_are_looked_up_on_another_data_set(
    tables: dict[str, tabular.Table],
) -> None:
    cells = [[3] * 6, [1, 3, 0, 1, 2, 3]]
    texts = [format_text(to_genotype(SPACE, np.array(cell))) for cell in cells]
    row = {
        "arm": "front",
        "seed": 100,
        "share": {"params": 0.9, "latency": 0.8},
        "cells": {"params": texts, "latency": texts[:1]},
        "best": texts[0],
        "test_accuracy": 93.0,
        "cpu_s": 60,
    }
    found = [
        nasbench201.share(tables[name], np.array([place(cell) for cell in some]))
        for name, some in (("params", cells), ("latency", cells[:1]))
    ]
    text = nasbench201_page.fresh([row], tables)
    assert f"| front | 100 | 0.900 | 0.800 | {found[0]:.3f} | {found[1]:.3f} | 93.00 |" in text


def test_what_was_tried_has_a_line_for_each_setting_and_arm() -> None:
    base = {"what": "this", "epochs": 4, "test_accuracy": 93.0, "tau": [{"epoch": 4, "tau": 0.25}]}
    rows = [
        {**base, "arm": "front", "seed": 3, "share": {"params": 0.9, "latency": 0.8}},
        {**base, "arm": "darts", "seed": 1, "tau": []},
        {**base, "arm": "front", "seed": 0, "share": {"params": 0.7, "latency": 0.6}},
    ]
    lines = nasbench201_page.tried(rows).splitlines()
    assert lines[2:] == [
        "| this | front | 0, 3 | 4 | 0.25, 0.25 | 0.700, 0.900 | 0.600, 0.800 | 93.00, 93.00 |",
        "| this | darts | 1 | 4 |  |  |  | 93.00 |",
    ]


@pytest.mark.parametrize(
    ("name", "size", "arm"),
    [
        ("tnd-nasbench201", "full", "front"),
        ("tnd-nasbench201-cpu", "small", "front"),
        ("darts-nasbench201-cpu", "small", "darts"),
        ("ndarts-nasbench201-cpu", "small", "ndarts"),
    ],
)
def test_the_named_configs_are_what_the_benchmark_runs(name: str, size: str, arm: str) -> None:
    named = resolve({}, name).model_dump()
    ours = nasbench201.config_of(size, arm, 0, Path("cifar10.npz")).model_dump()
    assert {**ours, "data": {}} == {**named, "data": {}}


def test_the_cpu_configs_see_the_images_that_the_benchmark_makes(tmp_path: Path) -> None:
    rng = np.random.default_rng(5)
    x, y = rng.integers(0, 256, (40, 32, 32, 3), dtype=np.uint8), np.arange(40) % 2
    arrays = {"x_train": x, "y_train": y, "x_test": x[:6], "y_test": y[:6]}
    np.savez(tmp_path / "whole.npz", **arrays)
    np.savez(
        tmp_path / "halved.npz",
        **{name: halved(one) if name[0] == "x" else one for name, one in arrays.items()},
    )
    wanted = data.load(tmp_path / "halved.npz")
    for name in ("tnd-nasbench201-cpu", "darts-nasbench201-cpu", "ndarts-nasbench201-cpu"):
        config = with_data(resolve({}, name), source=str(tmp_path / "whole.npz"))
        seen = read_images(config)
        assert torch.equal(seen.train, wanted.train) and torch.equal(seen.test, wanted.test)
        assert (seen.image, seen.augment, seen.mean) == (wanted.image, wanted.augment, wanted.mean)
