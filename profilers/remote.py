"""Measure on another machine that has Python, numpy and the runtime, and nothing of ours.

One Python file (a zipapp of `worker.py`, `isolate.py` and the sampling protocol: the same code that
measures here) and the models' files travel through the standard input of one command; one line of
JSON with the raw samples comes back. Nothing stays behind there.
"""

from __future__ import annotations

import io
import json
import re
import shlex
import tarfile
import zipfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from profilers.answers import Answer, read_answers
from profilers.bounded import MIB, MOST_ERRORS, Ended, run_bounded
from profilers.children import WITHOUT_CURRENT_FOLDER
from profilers.errors import InputError
from profilers.isolate import FILES, most_output
from profilers.onnx_latency import Measure

TRAVELS = (
    "host.py",
    "robust.py",
    "timing.py",
    "opened.py",
    "session.py",
    "session_openvino.py",
    "session_ncnn.py",
    "session_litert.py",
    "worker.py",
    "isolate.py",
    "bounded.py",
    "children.py",
    "lock.py",
)
_MAIN = """import sys
from pathlib import Path
if sys.argv[1] == "worker":
    from profilers.worker import main
    main()
else:
    from profilers.isolate import serve
    serve(Path(sys.argv[1]), [sys.executable, sys.argv[0], "worker"])
"""
_BOOT = WITHOUT_CURRENT_FOLDER + (
    "import subprocess,sys,tarfile,tempfile\n"
    "with tempfile.TemporaryDirectory() as folder:\n"
    "    tarfile.open(fileobj=sys.stdin.buffer,mode='r|gz').extractall(folder)\n"
    "    run=[sys.executable,folder+'/hwnas.pyz',folder]\n"
    "    sys.exit(subprocess.call(run,stdin=subprocess.DEVNULL))\n"
)


@dataclass(frozen=True, kw_only=True)
class Transport:
    """A command that, given one more argument, runs it as a shell line on the other machine.

    Standard input and output are passed through, as `ssh user@host`, `docker exec -i box sh -c`
    and, for this machine, `sh -c` do. `python` is the interpreter's name there; 3.9 or later.
    """

    command: tuple[str, ...]
    python: str = "python3"
    wait_s: float = 60.0


def run_with(command: str, python: str = "python3") -> Transport:
    """The transport of `--run-with COMMAND`.

    Raises InputError for a command that cannot be split.
    """
    try:
        words = shlex.split(command)
    except ValueError as error:
        raise InputError(f"--run-with: {error}: {command[:80]!r}") from None
    if not words:
        raise InputError("--run-with: the command is empty")
    return Transport(command=tuple(words), python=python)


def ssh(address: str, python: str = "python3") -> Transport:
    """The transport of `--ssh user@host`.

    Raises InputError for what is no address (an option, say).
    """
    if not re.fullmatch(r"[A-Za-z0-9_][A-Za-z0-9_.@:%\[\]-]{0,250}", address):
        raise InputError(f"--ssh: expected user@host, not {address[:80]!r}")
    return Transport(command=("ssh", "-o", "BatchMode=yes", "--", address), python=python)


def remote(transport: Transport) -> Measure:
    """What `measure_latency(..., run=remote(transport))` needs to measure there instead of here.

    Raises InputError when the other machine cannot be reached or lacks what is needed.
    """

    def measure(request: Answer, limit_s: float) -> tuple[Answer, list[Answer]]:
        line = shlex.join([transport.python, "-c", _BOOT])
        models = len(request["models"])
        # Models that die get a second worker each, so twice the time, and the way there and back.
        wait_s = transport.wait_s + 2 * limit_s * models
        most = most_output(request)
        try:
            done = run_bounded([*transport.command, line], parcel(request, limit_s), wait_s, most)
        except (OSError, ValueError) as error:  # ValueError: a zero byte in the command
            raise InputError(
                f"{transport.command[0]}: {getattr(error, 'strerror', None) or error}"
            ) from None
        if done.how == "timeout":
            raise InputError(f"{shown(transport)}: no answer within {wait_s:g} s")
        if done.how != "ended":
            raise InputError(
                f"{shown(transport)}: {done.how}: more than"
                f" {(most if done.how == 'too much output' else MOST_ERRORS) / MIB:,.0f} MiB"
            )
        facts, answers = unpack(transport, done)
        kind = request.get("measure", "latency")
        return read_answers(facts, answers, models, kind, shown(transport))

    return measure


def unpack(transport: Transport, done: Ended) -> tuple[object, object]:
    """Facts and answers of the one line that comes back, or InputError with what the other side
    said last."""
    lines = done.output.decode("utf-8", "replace").strip().splitlines()
    errors = done.errors.decode("utf-8", "replace").strip().splitlines()
    last = (errors or [f"exit code {done.returncode}"])[-1]
    try:
        answer = json.loads(lines[-1]) if lines else None
    except (ValueError, RecursionError):
        answer = None
    if isinstance(answer, dict) and "error" in answer:
        raise InputError(f"{shown(transport)}: {str(answer['error'])[:200]}")
    if isinstance(answer, dict) and "answers" in answer:
        return answer.get("facts"), answer["answers"]
    raise InputError(f"{shown(transport)}: no measurement came back: {last[:200]}")


def shown(transport: Transport) -> str:
    """The command for a message."""
    return shlex.join(transport.command)[:100]


def parcel(request: Answer, limit_s: float) -> bytes:
    """A gzipped tar: hwnas.pyz, request.json with the files' names there, and the models' files."""
    files: dict[str, bytes] = {}

    def sent(model: Answer, name: str) -> Answer:
        there = dict(model)
        for key in FILES:
            if model.get(key):
                path = Path(model[key])
                there[key] = f"{name}{path.suffix}"
                files[there[key]] = path.read_bytes()
        return there

    models = [sent(model, f"model{index}") for index, model in enumerate(request["models"])]
    there = {**request, "models": models, "limit_s": limit_s}
    if request.get("reference"):
        there["reference"] = sent(request["reference"], "reference")
    files |= {"hwnas.pyz": zipapp(), "request.json": json.dumps(there).encode()}
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w:gz") as tar:
        for name, content in files.items():
            entry = tarfile.TarInfo(name)
            entry.size = len(content)
            tar.addfile(entry, io.BytesIO(content))
    return buffer.getvalue()


def zipapp(files: Sequence[str] = TRAVELS) -> bytes:
    """The one Python file that travels: about 30 KB of sources."""
    here = Path(__file__).resolve().parent
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("__main__.py", _MAIN)
        archive.writestr("profilers/__init__.py", "")
        for name in files:
            archive.writestr(f"profilers/{name}", (here / name).read_text(encoding="utf-8"))
    return buffer.getvalue()
