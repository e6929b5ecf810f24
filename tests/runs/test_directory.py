"""The run directory survives what happens to files: torn lines, damaged checkpoints, a second
process."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from hwnas.config import Config
from hwnas.runs import directory as runs
from hwnas.runs.checkpoint import load_checkpoint, save_checkpoint
from hwnas.runs.directory import Run
from hwnas.runs.environment import read_environment
from hwnas.runs.lines import MAX_LINE_BYTES
from hwnas.runs.summary import read_front
from hwnas.runs.trials import Trial, append_trials, read_trials, truncate_trials
from profilers.errors import InputError
from tests.runs.made import finished_run


@pytest.fixture
def run(tmp_path: Path) -> Run:
    return runs.create(tmp_path / "run", Config(), ["hwnas", "search"], "digest")


def trial(number: int) -> Trial:
    return Trial(
        number=number,
        stage=0,
        epoch=1,
        step=2,
        key="0123456789",
        choices=(1, 2, 3),
        accuracy=0.5,
        costs={"params": 1000.0 + number},
    )


def test_a_run_is_read_back_as_it_was_written(run: Run) -> None:
    assert runs.open_run(run.path) == run
    assert read_environment(run.path).command == ["hwnas", "search"]


def test_an_existing_place_is_refused(run: Run) -> None:
    with pytest.raises(InputError, match="already exists"):
        runs.create(run.path, Config(), [], "")


def test_a_folder_that_is_no_run_is_refused(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"not a run directory \(no config.toml in it\)"):
        runs.open_run(tmp_path)


def test_a_run_that_is_not_there_is_named_with_those_beside_it(run: Run) -> None:
    mistyped = run.path.with_name(f"{run.path.name}1")
    with pytest.raises(InputError, match=f"no such folder; did you mean '{run.path.name}'"):
        runs.open_run(mistyped)
    with pytest.raises(InputError, match=rf"runs in it: {run.path.name}\)"):
        runs.open_run(run.path.parent)


def test_trials_come_back_and_a_torn_last_line_is_passed_over(run: Run) -> None:
    append_trials(run, [trial(0), trial(1)])
    whole = run.trials_path.read_bytes()
    run.trials_path.write_bytes(whole + whole[:20])
    assert read_trials(run) == [trial(0), trial(1)]


def test_a_damaged_line_in_the_middle_is_an_error(run: Run) -> None:
    run.trials_path.write_bytes(b"{broken\n")
    with pytest.raises(InputError, match="damaged line"):
        read_trials(run)


def test_a_line_without_end_is_refused_before_it_fills_the_memory(run: Run) -> None:
    run.trials_path.write_bytes(b"1" * (MAX_LINE_BYTES + 1))
    with pytest.raises(InputError, match="a line of more than"):
        read_trials(run)


def test_trials_after_a_checkpoint_are_cut_off(run: Run) -> None:
    append_trials(run, [trial(0), trial(1), trial(2)])
    truncate_trials(run, 2)
    assert read_trials(run) == [trial(0), trial(1)]
    with pytest.raises(InputError, match="fewer trials than its checkpoint counts"):
        truncate_trials(run, 3)


def test_a_damaged_checkpoint_falls_back_to_the_one_before(run: Run) -> None:
    assert load_checkpoint(run) is None
    for value in (1.0, 2.0):
        save_checkpoint(run, {"a": np.full(3, value)}, {"epoch": int(value)})
    newest = load_checkpoint(run)
    assert newest is not None and newest[1] == {"epoch": 2}
    content = bytearray(run.checkpoint_path.read_bytes())
    content[-1] ^= 1  # one flipped bit in the tensor data
    run.checkpoint_path.write_bytes(bytes(content))
    before = load_checkpoint(run)
    assert before is not None and before[1] == {"epoch": 1}
    np.testing.assert_array_equal(before[0]["a"], np.full(3, 1.0))


def test_two_damaged_checkpoints_are_an_error(run: Run) -> None:
    save_checkpoint(run, {"a": np.zeros(1)}, {})
    run.checkpoint_path.write_bytes(b"not tensors")
    with pytest.raises(InputError, match="no checkpoint in it can be read"):
        load_checkpoint(run)


def test_a_front_that_is_not_there_says_how_to_go_on(run: Run) -> None:
    with pytest.raises(InputError, match="hwnas resume"):
        read_front(run)
    run.front_path.write_text("[1, 2")
    with pytest.raises(InputError, match="not valid JSON"):
        read_front(run)


def test_a_second_process_is_refused(run: Run) -> None:
    with runs.lock(run), pytest.raises(InputError, match="in use by another process"):
        runs.lock(run)


def test_a_lock_whose_file_was_removed_still_holds(tmp_path):
    run = finished_run(tmp_path / "run")
    with runs.lock(run):
        (run.path / ".lock").unlink()
        assert runs.held(run)
        with pytest.raises(InputError, match="is in use by another process"):
            runs.lock(run)
    assert not runs.held(run)
    runs.lock(run).release()
