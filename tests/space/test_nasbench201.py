"""NAS-Bench-201: six edges, the strongest operation on each, and the counts that the benchmark
printed."""

from __future__ import annotations

import csv
import gzip
from pathlib import Path

import numpy as np
import pytest

from hwnas.costs.counts import count_table
from hwnas.space.encoding import to_choices
from hwnas.space.family import family
from hwnas.space.nasbench201 import SPACE, derive
from hwnas.space.text import parse

TABLE = Path(__file__).parents[2] / "../shared/data/nasbench201.csv.gz"


def test_it_has_six_edges_from_one_input() -> None:
    assert [(slot.node, slot.source) for slot in SPACE.slots] == [
        (1, 0),
        (2, 0),
        (2, 1),
        (3, 0),
        (3, 1),
        (3, 2),
    ]


def test_every_edge_takes_its_strongest_operation_none_included() -> None:
    strength = np.eye(5)[[0, 1, 2, 3, 4, 0]]
    assert derive(SPACE, strength).tolist() == [0, 1, 2, 3, 4, 0]


@pytest.mark.parametrize("classes", [10, 100])
def test_every_published_count_is_ours(classes: int) -> None:
    if not TABLE.exists():
        pytest.skip("the published NAS-Bench-201 table is not beside this checkout")
    with gzip.open(TABLE, "rt") as file:
        rows = list(csv.DictReader(file))[::25]
    table = count_table(family(SPACE, channels=16, cells=15, classes=classes, image=(3, 32, 32)))
    choices = np.array([to_choices(parse(row["arch_str"])) for row in rows])
    params = np.array([float(row[f"cifar{classes}_params_M"]) for row in rows])
    macs = np.array([float(row[f"cifar{classes}_macs_M"]) for row in rows])
    # Printed to six significant digits; the benchmark counts the classifier's bias as MACs.
    assert np.abs(table.params.of(choices) / (params * 1e6) - 1).max() < 5.01e-6
    assert np.abs((table.macs.of(choices) + classes) / (macs * 1e6) - 1).max() < 5.01e-6
