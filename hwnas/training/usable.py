"""Which of the files that were found can be read: all of them, or those that are left without
the broken ones."""

from __future__ import annotations

from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor

from hwnas.heard import counted
from hwnas.training.files import READERS
from hwnas.training.picture import upright
from hwnas.training.pixels import Unreadable
from hwnas.training.scan import Found
from profilers.errors import InputError


def usable(found: Found, skip_broken: bool) -> tuple[list[tuple[str, int]], tuple[str, ...]]:
    """Return (file, class index) of the files to read, and the lines about those that cannot be.

    Without `skip_broken` nothing is decoded here: what cannot be read ends the reading later.
    Raises `InputError` for a FIFO, a device or a link that leads nowhere at once.
    """
    lines = faults(found.irregular)
    if not skip_broken:
        if lines:
            raise Unreadable(lines[found.irregular[0]])
        return list(found.files), ()
    lines |= faults(file for file, _ in found.files)
    left = [item for item in found.files if item[0] not in lines]
    if not left:
        raise InputError(
            f"data folder {found.folder}: no file can be read; {next(iter(lines.values()))}"
        )
    return left, tuple(lines.values())


def faults(files: Iterable[str]) -> dict[str, str]:
    """Decode each file and return the line about every one that cannot be read."""
    with ThreadPoolExecutor(READERS) as pool:
        files = list(files)
        found = counted(pool.map(_fault, files), "image files tried", len(files))
        lines = zip(files, found, strict=True)
        return {file: line for file, line in lines if line is not None}


def _fault(path: str) -> str | None:
    try:
        with upright(path):
            return None
    except Unreadable as error:
        return str(error)
