"""checkpoint/ of a run: the newest state of its search and the one before; tensors and JSON,
never a pickle."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from safetensors import SafetensorError, safe_open
from safetensors.numpy import save

from hwnas import files
from hwnas.runs.directory import Run, keeping_run
from profilers.errors import InputError

Arrays = dict[str, NDArray[Any]]
PREVIOUS = "previous.safetensors"
WITH_STATE = "2:"
"""In front of a digest of tensors, their shapes and the state."""


def save_checkpoint(run: Run, arrays: Mapping[str, NDArray[Any]], state: Mapping[str, Any]) -> None:
    """Replace the checkpoint, keeping the one before it.

    ``state`` is JSON; arrays are written as they are.

    Raises Stopped where the file system refuses; one of the two checkpoints is then still whole.
    """
    text = json.dumps(state)
    content = save(
        {name: np.asarray(array, order="C") for name, array in arrays.items()},
        {"state": text, "digest": WITH_STATE + _digest(arrays, text)},
    )
    path = run.checkpoint_path
    with keeping_run(run):
        if files.exists(run.trials_path, run.path):
            # On the disk before a checkpoint counts them, should the power fail.
            files.sync(run.trials_path, run.path)
        if files.exists(path, run.path):
            files.rename(path, PREVIOUS, run.path)
        files.replace(path, run.path, content)


def load_checkpoint(run: Run) -> tuple[Arrays, dict[str, Any]] | None:
    """The newest whole checkpoint, or None where none was written.

    Raises InputError where both are damaged.
    """
    paths = [run.checkpoint_path, run.checkpoint_path.with_name(PREVIOUS)]
    existing = [path for path in paths if files.exists(path, run.path)]
    for path in existing:
        files.check(path, run.path, files.LARGEST_STATE)
        found = _read_checkpoint(path)
        if found is not None:
            return found
    if existing:
        raise InputError(f"{run.checkpoint_path.parent}: no checkpoint in it can be read")
    return None


def _read_checkpoint(path: Path) -> tuple[Arrays, dict[str, Any]] | None:
    try:
        with safe_open(path, framework="numpy") as file:
            arrays = {name: file.get_tensor(name) for name in [*file.keys()]}
            notes = file.metadata() or {}
        text, digest = notes["state"], notes["digest"]
        state = json.loads(text)
    except (SafetensorError, OSError, KeyError, ValueError, RecursionError):
        return None
    # What earlier versions wrote says nothing of the state.
    expected = WITH_STATE + _digest(arrays, text) if ":" in digest else _digest(arrays, "")
    return (arrays, state) if digest == expected and isinstance(state, dict) else None


def _digest(arrays: Mapping[str, NDArray[Any]], state: str) -> str:
    total = hashlib.blake2b(digest_size=16)
    for name in sorted(arrays):
        array = np.asarray(arrays[name], order="C")
        total.update(name.encode())
        if state:
            total.update(f"{array.dtype}{array.shape}".encode())
        total.update(array.tobytes())
    total.update(state.encode())
    return total.hexdigest()
