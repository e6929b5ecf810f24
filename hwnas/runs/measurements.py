"""What a run keeps of its measurements: every raw sample of its finalists, and the latency table
it searched by."""

from __future__ import annotations

import gzip
import json
import re
import zlib
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from hwnas import files
from hwnas.errors import quoted, translate_os_errors
from hwnas.runs.directory import Run, keeping_run
from profilers.errors import InputError
from profilers.limited import open_limited
from profilers.measurement import Outcome

MEASUREMENTS = "measurements.jsonl.gz"
TABLE = "latency-table.json"


def write_measurements(run: Run, found: Iterable[tuple[str, Outcome]]) -> None:
    """One JSON object per network (its key) and metric: `Measurement.to_dict` with raw samples,
    and failures."""
    lines = [
        json.dumps({"key": key, **_rounded(outcome)}, separators=(",", ":"))
        for key, outcome in found
    ]
    if lines:
        with keeping_run(run):
            files.replace(run.path / MEASUREMENTS, run.path, _packed(lines))


def write_profile(
    run: Run, target: str, rows: Iterable[tuple[Mapping[str, object], Outcome]]
) -> Path:
    """Replace profiles/TARGET.jsonl.gz: what was asked (key, node, times) and
    `Measurement.to_dict`, a line each.

    Raises InputError where the path leads out of the run, Stopped where the file system refuses.
    """
    path = run.path / "profiles" / (re.sub(r"[^\w.-]", "_", target) + ".jsonl.gz")
    lines = [
        json.dumps({**said, **_rounded(outcome)}, separators=(",", ":")) for said, outcome in rows
    ]
    with translate_os_errors(run.path, f"hwnas profile {quoted(run.path)} --targets {target}"):
        files.replace(path, run.path, _packed(lines))
    return path


def read_profile(path: Path) -> list[dict[str, Any]]:
    """What `write_profile` wrote, a mapping per line. Raises InputError for what is none."""
    try:
        files.reading(path, None).close()  # a FIFO or a device is refused before it is opened
        with open_limited(path) as file:
            return [json.loads(line) for line in file.read().decode().splitlines()]
    except InputError:
        raise
    except (OSError, EOFError, ValueError, zlib.error, RecursionError) as error:
        raise InputError(f"{path}: no measurements of hwnas profile ({error})") from None


def keep_table(run: Run, table: Path | None) -> None:
    """Copy the table into the run, so that a resumed search asks the same one."""
    if table is not None:
        with keeping_run(run):
            files.replace(run.path / TABLE, run.path, files.read(table, None))


def kept_table(run: Run) -> Path | None:
    """The table that the run began with, where it has one."""
    return run.path / TABLE if files.exists(run.path / TABLE, run.path) else None


def _rounded(outcome: Outcome) -> dict[str, object]:
    """Samples to the nanosecond that clocks have: a third of the size."""
    data = outcome.to_dict()
    for name in ("samples", "series"):
        if name in data:
            data[name] = _each_rounded(data[name])
    return data


def _each_rounded(value: Any) -> Any:
    if isinstance(value, list | tuple):
        return [round(one, 6) if type(one) is float else _each_rounded(one) for one in value]
    return value


def _packed(lines: list[str]) -> bytes:
    """Lines as one gzipped file: level 6 takes a tenth of the time of 9, and a twentieth more
    room."""
    return gzip.compress(("\n".join(lines) + "\n").encode(), 6, mtime=0)
