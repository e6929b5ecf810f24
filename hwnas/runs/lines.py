"""Append-only files of a run: one JSON object per line, of which a dying process may have torn
the last."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from dataclasses import asdict, fields
from pathlib import Path
from typing import Any

from hwnas import files
from hwnas.runs.directory import Run, keeping_run
from profilers.errors import InputError

MAX_LINE_BYTES = 4_000_000


def append_lines(run: Run, path: Path, records: Iterable[Any]) -> None:
    """Add dataclasses to an append-only file of the run, one JSON object per line.

    Raises Stopped where the file system refuses.
    """
    lines = "".join(json.dumps(_said(record), separators=(",", ":")) + "\n" for record in records)
    with keeping_run(run):
        files.append(path, run.path, lines.encode())


def _said(record: Any) -> dict[str, Any]:
    """The fields of a record, without those that say nothing and may be left out."""
    unsaid = {field.name for field in fields(record) if field.default is None}
    return {
        name: value
        for name, value in asdict(record).items()
        if value is not None or name not in unsaid
    }


def whole_lines(run: Run, path: Path) -> Iterator[bytes]:
    """The lines of an append-only file of the run, none where there is no file.

    A last one without an end was torn by a dying process and is passed over. Raises InputError for
    a line that is longer than any of ours.
    """
    if not files.exists(path, run.path):
        return
    with files.reading(path, run.path) as file:
        while line := file.readline(MAX_LINE_BYTES):
            if len(line) == MAX_LINE_BYTES:
                raise InputError(f"{path}: a line of more than {MAX_LINE_BYTES} bytes")
            if line.endswith(b"\n"):
                yield line


def no_number(text: str) -> float:
    """NaN and Infinity, which JSON does not have."""
    raise ValueError(text)
