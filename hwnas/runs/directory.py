"""The run directory: everything a search leaves behind, readable after its process is gone, on any machine.

runs/<name>/: config.toml (as resolved), environment.json, trials.jsonl (append only), checkpoint/ (two safetensors
files, tensors and JSON, never a pickle), front.json. Only this module writes there during a search.
"""

from __future__ import annotations

import hashlib
import json
import math
import os
import platform
import shutil
import sys
import time
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import asdict, dataclass
from importlib import metadata
from pathlib import Path
from typing import Any

import numpy as np
from filelock import FileLock, Timeout
from numpy.typing import NDArray
from safetensors import SafetensorError, safe_open
from safetensors.numpy import save

from hwnas import config as configs
from hwnas import files
from hwnas.config import Config
from hwnas.errors import Stopped, keeping
from hwnas.runs.atomic import atomic_write, sync_directory
from hwnas.runs.schema import read_summary
from profilers.errors import InputError

Arrays = dict[str, NDArray[Any]]
MAX_LINE_BYTES = 4_000_000
PREVIOUS = "previous.safetensors"


FRONT = "front.json"


@dataclass(frozen=True, slots=True)
class Trial:
    """One evaluation of one sub-network during a search: shared weights, a few validation images.

    ``choices``: operation index per edge. ``accuracy`` in 0..1. ``costs`` in the units of their objectives.
    """

    number: int
    stage: int
    epoch: int
    step: int
    key: str
    choices: tuple[int, ...]
    accuracy: float
    costs: dict[str, float]


@dataclass(frozen=True, slots=True)
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
    images: Mapping[str, Any] | None = None,
    more: Mapping[str, bytes] | None = None,
) -> Run:
    """Start a run directory. Raises InputError where something already stands at ``path``, or can't be made.

    ``images``: what is kept of both parts of the images beside their digest; ``more``: further files, by name.
    """
    vacant(path)
    # Made beside its place, then named: a process that dies leaves a whole run directory or none.
    beside = path.with_name(f".{path.name}.{os.getpid()}.new")
    try:
        (beside / "checkpoint").mkdir(parents=True)
        atomic_write(beside / "environment.json", _json(environment(command, data_digest, images)))
        for name, content in (more or {}).items():
            atomic_write(beside / name, content)
        atomic_write(beside / "config.toml", configs.dump(config))
        os.rename(beside, path)
    except OSError as error:
        shutil.rmtree(beside, ignore_errors=True)
        vacant(path)
        raise InputError(f"run directory {path} can't be made: {error.strerror}") from None
    sync_directory(path.parent)
    return Run(path, config)


def vacant(path: Path) -> None:
    """Raise InputError where something already stands at ``path``: known before images are loaded."""
    if os.path.lexists(path):
        raise InputError(f"run directory {path} already exists: choose another --out, or resume it")


def new_directory(source: str, metrics: Sequence[str]) -> Path:
    """runs/<data>-<objectives>-<date>-<time>: a name that says what it was, and is new."""
    data = Path(source).stem if "/" in source or source.endswith(".npz") else source
    stamp = time.strftime("%Y%m%d-%H%M%S")
    return Path("runs") / "-".join([data, *(metrics or ["accuracy"]), stamp])


def open_run(path: Path) -> Run:
    """An existing run directory. Raises InputError where ``path`` holds none."""
    _check_run(path)
    return Run(path, configs.load(path / "config.toml", path))


def _check_run(path: Path) -> None:
    if not files.exists(path / "config.toml", path):
        raise InputError(f"{path}: not a run directory (no config.toml in it)")


def inside(run: Run, *names: str) -> Path:
    """A folder of the run, which need not be there yet. Raises InputError where a link stands in its place."""
    path = run.path.joinpath(*names)
    files.check_folder(path, run.path)
    return path


def lock(run: Run) -> FileLock:
    """Take the run for this process. Raises InputError while another process has it."""
    with _keeping(run):
        return lock_in(run.path, f"run directory {run.path}")


