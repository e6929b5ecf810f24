"""A case from public bug reports or of a hostile file: what lies in a folder, what is typed
there, what has to come."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path


def _nothing(folder: Path) -> None:
    """Check or make nothing."""


@dataclass(frozen=True, kw_only=True)
class Case:
    """One row of the table that `test_cases.py` sweeps.

    `make` writes the input files into an empty folder, from the description of the case. `command`
    holds the words after `hwnas`, typed in that folder. `code` is the exit code. `says` must all be
    part of what is printed (standard output and error together), `never` must not. `check` looks at
    the folder afterwards and asserts what has to hold.
    """

    name: str
    command: tuple[str, ...]
    make: Callable[[Path], None] = _nothing
    code: int = 0
    says: tuple[str, ...] = ()
    never: tuple[str, ...] = ("Traceback",)
    check: Callable[[Path], None] = _nothing
