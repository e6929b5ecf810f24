"""Pictures of charts and drawings, by vl-convert in a process of its own.

Its JavaScript engine reserves gigabytes of address space and ends the process where it gets none,
as under `ulimit -v`. A search must not end with it. The process is started at the first picture
and lives as long as this one.
"""

from __future__ import annotations

import atexit
import base64
import json
import signal
import subprocess
import threading
from contextlib import suppress
from functools import cache
from pathlib import Path
from typing import Any

from hwnas.errors import Stopped
from profilers.children import child_environment, python_command

LONGEST_S = 120.0
"""Seconds that one picture may take."""
_ROOT = str(Path(__file__).resolve().parents[2])
_ONE_AT_A_TIME = threading.Lock()


class RendererEnded(Stopped):
    """The process that draws has died; nothing else has."""


def vegalite_to_png(spec: dict[str, Any]) -> bytes:
    """A chart as PNG. Raises RendererEnded, and ValueError for what is no chart."""
    return _ask("vegalite_to_png", spec)


def vegalite_to_svg(spec: dict[str, Any]) -> str:
    """A chart as SVG. Raises RendererEnded, and ValueError for what is no chart."""
    return _ask("vegalite_to_svg", spec).decode()


def svg_to_png(svg: str, scale: float = 1.0) -> bytes:
    """A drawing as PNG, of `scale` pixels per unit. Raises RendererEnded, ValueError."""
    return _ask("svg_to_png", svg, scale=scale)


@cache
def javascript_bundle(snippet: str) -> str:
    """Vega, Vega-Lite and vega-embed as one script that ends with `snippet`.

    Raises RendererEnded.
    """
    return _ask("javascript_bundle", snippet).decode()


@cache
def _process() -> subprocess.Popen[str]:
    process = subprocess.Popen(
        python_command("from hwnas.report.render_worker import main; main()"),
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        encoding="utf-8",
        env=child_environment({"PYTHONIOENCODING": "utf-8"}, _ROOT),
        start_new_session=True,  # Ctrl-C is for the search; the end of its input ends this one
    )
    atexit.register(_end, process)
    return process


def _end(process: subprocess.Popen[str]) -> None:
    for stream in (process.stdin, process.stdout):
        with suppress(OSError):
            if stream is not None:
                stream.close()
    with suppress(subprocess.TimeoutExpired):
        process.wait(timeout=1)
    process.kill()
    process.wait()


def _ask(what: str, of: Any, **options: Any) -> bytes:
    request = json.dumps({"what": what, "of": of, "options": options}) + "\n"
    with _ONE_AT_A_TIME:
        # One that has died is not started again: it would die again.
        line = _line(request)
    if not line.endswith("\n"):
        raise RendererEnded(_why())
    answer = json.loads(line)
    if "error" in answer:
        raise ValueError(str(answer["error"]))
    return base64.b64decode(answer["value"])


def _line(request: str) -> str:
    """The answer to a request; without an end of the line where the process has died."""
    try:
        process = _process()
        assert process.stdin and process.stdout
        timer = threading.Timer(LONGEST_S, process.kill)
        timer.daemon = True
        timer.start()
        try:
            process.stdin.write(request)
            process.stdin.flush()
            return process.stdout.readline()
        finally:
            timer.cancel()
    except (OSError, ValueError):  # it is gone, could not be started, or its pipe was closed
        return ""


def _why() -> str:
    advice = "where `ulimit -v` limits memory, lift it: charts reserve tens of GiB of addresses"
    try:
        code = _process().wait(timeout=5)
    except (OSError, subprocess.TimeoutExpired):
        return f"charts can't be drawn: their process could not be started; {advice}"
    ended = f"signal {signal.Signals(-code).name}" if code < 0 else f"exit code {code}"
    return f"charts can't be drawn: their process ended with {ended}; {advice}"
