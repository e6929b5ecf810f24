"""A checkpoint, a history or trials that no search has written end in one line; those of a
search are read."""

from __future__ import annotations

import hashlib
import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from safetensors import safe_open
from safetensors.numpy import save

from hwnas.runs import directory as runs
from hwnas.runs.checkpoint import load_checkpoint, save_checkpoint
from hwnas.runs.directory import Run
from hwnas.runs.history import history_path, read_history
from hwnas.runs.trials import read_trials
from hwnas.search.checkpoint import checkpoint
from hwnas.search.config_kept import check_unchanged, settled
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
    "an epoch that its stage does not have": lambda state: state["position"].update(epoch=2),
    "more pieces than images": lambda state: state["position"].update(parts=17),
    "steps without end": lambda state: state["position"].update(step=2**60),
    "seconds below none": lambda state: state["position"].update(seconds=-1.0),
    "a rate that has grown": lambda state: state["position"].update(rate=2.0),
    "a rate of nothing": lambda state: state["position"].update(rate=0.0),
    "rollbacks without end": lambda state: state.update(
        setbacks=9 * [{"stage": 0, "epoch": 0, "step": 0, "loss": None, "rate": 0.5}]
    ),
    "a config that is none": lambda state: state.update(config=[]),
}
CHANGES = {**STATES, "fewer trials": lambda state: state["position"].update(trials=1)}


@pytest.mark.parametrize("name", STATES)
def test_a_state_that_no_search_writes_is_refused(begun: Run, name: str) -> None:
    found = load_checkpoint(begun)
    assert found is not None and checkpoint(begun) is not None
    arrays, state = found
    STATES[name](state)
    save_checkpoint(begun, arrays, state)
    with pytest.raises(InputError, match="no checkpoint of this search"):
        checkpoint(begun)


@pytest.mark.parametrize("change", CHANGES)
def test_a_change_of_the_state_alone_shows_in_the_digest(begun: Run, change: str) -> None:
    """The tensors are whole and the JSON is; the checkpoint before is taken, or none is left."""
    for path in begun.checkpoint_path.parent.glob("*.safetensors"):
        with safe_open(path, framework="numpy") as file:
            arrays = {name: file.get_tensor(name) for name in [*file.keys()]}
            notes = file.metadata()
        state = json.loads(notes["state"])
        CHANGES[change](state)
        path.write_bytes(save(arrays, {**notes, "state": json.dumps(state)}))
    with pytest.raises(InputError, match="no checkpoint in it can be read"):
        load_checkpoint(begun)


def test_a_checkpoint_of_an_earlier_version_is_read(begun: Run) -> None:
    """It had a digest of names and tensors, and said nothing of its config."""
    path = begun.checkpoint_path
    with safe_open(path, framework="numpy") as file:
        arrays = {name: file.get_tensor(name) for name in [*file.keys()]}
        state = json.loads(file.metadata()["state"])
    del state["config"]
    total = hashlib.blake2b(digest_size=16)
    for name in sorted(arrays):
        total.update(name.encode() + arrays[name].tobytes())
    path.write_bytes(save(arrays, {"state": json.dumps(state), "digest": total.hexdigest()}))
    found = checkpoint(begun)
    assert found is not None and found[1]["position"] == state["position"]


CONFIGS = {
    "metric": ('metric = "params"', 'metric = "macs"', 'objectives.0.metric is "macs" now'),
    "epochs": ("epochs = 2", "epochs = 3", "stages.0.epochs is 3 now and was 2"),
    "rate": ("lr = 0.15", "lr = 0.1", "weight_step.lr is 0.1 now and was 0.15"),
    "space": ('space = "darts"', 'space = "tnd"', 'space is "tnd" now and was "darts"'),
    "width": ("channels = 2", "channels = 4", "channels is 4 now and was 2"),
    "algorithm": ('"tndnas"', '"random"', 'algorithm is "random" now'),
    "seed": ("seed = 0", "seed = 1", "seed is 1 now and was 0"),
}


@pytest.mark.parametrize("key", CONFIGS)
def test_a_config_that_was_changed_since_is_refused_with_its_key(begun: Run, key: str) -> None:
    before, after, says = CONFIGS[key]
    path = begun.path / "config.toml"
    text = path.read_text()
    assert before in text
    path.write_text(text.replace(before, after))
    with pytest.raises(InputError, match="when the search was stopped; put it back") as refused:
        resume(begun.path)
    assert f"config.toml: {says}" in str(refused.value)


def test_settings_that_an_older_checkpoint_does_not_know_are_no_change(begun: Run) -> None:
    kept = settled(begun.config)
    for stage in kept["stages"]:
        del stage["finalist_epochs"]
    del kept["data"]["crop"]
    check_unchanged(begun, kept)


def test_threads_may_change_between_a_stop_and_a_resume(begun: Run) -> None:
    path = begun.path / "config.toml"
    text = path.read_text().replace("checkpoint_minutes = 5.0", "checkpoint_minutes = 9.0")
    path.write_text(text)
    assert checkpoint(runs.open_run(begun.path)) is not None


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
