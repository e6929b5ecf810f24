"""Commands in surroundings of any kind, each in a process of its own: a server that has loaded all
modules once forks for each, which takes a tenth of a start.

    python -m tests.cli.surroundings < cases > answers

A case is a line of JSON: {"words", "folder", "env", "limits", "stdout", "fresh"}; the
answer to it is {"code", "out", "err"}. ``fresh``: begin a new Python, which meets the limits and
the language from its first line on.
"""

from __future__ import annotations

import json
import os
import resource
import select
import signal
import sys
import traceback
from pathlib import Path
from typing import Any

SECONDS = 300


def main() -> None:
    """Answer case by case."""
    import torch

    import hwnas.export.selection
    import hwnas.report.page
    import hwnas.search.search
    import hwnas.training.finalists  # noqa: F401
    from hwnas.cli import main as hwnas_main

    torch.set_num_threads(1)
    for line in sys.stdin:
        case = json.loads(line)
        # Pipes, since a limit of files would hold for files that take the output, too.
        (from_out, out), (from_err, err) = os.pipe(), os.pipe()
        child = os.fork()
        if child == 0:
            _run(case, out, err, hwnas_main)
        os.close(out)
        os.close(err)
        code, texts = _collected(child, [from_out, from_err])
        print(json.dumps({"code": code, "out": texts[0], "err": texts[1]}), flush=True)


def _collected(child: int, pipes: list[int]) -> tuple[int, list[str]]:
    """The exit code of a child and what it has written, though what it started may live on."""
    texts = dict.fromkeys(pipes, b"")
    code: int | None = None
    pending = list(pipes)
    while pending:
        ready, _, _ = select.select(pending, [], [], 0.05)
        for pipe in ready:
            data = os.read(pipe, 1 << 16)
            texts[pipe] += data
            if not data:
                pending.remove(pipe)
        if code is None:
            number, status = os.waitpid(child, os.WNOHANG)
            code = os.waitstatus_to_exitcode(status) if number else None
        elif not ready:
            break
    if code is None:
        code = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
    for pipe in pipes:
        os.close(pipe)
    return code, [texts[pipe].decode("utf-8", "backslashreplace") for pipe in pipes]


def _run(case: dict[str, Any], out: int, err: int, command: Any) -> None:
    code: object = 1
    signal.alarm(SECONDS)
    try:
        _surround(case, out, err)
        words = case["words"]
        if case.get("fresh"):
            os.execv(sys.executable, [sys.executable, "-m", "hwnas", *words])
        sys.argv = ["hwnas", *words]
        command()
    except SystemExit as end:
        code = end.code
    except BaseException:
        traceback.print_exc()
    finally:
        try:
            sys.stderr.flush()
        finally:
            os._exit(code if isinstance(code, int) else 0)


def _surround(case: dict[str, Any], out: int, err: int) -> None:
    os.chdir(case["folder"])
    for name, value in case.get("env", {}).items():
        os.environ.pop(name, None)
        if value is not None:
            os.environ[name] = value
    where = case.get("stdout", "")
    if where == "full":
        out = os.open("/dev/full", os.O_WRONLY)
    elif where == "gone":
        reader, out = os.pipe()
        os.close(reader)
    os.dup2(os.open(os.devnull, os.O_RDONLY), 0)
    os.dup2(out, 1)
    os.dup2(err, 2)
    if where == "closed":
        os.close(1)
        sys.stdout = None
    for name, most in case.get("limits", {}).items():
        if name == "FSIZE":
            signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
        kind = getattr(resource, f"RLIMIT_{name}")
        resource.setrlimit(kind, (most, most))


PROJECT = Path(__file__).parents[2]

if __name__ == "__main__":
    main()