def lock_in(folder: Path, what: str) -> FileLock:
    """Take a folder for this process. Raises InputError while another process has it, OSError."""
    # FileLock empties what it opens, and some versions of it follow links.
    files.check(folder / ".lock", folder, writing=True)
    held = FileLock(folder / ".lock")
    try:
        held.acquire(timeout=0)
    except Timeout:  # an OSError, but not the file system's
        raise InputError(f"{what} is in use by another process") from None
    return held


def held(run: Run) -> bool:
    """Whether a process is working on the run now."""
    if not files.exists(run.path / ".lock", run.path):
        return False
    try:
        lock(run).release()
    except (InputError, Stopped):
        return True
    return False


def environment(
    command: list[str], data_digest: str, images: Mapping[str, Any] | None = None
) -> dict[str, Any]:
    """What a figure depended on: the command, versions, the machine, and digests of the images."""
    names = ("hwnas", "torch", "torchvision", "numpy", "pymoo", "onnxruntime", "scikit-learn")
    return {
        "command": command,
        "data_digest": data_digest,
        "images": dict(images or {}),
        "python": sys.version.split()[0],
        "platform": platform.platform(),
        "processor": _processor(),
        "versions": {name: version for name in names if (version := _version(name))},
    }


def read_environment(run: Run) -> dict[str, Any]:
    """What ``environment`` wrote when the run began; empty where the file is missing or damaged."""
    try:
        found = json.loads(files.read(run.path / "environment.json", run.path))
    except InputError:  # no file of a run
        raise
    except (OSError, ValueError, RecursionError):
        return {}
    return found if isinstance(found, dict) else {}


def append_trials(run: Run, trials: Iterable[Trial]) -> None:
    """Add evaluations to trials.jsonl and give them to the system, so that a killed process loses none.

    Raises Stopped where the file system refuses.
    """
    append_lines(run, run.trials_path, trials)


def append_lines(run: Run, path: Path, records: Iterable[Any]) -> None:
    """Add dataclasses to an append-only file of the run, one JSON object per line.

    Raises Stopped where the file system refuses.
    """
    lines = "".join(json.dumps(asdict(record), separators=(",", ":")) + "\n" for record in records)
    with _keeping(run):
        files.append(path, run.path, lines.encode())


def read_trials(run: Run) -> list[Trial]:
    """All whole lines of trials.jsonl; a last line that a dying process tore is passed over."""
    return list(_whole_trials(run))


def truncate_trials(run: Run, count: int) -> None:
    """Keep the first ``count`` trials: what a checkpoint knows of. The rest will be made again, identically."""
    kept = 0
    if files.exists(run.trials_path, run.path):
        with files.reading(run.trials_path, run.path) as file:
            for _ in range(count):
                line = file.readline(MAX_LINE_BYTES)
                if not line.endswith(b"\n"):
                    raise InputError(f"{run.trials_path}: fewer trials than its checkpoint counts")
                kept += len(line)
        with _keeping(run):
            files.truncate(run.trials_path, run.path, kept)
    elif count:
        raise InputError(f"{run.trials_path}: missing")


def save_checkpoint(run: Run, arrays: Mapping[str, NDArray[Any]], state: Mapping[str, Any]) -> None:
    """Replace the checkpoint, keeping the one before it. ``state`` is JSON; arrays are written as they are.

    Raises Stopped where the file system refuses; one of the two checkpoints is then still whole.
    """
    content = save(
        {name: np.ascontiguousarray(array) for name, array in arrays.items()},
        {"state": json.dumps(state), "digest": _digest(arrays)},
    )
    path = run.checkpoint_path
    with _keeping(run):
        if files.exists(run.trials_path, run.path):
            # On the disk before a checkpoint counts them, should the power fail.
            files.sync(run.trials_path, run.path)
        if files.exists(path, run.path):
            files.rename(path, PREVIOUS, run.path)
        files.replace(path, run.path, content)


def load_checkpoint(run: Run) -> tuple[Arrays, dict[str, Any]] | None:
    """The newest whole checkpoint, or None where none was written. Raises InputError where both are damaged."""
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


def write_front(run: Run, summary: Mapping[str, Any]) -> None:
    """Write front.json. Raises Stopped where the file system refuses."""
    with _keeping(run):
        files.replace(run.front_path, run.path, _json(_finite(summary)))


