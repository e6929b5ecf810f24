"""What a task has to know to find on another node what it would find here: absolute paths, a
lock that comes free."""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path

from hwnas.config import Config
from hwnas.errors import Stopped
from hwnas.runs.directory import Run, held

LOCK_SECONDS = 150.0
"""A network file system gives the lock of a host that died back after its lease, 90 s as a rule."""


def located(config: Config) -> Config:
    """The same search with every path absolute, so that it means the same in any working
    directory."""
    data = config.data.model_copy(
        update={
            "source": _absolute(config.data.source),
            "root": _absolute_path(config.data.root),
            "test": _absolute_path(config.data.test),
        }
    )
    return config.model_copy(update={"data": data, "target": _absolute(config.target)})


def _absolute_path(path: str | None) -> str | None:
    return str(Path(path).expanduser().absolute()) if path else None


def _absolute(word: str) -> str:
    """A name stays a name; what can only be a path, or is one that exists, becomes absolute."""
    path = Path(word).expanduser()
    is_path = len(path.parts) > 1 or path.suffix in (".npz", ".toml") or path.is_dir()
    return str(path.absolute()) if is_path else word


def until_free(
    run: Run,
    clock: Callable[[], float] = time.monotonic,
    sleep: Callable[[float], None] = time.sleep,
) -> None:
    """Wait while a process that is dying still holds the run.

    Raises Stopped where it does not let go.
    """
    begun = clock()
    while held(run):
        if clock() - begun > LOCK_SECONDS:
            raise Stopped(f"run directory {run.path} is in use by another process")
        sleep(0.5)
