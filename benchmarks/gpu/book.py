"""What a part finds, written down at once: one JSON file per part, a record per piece of work."""

from __future__ import annotations

import json
import os
import time
import traceback
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

ATTEMPTS = 2
Record = dict[str, Any]


@dataclass(frozen=True, kw_only=True)
class Book:
    """The file of one part.

    ``facts`` go into every record: the place above all. ``until``: by time.monotonic.
    """

    path: Path
    facts: Record
    until: float
    left: list[str] = field(default_factory=list)


def read(path: Path) -> Record:
    """{"complete": bool, "records": [...]}; empty where nothing was written yet, or cannot be
    read."""
    try:
        found = json.loads(path.read_text(encoding="utf-8"))
        return (
            found if isinstance(found.get("records"), list) else {"complete": False, "records": []}
        )
    except (OSError, ValueError, AttributeError):
        return {"complete": False, "records": []}


def work(book: Book, name: str, make: Callable[[], Record]) -> Record | None:
    """Do a piece of work that was not done yet and write it down; an earlier call's record is
    handed back.

    Begun is written before it begins, so that one that takes the process with it is tried once
    more, not for ever. None where no time is left: the next call does it.
    """
    before = next((one for one in read(book.path)["records"] if one["name"] == name), {})
    if before.get("state") in ("done", "skipped"):
        return before
    attempts = before.get("attempts", 0) + 1
    if attempts > ATTEMPTS:
        return before
    if time.monotonic() >= book.until:
        book.left.append(name)
        return None
    start = {"name": name, **book.facts, "attempts": attempts}
    _put(book, {**start, "state": "begun"})
    began = time.monotonic()
    try:
        found: Record = {"state": "done", **make()}
    except Skip as reason:
        found = {"state": "skipped", "reason": str(reason)}
    except Exception as error:  # one piece of work, not the part
        where = traceback.extract_tb(error.__traceback__)[-1]
        said = " ".join(str(error).split())[:300]
        found = {
            "state": "failed",
            "error": f"{type(error).__name__}: {said} ({Path(where.filename).name}:{where.lineno})",
        }
    record = {**start, **found, "seconds": round(time.monotonic() - began, 3)}
    _put(book, record)
    print(f"  {name}: {line_of(record)}", flush=True)
    return record


class Skip(Exception):
    """A piece of work that can't be done here; says why in a line."""


def needs(*packages: str) -> None:
    """Raise Skip where one of the packages can't be imported."""
    import importlib

    for package in packages:
        try:
            importlib.import_module(package)
        except Exception as error:
            raise Skip(f"{package} cannot be imported here ({type(error).__name__})") from None


def line_of(record: Record) -> str:
    """A record in one line."""
    if record["state"] == "done":
        numbers = {
            key: value
            for key, value in record.items()
            if isinstance(value, float) and key != "seconds"
        }
        shown = [f"{key} {value:.4g}" for key, value in numbers.items()][:6]
        return ", ".join(shown) or "done"
    return f"{record['state']}: {record.get('reason') or record.get('error') or 'did not end'}"


def close(book: Book) -> None:
    """Say whether all work of the part is written down."""
    found = read(book.path)
    found["complete"] = not book.left and all(
        one["state"] in ("done", "skipped") or one["attempts"] >= ATTEMPTS
        for one in found["records"]
    )
    _write(book.path, found)


def _put(book: Book, record: Record) -> None:
    found = read(book.path)
    kept = [one for one in found["records"] if one["name"] != record["name"]]
    _write(book.path, {"complete": False, "records": [*kept, record]})


def _write(path: Path, found: Record) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    new = path.with_name(f".{path.name}.new")
    new.write_text(json.dumps(found, indent=1) + "\n", encoding="utf-8")
    os.replace(new, path)
