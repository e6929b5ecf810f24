"""The most of a few minutes on a machine with a GPU, where little more than torch is installed and
no network is.

    python -m benchmarks.gpu --minutes 8 --out DIR

Run it at the root of a checkout. Parts run in the order of their importance, each in a process of
its own, so that a crash or a hang costs that part. What they find is in DIR/PART.json at once; a
second call goes on where the first ended. At the end of each call stand DIR/gpu.json and
DIR/gpu.md, the page for docs/evidence. Needed: Python 3.10, torch, numpy, safetensors; what needs
more (onnx, onnxruntime, pytest, pydantic ...) is skipped with a line. Pure Python packages can be
carried along: ``--wheels FOLDER`` (benchmarks/gpu/wheels.txt).

Without a GPU everything runs at tiny sizes on the pretended one of the tests, in two to three
minutes, and every result says so.
"""

from __future__ import annotations

import argparse
import importlib
import os
import subprocess
import sys
import time
import zipfile
from pathlib import Path

PARTS = {
    "doctor": 0.6,
    "agree": 1.2,
    "steps": 3.4,
    "latency": 1.4,
    "layouts": 0.8,
    "processes": 0.6,
}
"""Shares of the time, in the order of their importance; what a part leaves over goes to those
after it."""
LEAST_S = 5.0
START_S, START_SHARE = 15.0, 0.2
"""Of a part's limit so many seconds, or that share where it is less, are kept for starting and
for ending in order."""


def main() -> None:
    """Run all parts that are not complete, or the one part that a process of ours was started
    for."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--minutes", type=float, default=8.0, help="for all parts together")
    parser.add_argument("--out", type=Path, required=True, help="folder of the results")
    parser.add_argument("--wheels", type=Path, help="folder of pure Python wheels")
    parser.add_argument(
        "--only", choices=PARTS, action="append", help="a part; can be given several times"
    )
    parser.add_argument("--part", choices=PARTS, help=argparse.SUPPRESS)
    parser.add_argument("--seconds", type=float, default=0.0, help=argparse.SUPPRESS)
    options = parser.parse_args()
    options.out.mkdir(parents=True, exist_ok=True)
    if options.part:
        _one(options.part, options.out, options.seconds)
    else:
        _all(options)


def _all(options: argparse.Namespace) -> None:
    from benchmarks.gpu import page
    from benchmarks.gpu.book import read

    until = time.monotonic() + 60 * options.minutes
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(_path(options))}
    notes = []
    open_parts = [
        part for part in options.only or PARTS if not read(options.out / f"{part}.json")["complete"]
    ]
    for number, part in enumerate(open_parts):
        left = until - time.monotonic()
        limit = left * PARTS[part] / sum(PARTS[one] for one in open_parts[number:])
        if limit < LEAST_S:
            notes.append(f"{part}: no time was left; the same command goes on.")
            continue
        print(f"{part}: at most {limit:.0f} s", flush=True)
        said = _started(part, options.out, limit, environment)
        if said:
            notes.append(f"{part}: {said}")
            print(f"  {said}", flush=True)
        page.write(options.out, list(PARTS), notes)
    written = page.write(options.out, list(PARTS), notes)
    print(f"{written}; the same command goes on with what is not complete")


def _started(part: str, out: Path, limit: float, environment: dict[str, str]) -> str:
    """Run a part in a process; what went wrong with it, or ""."""
    soft = limit - min(START_S, START_SHARE * limit)
    command = [
        sys.executable,
        "-m",
        "benchmarks.gpu",
        "--out",
        str(out),
        "--part",
        part,
        "--seconds",
        f"{soft:.1f}",
    ]
    process = subprocess.Popen(command, env=environment, start_new_session=True)
    try:
        code = process.wait(timeout=limit)
    except subprocess.TimeoutExpired:
        _end(process)
        return f"ended after its {limit:.0f} s; what it had found is kept"
    except KeyboardInterrupt:
        _end(process)
        raise
    return f"ended with exit code {code}; what it had found is kept" if code else ""


def _end(process: subprocess.Popen[bytes]) -> None:
    """End a part and the processes that it has started."""
    import signal

    os.killpg(process.pid, signal.SIGKILL)
    process.wait()


def _path(options: argparse.Namespace) -> list[str]:
    """Where the parts find packages: this checkout, the carried wheels, and what the user has
    named."""
    found = [str(Path.cwd())]
    if options.wheels is not None:
        for wheel in sorted(options.wheels.glob("*-none-any.whl")):
            to = options.out / "wheels" / wheel.stem
            if not to.exists():
                with zipfile.ZipFile(wheel) as archive:
                    archive.extractall(to)
            found.append(str(to.resolve()))
    return [*found, *filter(None, [os.environ.get("PYTHONPATH", "")])]


def _one(part: str, out: Path, seconds: float) -> None:
    from benchmarks.gpu.book import Book, close
    from benchmarks.gpu.place import here

    until = time.monotonic() + seconds
    with here() as place:
        facts = {"place": place.name, "tiny": place.tiny}
        book = Book(path=out / f"{part}.json", facts=facts, until=until)
        importlib.import_module(f"benchmarks.gpu.{part}").run(book, place)
        close(book)


if __name__ == "__main__":
    main()
