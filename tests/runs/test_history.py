"""history.jsonl: what the policies believed at the end of every epoch."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from hwnas.config import Config
from hwnas.runs import directory as runs
from hwnas.runs.directory import Run
from hwnas.runs.history import append_epoch, epoch_of, history_path, read_history, truncate_history
from profilers.errors import InputError


@pytest.fixture
def run(tmp_path: Path) -> Run:
    return runs.create(tmp_path / "run", Config(), ["hwnas", "search"], "digest")


def write(run: Run, stage: int, epoch: int) -> None:
    tables = np.array([[[0.25, 0.75], [1.0, 0.0]]])
    append_epoch(
        run,
        epoch_of(
            (stage, epoch, 7),
            [1.0, 2.0],
            accuracies=[0.5],
            entropies=[0.56],
            tables=tables,
            derived=[np.array([1, 0])],
        ),
    )


def test_a_line_is_read_back_as_it_was_written(run: Run) -> None:
    write(run, 1, 4)
    (found,) = read_history(run)
    assert (found.stage, found.epoch, found.evaluations, found.loss, found.accuracy) == (
        1,
        4,
        7,
        1.5,
        0.5,
    )
    assert found.derived == ((1, 0),)
    assert found.probabilities == (((250, 750), (1000, 0)),)


def test_a_search_without_policies_has_lines_too(run: Run) -> None:
    append_epoch(
        run,
        epoch_of(
            (0, 0, 0),
            [float("nan")],
            accuracies=[],
            entropies=[],
            tables=np.zeros((0, 2, 2)),
            derived=[],
        ),
    )
    (found,) = read_history(run)
    assert found.loss is None and found.accuracy is None and found.probabilities == ()


def test_lines_after_the_checkpoint_are_cut_off(run: Run) -> None:
    for stage, epoch in [(0, 0), (0, 1), (1, 0), (1, 1)]:
        write(run, stage, epoch)
    truncate_history(run, 1, 1)
    assert [(one.stage, one.epoch) for one in read_history(run)] == [(0, 0), (0, 1), (1, 0)]
    truncate_history(run, 0, 0)
    assert read_history(run) == []


def test_a_torn_last_line_is_passed_over_and_a_damaged_one_is_named(run: Run) -> None:
    write(run, 0, 0)
    with open(history_path(run), "ab") as file:
        file.write(b'{"stage":')
    assert len(read_history(run)) == 1
    with open(history_path(run), "ab") as file:
        file.write(b"\n")
    with pytest.raises(InputError, match="damaged line"):
        read_history(run)
