"""Run measurements in processes of their own, one at a time on a host, each with a time limit.

A model that crashes the runtime, hangs or takes all memory costs its own measurement and nothing
else. Standard library only: this file travels to remote hosts together with `worker.py`.
"""

from __future__ import annotations

import importlib.util
import json
import signal
import sys
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

from profilers.bounded import MIB, run_bounded
from profilers.children import child_environment, python_command
from profilers.lock import host_lock

Answer = dict[str, Any]
FILES = ("path", "weights", "expected")
"""What a model of a request names that is a file."""


def measure(
    request: Answer, limit_s: float, command: Sequence[str] = ()
) -> tuple[Answer, list[Answer]]:
    """Send one request to a fresh worker; returns the worker's facts and one answer per model.

    All models share a worker, so that they are measured in turn. If it dies, every model without an
    answer gets a worker of its own, and those that die again are answered with `failure` crash |
    timeout | out of memory. `limit_s` is for each model; the whole worker gets the sum.
    """
    with host_lock():
        return _measure(request, limit_s, command)


def ask(request: Answer, limit_s: float) -> Answer:
    """One answer about one model, in a process of its own, without waiting for a turn: nothing in
    it may be timed."""
    _, answers, ended = run_worker(request, limit_s)
    return answers.get(0) or {"model": 0, **ended}


def serve(folder: Path, command: Sequence[str]) -> None:
    """On a remote host: measure what `remote.py` unpacked into `folder` and print one line of
    JSON."""
    request = json.loads((folder / "request.json").read_text(encoding="utf-8"))
    packages = ("numpy", *request.get("packages", ("onnxruntime",)))
    missing = [name for name in packages if importlib.util.find_spec(name) is None]
    if missing:
        sys.stdout.write(
            json.dumps({"error": f"needs the Python packages {', '.join(missing)}"}) + "\n"
        )
        return
    for model in (*request["models"], request.get("reference") or {}):
        for key in FILES:
            if model.get(key):
                model[key] = str(folder / model[key])
    facts, answers = measure(request, float(request["limit_s"]), command)
    sys.stdout.write(json.dumps({"facts": facts, "answers": answers}) + "\n")


def _measure(
    request: Answer, limit_s: float, command: Sequence[str]
) -> tuple[Answer, list[Answer]]:
    models = request["models"]
    facts, answers, ended = run_worker(request, limit_s * len(models), command)
    if len(models) == 1:
        return facts, [answers.get(0) or {"model": 0, **ended}]
    for index in range(len(models)):
        if index not in answers:
            alone, single, ended = run_worker(
                {**request, "models": [models[index]]}, limit_s, command
            )
            facts = facts or alone
            answers[index] = {**(single.get(0) or ended), "model": index}
    return facts, [answers[index] for index in range(len(models))]


def run_worker(
    request: Answer, limit_s: float, command: Sequence[str] = ()
) -> tuple[Answer, dict[int, Answer], Answer]:
    """One worker process: its facts, its answers by model, and how it ended for those that got
    none."""
    done = run_bounded(
        list(command) or python_command("from profilers.worker import main; main()"),
        json.dumps(request).encode(),
        limit_s,
        most_output(request),
        env=worker_environment(int(request.get("threads", 1))),
        own_session=True,
    )
    if done.how == "timeout":
        ended: Answer = {"failure": "timeout", "detail": f"no answer within {limit_s:g} s"}
    elif done.how == "ended":
        ended = ending(done.returncode, done.errors.decode("utf-8", "replace"))
    else:
        ended = {"failure": "crash", "detail": f"{done.how} from the process"}
    facts: Answer = {}
    answers: dict[int, Answer] = {}
    for line in done.output.decode("utf-8", "replace").splitlines():
        with suppress(ValueError, RecursionError):
            message = json.loads(line)
            if not isinstance(message, dict):
                continue
            if isinstance(message.get("model"), int):
                answers[message["model"]] = message
            else:
                facts = message
    return facts, answers, ended


def most_output(request: Answer) -> int:
    """Bytes that the answers to a request can take at most: samples of ten microseconds, with
    room."""
    budget_s = float(request.get("protocol", {}).get("budget_s", 2.0))
    return int(16 * MIB * len(request["models"]) * max(1.0, budget_s / 2)) + MIB


def ending(returncode: int, errors: str) -> Answer:
    """How a worker that gave no answer ended, in a word and a line."""
    last = (errors.strip().splitlines() or [""])[-1][:300]
    if "MemoryError" in errors or "bad_alloc" in errors or returncode == -signal.SIGKILL:
        return {"failure": "out of memory", "detail": last or "killed by the system"}
    if returncode < 0:
        names = {one.value: one.name for one in signal.Signals}
        name = names.get(-returncode, f"signal {-returncode}")
        return {"failure": "crash", "detail": f"{name} {last}".strip()}
    return {"failure": "crash", "detail": last or f"exit code {returncode}"}


def worker_environment(threads: int) -> dict[str, str]:
    """This process's environment with thread pools kept small and this package on the path."""
    root = str(Path(__file__).resolve().parent.parent)
    return child_environment({"OMP_NUM_THREADS": str(threads), "PYTHONIOENCODING": "utf-8"}, root)
