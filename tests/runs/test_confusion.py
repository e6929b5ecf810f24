"""Figures by class: what a matrix of counts says, and which records of it are read."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from hwnas.runs.confusion import (
    Confused,
    class_accuracy,
    confusion_line,
    most_confused,
    worst_class,
)
from hwnas.runs.directory import Run
from hwnas.runs.schema import to_json
from hwnas.runs.summary import read_front
from hwnas.runs.training_record import TrainingRecord, read_records, with_trained
from profilers.errors import InputError
from tests.runs.made import finished_run, member

ROWS = [[8, 2, 0], [0, 3, 1], [0, 0, 0]]
"""Of ten images of a, two are taken for b; of four of b, one for c; c has none."""


def test_the_accuracy_of_a_class_is_the_share_of_its_row_on_the_diagonal() -> None:
    assert class_accuracy(ROWS) == [0.8, 0.75, None]
    assert worst_class([0.8, 0.75, None]) == 1
    assert worst_class([None]) is None


def test_the_most_confused_pair_is_that_with_the_largest_share() -> None:
    assert most_confused(ROWS) == Confused(true=1, predicted=2, count=1, images=4)
    assert most_confused([[5, 0], [0, 5]]) is None


def test_a_line_says_the_worst_class_and_the_most_confused_pair() -> None:
    line = confusion_line("key", ["a", "b\x1b", "c"], class_accuracy(ROWS), ROWS)
    assert line == (
        "key: worst class 'b\\x1b', 75 % of 4 test images right; most often confused: 1 of 4"
        " 'b\\x1b' taken for 'c'"
    )
    assert (
        confusion_line("key", ["a"], [0.5], None)
        == "key: worst class 'a', 50 % of its test images right"
    )
    assert confusion_line("key", ["a"], [None], None) is None


def record(**fields: Any) -> dict[str, Any]:
    network = member("DARTS_V2", 0.5)
    said = {name: network[name] for name in ("key", "genotype", "text", "channels", "cells")}
    said |= {"name": network["key"], "costs": network["costs"], "test_accuracy": 0.9}
    return said | {"data": "digits"} | fields


def kept(run: Run, **fields: Any) -> TrainingRecord:
    content = record(**fields)
    folder = run.path / "models" / content["key"]
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "training.json").write_text(json.dumps(content))
    return read_records(run)[0]


def test_figures_by_class_stand_beside_the_trained_accuracy(tmp_path: Path) -> None:
    run = finished_run(tmp_path / "run")
    old = kept(run)
    assert old.confusion is None and "confusion" not in to_json(old)
    by_class = {
        "classes": ["a", "b", "c"],
        "class_accuracy": [0.8, 0.75, None],
        "confusion": ROWS,
    }
    assert to_json(kept(run, **by_class))["confusion"] == ROWS
    shown = [to_json(one) for one in with_trained(run, read_front(run)).members]
    found = next(one for one in shown if one["key"] == old.key)
    assert found["trained"]["value"] == 0.9
    assert (found["class_accuracy"], found["confusion"]) == ([0.8, 0.75, None], ROWS)
    assert sum("confusion" in one for one in shown) == 1


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"confusion": ROWS}, "classes: missing"),
        ({"classes": ["a", "b"], "class_accuracy": [0.5]}, "one of each of 2 classes"),
        ({"classes": ["a", "b"], "confusion": ROWS}, "2 rows of 2 counts"),
        ({"classes": ["a"], "confusion": [[-1]]}, "confusion"),
    ],
)
def test_a_record_whose_figures_do_not_fit_its_classes_is_refused(
    tmp_path: Path, fields: dict[str, Any], message: str
) -> None:
    with pytest.raises(InputError, match=message):
        kept(finished_run(tmp_path / "run"), **fields)
