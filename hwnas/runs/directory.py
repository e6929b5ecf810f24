"""The run directory: everything a search leaves behind, readable after its process is gone, on any
machine.

runs/<name>/: config.toml (as resolved), environment.json, trials.jsonl (append only), checkpoint/
(two safetensors files, tensors and JSON, never a pickle), front.json. Only hwnas.runs writes there
during a search.
"""

from __future__ import annotations

import os
import shutil
import time
from collections.abc import Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from pathlib import Path

from filelock import BaseFileLock, FileLock, Timeout

from hwnas import config as configs
from hwnas import files
from hwnas.config import Config
from hwnas.errors import Stopped, quoted, reason_of, translate_os_errors
from hwnas.runs.atomic import atomic_write, sync_directory
from hwnas.runs.environment import ENVIRONMENT, ImagesKept, environment_now
from hwnas.runs.schema import json_bytes
from hwnas.staged import lock_folder, stage_folder
from profilers.errors import InputError, nearest

FRONT = "front.json"
SHOWN = 3
"""Runs that a message names, of those in a folder that is none."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Run:
    """A run directory and the resolved config inside it."""

    path: Path
    config: Config

    @property
    def trials_path(self) -> Path:
        """One JSON object per evaluation, append only."""
        return self.path / "trials.jsonl"

    @property
    def front_path(self) -> Path:
        """The summary that ``hwnas show`` prints; there once the search has ended."""
        return self.path / FRONT

    @property
    def checkpoint_path(self) -> Path:
        """The newest state; the one before stands beside it."""
        return self.path / "checkpoint" / "state.safetensors"


def create(
    path: Path,
    config: Config,
    command: list[str],
    data_digest: str,
    images: ImagesKept | None = None,
    more: Mapping[str, bytes] | None = None,
    computed_by: str | None = None,
) -> Run:
    """Start a run directory.

    Raises InputError where something already stands at ``path``, or can't be made.

    ``images``: what is kept of both parts of the images beside their digest; ``more``: further
    files, by name; ``computed_by``: as in Environment.
    """
    ensure_absent(path)
    # Made beside its place, then named: a process that dies leaves a whole run directory or none.
    try:
        beside, held_until_named = stage_folder(path)
    except OSError as error:
        raise _unmade(path, error) from None
    try:
        (beside / "checkpoint").mkdir()
        now = environment_now(command, data_digest, images, computed_by)
        atomic_write(beside / ENVIRONMENT, json_bytes(now))
        for name, content in (more or {}).items():
            atomic_write(beside / name, content)
        atomic_write(beside / "config.toml", configs.dump(config))
        os.rename(beside, path)
    except OSError as error:
        shutil.rmtree(beside, ignore_errors=True)
        raise _unmade(path, error) from None
    finally:
        if held_until_named is not None:
            os.close(held_until_named)
    sync_directory(path.parent)
    return Run(path=path, config=config)


def _unmade(path: Path, error: OSError) -> InputError:
    ensure_absent(path)
    shown = path if len(str(path)) < 500 else f"{str(path)[:200]}..."
    return InputError(f"run directory {shown} can't be made: {reason_of(error)}")


def ensure_absent(path: Path) -> None:
    """Raise InputError where something already stands at ``path``: known before images are
    loaded."""
    if os.path.lexists(path):
        raise InputError(f"run directory {path} already exists: choose another --out, or resume it")


def new_directory(source: str, metrics: Sequence[str]) -> Path:
    """runs/<data>-<objectives>-<date>-<time>: a name that says what it was, and is new."""
    data = Path(source).stem if "/" in source or source.endswith(".npz") else source
    stamp = time.strftime("%Y%m%d-%H%M%S")
    return Path("runs") / "-".join([data, *(metrics or ["accuracy"]), stamp])


def open_run(path: Path) -> Run:
    """An existing run directory. Raises InputError where ``path`` holds none."""
    check_run(path)
    return Run(path=path, config=configs.load(path / "config.toml", path))


def is_run(path: Path) -> bool:
    """Whether a folder is a run directory."""
    return files.exists(path / "config.toml", path)


def check_run(path: Path) -> None:
    """Raise InputError where ``path`` is no run directory, with the runs that lie beside or in
    it."""
    if is_run(path):
        return
    if not os.path.lexists(path):
        beside = nearest(path.name, _runs_in(path.parent))
        raise InputError(f"{path}: not a run directory: no such folder{beside}")
    held = _runs_in(path)
    more = f"; runs in it: {', '.join(held[:SHOWN])}" if held else ""
    raise InputError(f"{path}: not a run directory (no config.toml in it{more})")


def _runs_in(folder: Path) -> list[str]:
    """Names of the runs in a folder, the newest first; none where it can't be read."""
    try:
        found = [one for one in folder.iterdir() if is_run(one)]
        return [one.name for one in sorted(found, key=lambda one: -one.stat().st_mtime)]
    except (OSError, InputError):
        return []


def inside(run: Run, *names: str) -> Path:
    """A folder of the run, which need not be there yet.

    Raises InputError where a link stands in its place.
    """
    path = run.path.joinpath(*names)
    files.check_folder(path, run.path)
    return path


def lock(run: Run) -> FolderLock:
    """Take the run for this process. Raises InputError while another process has it."""
    with keeping_run(run):
        return lock_in(run.path, f"run directory {run.path}")


def lock_in(folder: Path, what: str) -> FolderLock:
    """Take a folder for this process. Raises InputError while another process has it, OSError."""
    # FileLock empties what it opens, and some versions of it follow links.
    files.check(folder / ".lock", folder, writing=True)
    file = FileLock(folder / ".lock")
    try:
        file.acquire(timeout=0)
        return FolderLock(file=file, folder=lock_folder(folder))
    except (Timeout, BlockingIOError):  # an OSError, but not the file system's
        file.release()
        raise InputError(f"{what} is in use by another process") from None


@dataclass(frozen=True, kw_only=True, slots=True)
class FolderLock:
    """A file's lock and its folder's: who removes the file lets no second process in.

    `folder`: a descriptor; None where the system locks no folders.
    """

    file: BaseFileLock
    folder: int | None

    def release(self) -> None:
        """Give both back."""
        if self.folder is not None:
            os.close(self.folder)
        self.file.release()

    def __enter__(self) -> FolderLock:
        return self

    def __exit__(self, *error: object) -> None:
        self.release()


def held(run: Run) -> bool:
    """Whether a process is working on the run now."""
    try:
        descriptor = lock_folder(run.path)
        if descriptor is not None:
            os.close(descriptor)
        if not files.exists(run.path / ".lock", run.path):
            return False
        lock(run).release()
    except BlockingIOError:
        return True
    except (InputError, Stopped):
        return True
    return False


def ended(run: Run) -> bool:
    """Whether the search has left its front.

    Raises InputError where something else stands in its place.
    """
    return files.exists(run.front_path, run.path)


def keeping_run(run: Run) -> AbstractContextManager[None]:
    """Turn what the file system refuses in the run directory into Stopped, which says how to go
    on."""
    searched = os.path.exists(run.front_path)
    again = "the same command" if searched else f"hwnas resume {quoted(run.path)}"
    return translate_os_errors(run.path, again)
