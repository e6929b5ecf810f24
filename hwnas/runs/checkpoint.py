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


def save_checkpoint(run: Run, arrays: Mapping[str, NDArray[Any]], state: Mapping[str, Any]) -> None:
    """Replace the checkpoint, keeping the one before it.

    ``state`` is JSON; arrays are written as they are.

    Raises Stopped where the file system refuses; one of the two checkpoints is then still whole.
    """
    content = save(
        {name: np.ascontiguousarray(array) for name, array in arrays.items()},
        {"state": json.dumps(state), "digest": _digest(arrays)},
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
        state = json.loads(notes["state"])
    except (SafetensorError, OSError, KeyError, ValueError, RecursionError):
        return None
    return (
        (arrays, state)
        if notes.get("digest") == _digest(arrays) and isinstance(state, dict)
        else None
    )


def _digest(arrays: Mapping[str, NDArray[Any]]) -> str:
    total = hashlib.blake2b(digest_size=16)
    for name in sorted(arrays):
        total.update(name.encode())
        total.update(np.ascontiguousarray(arrays[name]).tobytes())
    return total.hexdigest()
