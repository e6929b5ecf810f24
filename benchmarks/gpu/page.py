"""The JSON file and the page of all parts: for docs/evidence/gpu.md where it was a GPU."""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

from benchmarks.gpu.book import Record, line_of, read

COLUMNS = {
    "ms": "ms per step",
    "kernels": "kernels",
    "launches": "launches",
    "synchronisations": "waits",
    "copies": "copies in",
    "busy_share": "GPU busy",
    "peak_mib": "peak MiB",
    "epoch_s": "epoch, s (extrapolated)",
}


def write(out: Path, parts: Sequence[str], notes: Sequence[str]) -> Path:
    """gpu.json and gpu.md in ``out``, from what the parts have left there."""
    found = {part: read(out / f"{part}.json") for part in parts}
    (out / "gpu.json").write_text(
        json.dumps({"notes": list(notes), "parts": found}, indent=1) + "\n"
    )
    page = out / "gpu.md"
    page.write_text("\n".join(_lines(found, notes)) + "\n", encoding="utf-8")
    return page


def _lines(found: dict[str, Record], notes: Sequence[str]) -> Iterable[str]:
    records = [one for part in found.values() for one in part["records"]]
    places = list(dict.fromkeys(one["place"] for one in records)) or ["nothing was run"]
    tiny = any(one.get("tiny") for one in records)
    yield "# What a few minutes on a GPU say"
    yield ""
    yield f"On: {', '.join(places)}."
    if tiny:
        yield ""
        yield "**A rehearsal at tiny sizes without a GPU: no time on this page is a GPU's.**"
    for note in notes:
        yield ""
        yield note
    for part, content in found.items():
        yield ""
        yield f"## {part}" + ("" if content["complete"] else " (not complete)")
        yield ""
        yield from _steps(content["records"]) if part == "steps" else _list(content["records"])


def _list(records: Sequence[Record]) -> Iterable[str]:
    for one in records:
        yield f"- {one['name']}: {_said(one)}"


def _said(record: Record) -> str:
    if record["state"] != "done":
        return line_of(record)
    hidden = {"name", "state", "attempts", "seconds", "place", "tiny", "receipt", "low", "high"}
    return (
        "; ".join(f"{key} {_value(value)}" for key, value in record.items() if key not in hidden)
        or "done"
    )


def _value(value: Any) -> str:
    if isinstance(value, float):
        return f"{value:.4g}"
    if isinstance(value, dict):
        return ", ".join(f"{key}: {_value(one)}" for key, one in value.items())
    if isinstance(value, list):
        return ", ".join(_value(one) for one in value)
    return str(value)


def _steps(records: Sequence[Record]) -> Iterable[str]:
    steps = [one for one in records if one["state"] == "done" and "role" in one]
    columns = [key for key in COLUMNS if any(key in one for one in steps)]
    yield "| kind of step | " + " | ".join(COLUMNS[key] for key in columns) + " |"
    yield "| --- |" + " ---: |" * len(columns)
    for one in steps:
        yield f"| {one['name']} | " + " | ".join(_value(one.get(key, "")) for key in columns) + " |"
    yield ""
    yield from _list([one for one in records if one not in steps])
