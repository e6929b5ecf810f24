"""Run measurements in processes of their own, one at a time on a host, each with a time limit.

A model that crashes the runtime, hangs or takes all memory costs its own measurement and nothing else.
Standard library only: this file travels to remote hosts together with `worker.py`.
"""

from __future__ import annotations

import importlib.util
import json
import os
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

Answer = dict[str, Any]


def measure(request: Answer, limit_s: float, command: Sequence[str] = ()) -> tuple[Answer, list[Answer]]:
    """Send one request to a fresh worker; returns the worker's facts and one answer per model.

    All models share a worker, so that they are measured in turn. If it dies, every model without an answer
    gets a worker of its own, and those that die again are answered with `failure` crash | timeout | out of
    memory. `limit_s` is for each model; the whole worker gets the sum.
    """
    with host_lock():
        return _measure(request, limit_s, command)


def serve(folder: Path, command: Sequence[str]) -> None:
    """On a remote host: measure what `remote.py` unpacked into `folder` and print one line of JSON."""
    request = json.loads((folder / "request.json").read_text(encoding="utf-8"))
    missing = [name for name in ("numpy", "onnxruntime") if importlib.util.find_spec(name) is None]
    if missing:
        sys.stdout.write(json.dumps({"error": f"needs the Python packages {', '.join(missing)}"}) + "\n")
        return
    for model in request["models"]:
        model["path"] = str(folder / model["path"])
    if request.get("reference"):
        request["reference"] = str(folder / request["reference"])
    facts, answers = measure(request, float(request["limit_s"]), command)
    sys.stdout.write(json.dumps({"facts": facts, "answers": answers}) + "\n")


def _measure(request: Answer, limit_s: float, command: Sequence[str]) -> tuple[Answer, list[Answer]]:
    models = request["models"]
    facts, answers, ended = run_worker(request, limit_s * len(models), command)
    if len(models) == 1:
        return facts, [answers.get(0) or {"model": 0, **ended}]
    for index in range(len(models)):
        if index not in answers:
            alone, single, ended = run_worker({**request, "models": [models[index]]}, limit_s, command)
            facts = facts or alone
            answers[index] = {**(single.get(0) or ended), "model": index}
    return facts, [answers[index] for index in range(len(models))]


def run_worker(
    request: Answer, limit_s: float, command: Sequence[str] = ()
) -> tuple[Answer, dict[int, Answer], Answer]:
    """One worker process: its facts, its answers by model, and how it ended for those that got none."""
    process = subprocess.Popen(
        list(command) or [sys.executable, "-m", "profilers.worker"],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        env=worker_environment(int(request.get("threads", 1))),
        text=True,
        start_new_session=True,
    )
    try:
        output, errors = process.communicate(json.dumps(request), timeout=limit_s)
        ended = ending(process.returncode, errors)
    except subprocess.TimeoutExpired:
        kill(process)
        output, errors = process.communicate()
        ended = {"failure": "timeout", "detail": f"no answer within {limit_s:g} s"}
    except BaseException:
        kill(process)
        raise
    facts: Answer = {}
    answers: dict[int, Answer] = {}
    for line in output.splitlines():
        with suppress(ValueError):
            message = json.loads(line)
            if "model" in message:
                answers[int(message["model"])] = message
            else:
                facts = message
    return facts, answers, ended


def ending(returncode: int, errors: str) -> Answer:
    """How a worker that gave no answer ended, in a word and a line."""
    last = (errors.strip().splitlines() or [""])[-1][:300]
    if "MemoryError" in errors or "bad_alloc" in errors or returncode == -signal.SIGKILL:
        return {"failure": "out of memory", "detail": last or "killed by the system"}
    if returncode < 0:
        return {"failure": "crash", "detail": f"{signal.Signals(-returncode).name} {last}".strip()}
    return {"failure": "crash", "detail": last or f"exit code {returncode}"}


def kill(process: subprocess.Popen[str]) -> None:
    """End the worker and all that it started."""
    with suppress(ProcessLookupError, PermissionError):
        os.killpg(process.pid, signal.SIGKILL)


def worker_environment(threads: int) -> dict[str, str]:
    """This process's environment with thread pools kept small and this package on the path."""
    root = str(Path(__file__).resolve().parent.parent)
    path = os.environ.get("PYTHONPATH")
    return {
        **os.environ,
        "PYTHONPATH": root if not path else root + os.pathsep + path,
        "OMP_NUM_THREADS": str(threads),
        "PYTHONIOENCODING": "utf-8",
    }


@contextmanager
def host_lock(path: Path | None = None, wait_s: float = 600.0) -> Iterator[None]:
    """Let one measurement at a time run on this host; waits for its turn, TimeoutError after `wait_s`.

    Two measurements side by side would measure each other. Where the system has no file locks this does
    nothing.
    """
    try:
        import fcntl
    except ImportError:
        yield
        return
    handle = open_lock(path or Path(tempfile.gettempdir()) / "hwnas-one-measurement.lock")
    if handle is None:
        yield
        return
    try:
        deadline = time.monotonic() + wait_s
        while True:
            try:
                fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
                break
            except OSError:
                if time.monotonic() > deadline:
                    raise TimeoutError(f"another measurement holds {path} for {wait_s:g} s") from None
                time.sleep(0.05)
        yield
    finally:
        os.close(handle)


def open_lock(path: Path) -> int | None:
    """Open the lock file, made where there is none; None where this user may not.

    No link is followed and nothing is written: the name is known to everyone on the host. A file of another user
    is opened without O_CREAT, which systems refuse for it in a shared temporary folder.
    """
    no_link = getattr(os, "O_NOFOLLOW", 0)
    for _ in range(3):
        with suppress(FileNotFoundError):
            try:
                return os.open(path, os.O_RDONLY | no_link)
            except FileNotFoundError:
                raise
            except OSError:
                return None
        with suppress(FileExistsError):
            return os.open(path, os.O_RDONLY | os.O_CREAT | os.O_EXCL | no_link, 0o644)
    return None
