"""A checkpoint, a history or trials that no search has written end in one line; those of a
search are read."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from hwnas.runs import directory as runs
from hwnas.runs.checkpoint import load_checkpoint, save_checkpoint
from hwnas.runs.directory import Run
from hwnas.runs.history import history_path, read_history
from hwnas.runs.trials import read_trials
from hwnas.search.checkpoint import checkpoint
from hwnas.search.progress import SearchProgress
from hwnas.search.search import resume, search
from profilers.errors import InputError
from tests.search import tiny

State = dict[str, Any]


@pytest.fixture(scope="module")
def stopped(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A search that was stopped in its second stage."""
    folder = tmp_path_factory.mktemp("stopped")
    epochs: list[SearchProgress] = []

    def fourth(progress: SearchProgress) -> None:
        epochs.append(progress)
        if len(epochs) == 4:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        search(tiny.config(tiny.images(folder / "images.npz")), folder / "run", fourth)
    return folder / "run"


@pytest.fixture
def begun(stopped: Path, tmp_path: Path) -> Run:
    """A copy of it to change."""
    return runs.open_run(Path(shutil.copytree(stopped, tmp_path / "run")))


STATES: dict[str, Callable[[State], object]] = {
    "no position": lambda state: state.pop("position"),
    "a position that is none": lambda state: state.update(position=[1]),
    "a word more": lambda state: state["position"].update(more=1),
    "a stage of text": lambda state: state["position"].update(stage="1"),
    "a stage too many": lambda state: state["position"].update(stage=3),
    "trials below none": lambda state: state["position"].update(trials=-1),
    "half a step": lambda state: state["position"].update(step=0.5),
    "no pieces": lambda state: state["position"].update(parts=0),
    "a rate that is no number": lambda state: state["position"].update(rate=float("nan")),
    "seconds of true": lambda state: state["position"].update(seconds=True),
    "losses of text": lambda state: state.update(losses=["a"]),
    "losses of one number": lambda state: state.update(losses=1),
    "a rollback of one number": lambda state: state.update(setbacks=[1]),
    "processes of text": lambda state: state.update(processes="all"),
}


@pytest.mark.parametrize("name", STATES)
def test_a_state_that_no_search_writes_is_refused(begun: Run, name: str) -> None:
    found = load_checkpoint(begun)
    assert found is not None and checkpoint(begun) is not None
    arrays, state = found
    STATES[name](state)
    save_checkpoint(begun, arrays, state)
    with pytest.raises(InputError, match="no checkpoint of this search"):
        checkpoint(begun)


@pytest.mark.parametrize("change", ["fewer", "another shape"])
def test_tensors_of_another_search_are_refused(begun: Run, change: str) -> None:
    found = load_checkpoint(begun)
    assert found is not None
    arrays, state = found
    if change == "fewer":
        arrays = {name: one for name, one in arrays.items() if not name.startswith("searcher")}
    else:
        arrays = {name: np.zeros(3, dtype=one.dtype) for name, one in arrays.items()}
    save_checkpoint(begun, arrays, state)
    with pytest.raises(InputError, match="no checkpoint of this search"):
        resume(begun.path)


TRIALS: dict[str, Any] = {
    "stage": 9,
    "epoch": -1,
    "number": "0",
    "key": 1,
    "choices": ["a"],
    "accuracy": "0.5",
    "costs": {"params": None},
}


@pytest.mark.parametrize("key", TRIALS)
def test_a_trial_that_no_search_writes_is_refused(begun: Run, key: str) -> None:
    lines = begun.trials_path.read_text().splitlines()
    lines[0] = json.dumps({**json.loads(lines[0]), key: TRIALS[key]})
    begun.trials_path.write_text("\n".join(lines) + "\n")
    with pytest.raises(InputError, match="damaged line"):
        read_trials(begun)


HISTORY: dict[str, Any] = {
    "stage": 9,
    "epoch": -1,
    "entropies": [1.0],
    "derived": [],
    "loss": float("nan"),
}


@pytest.mark.parametrize("key", HISTORY)
def test_an_epoch_that_no_search_writes_is_refused(begun: Run, key: str) -> None:
    path = history_path(begun)
    lines = path.read_text().splitlines()
    lines[1] = json.dumps({**json.loads(lines[1]), key: HISTORY[key]})
    path.write_text("\n".join(lines) + "\n")
    with pytest.raises(InputError, match="damaged line"):
        read_history(begun)


@pytest.mark.parametrize("choices", [[1, 2], [99] * 28])
def test_a_trial_of_another_space_ends_a_resumed_search_in_one_line(
    begun: Run, choices: list[int]
) -> None:
    lines = [json.loads(line) for line in begun.trials_path.read_text().splitlines()]
    found = checkpoint(begun)
    assert found is not None
    row = found[1]["position"]["trials"] - 1
    assert lines[row]["stage"] == len(begun.config.stages) - 1
    lines[row]["choices"] = choices
    begun.trials_path.write_text("".join(json.dumps(line) + "\n" for line in lines))
    with pytest.raises(InputError, match="is no network of the darts space"):
        resume(begun.path)