def read_front(run: Run) -> dict[str, Any]:
    """The summary of a finished search. Raises InputError where it has not ended or can't be read."""
    return _front_in(run.path, any_space=False)


def read_shown(path: Path) -> dict[str, Any]:
    """The summary of a finished search to be shown, also where its space or metric is not installed here.

    Raises InputError where ``path`` is no run directory, or the search has not ended.
    """
    _check_run(path)
    return _front_in(path, any_space=True)


def _front_in(path: Path, *, any_space: bool) -> dict[str, Any]:
    if not files.exists(path / FRONT, path):
        raise InputError(f"{path}: the search has not ended; go on with: hwnas resume {path}")
    return read_summary(path / FRONT, path, any_space)


def ended(run: Run) -> bool:
    """Whether the search has left its front. Raises InputError where something else stands in its place."""
    return files.exists(run.front_path, run.path)


def _keeping(run: Run) -> AbstractContextManager[None]:
    return keeping(run.path, f"hwnas resume {run.path}")


def _whole_trials(run: Run) -> Iterator[Trial]:
    path = run.trials_path
    for line in whole_lines(run, path):
        try:
            data = json.loads(line, parse_constant=_no_number)
            yield _trial(run, data)
        except (ValueError, TypeError, KeyError, OverflowError, RecursionError):
            raise InputError(f"{path}: damaged line {line[:40]!r}") from None


def _trial(run: Run, data: dict[str, Any]) -> Trial:
    """A line of trials.jsonl. Raises ValueError and its like for what no search writes."""
    found = Trial(**{**data, "choices": tuple(data["choices"])})
    places = (found.number, found.stage, found.epoch, found.step, *found.choices)
    numbers = (found.accuracy, *found.costs.values())
    whole = all(type(one) is int and one >= 0 for one in places) and isinstance(found.key, str)
    known = whole and found.stage < len(run.config.stages)
    if not known or not all(type(one) in (int, float) and math.isfinite(one) for one in numbers):
        raise ValueError(data)
    return found


def _no_number(text: str) -> float:
    """NaN and Infinity, which JSON does not have."""
    raise ValueError(text)


def whole_lines(run: Run, path: Path) -> Iterator[bytes]:
    """The lines of an append-only file of the run, none where there is no file.

    A last one without an end was torn by a dying process and is passed over. Raises InputError for a line that is
    longer than any of ours.
    """
    if not files.exists(path, run.path):
        return
    with files.reading(path, run.path) as file:
        while line := file.readline(MAX_LINE_BYTES):
            if len(line) == MAX_LINE_BYTES:
                raise InputError(f"{path}: a line of more than {MAX_LINE_BYTES} bytes")
            if line.endswith(b"\n"):
                yield line


def _read_checkpoint(path: Path) -> tuple[Arrays, dict[str, Any]] | None:
    try:
        with safe_open(path, framework="numpy") as file:
            arrays = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118 (not a dict)
            notes = file.metadata() or {}
        state = json.loads(notes["state"])
    except (SafetensorError, OSError, KeyError, ValueError, RecursionError):
        return None
    return (arrays, state) if notes.get("digest") == _digest(arrays) and isinstance(state, dict) else None


def _digest(arrays: Mapping[str, NDArray[Any]]) -> str:
    total = hashlib.blake2b(digest_size=16)
    for name in sorted(arrays):
        total.update(name.encode())
        total.update(np.ascontiguousarray(arrays[name]).tobytes())
    return total.hexdigest()


def _finite(value: Any) -> Any:
    """None for what is no finite number, at every depth: JSON has no NaN."""
    if isinstance(value, Mapping):
        return {key: _finite(one) for key, one in value.items()}
    if isinstance(value, list | tuple):
        return [_finite(one) for one in value]
    return None if isinstance(value, float) and not math.isfinite(value) else value


def _json(value: Mapping[str, Any]) -> bytes:
    return (json.dumps(value, indent=1) + "\n").encode()


def _version(package: str) -> str | None:
    try:
        return metadata.version(package)
    except metadata.PackageNotFoundError:
        return None


def _processor() -> str:
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
    except OSError:
        return platform.processor()
    named = [line.split(":", 1)[1].strip() for line in lines if line.startswith("model name")]
    return named[0] if named else platform.processor()
