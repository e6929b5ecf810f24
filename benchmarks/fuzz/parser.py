"""One border: what a valid input looks like, and what reads it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

SOURCE = Path(__file__).parents[2]
Read = Callable[[bytes], object]


@dataclass(kw_only=True)
class Parser:
    """One border: what a valid input looks like, and what reads it."""

    name: str
    seeds: list[bytes]
    read: Read


def from_text(read: Callable[[str], object]) -> Read:
    """What reads a text, of any bytes."""
    return lambda data: read(data.decode("utf-8", "replace"))


def from_file(path: Path, read: Callable[[Path], object]) -> Read:
    """What reads a file, of its bytes, which are written to ``path`` first."""

    def call(data: bytes) -> object:
        path.write_bytes(data)
        return read(path)

    return call
