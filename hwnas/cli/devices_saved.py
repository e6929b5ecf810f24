"""A calibrated table in its place; the one that lay there is kept, and compared with it."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from hwnas.cli.outside import echo

if TYPE_CHECKING:
    from profilers.table import Table

MAPE_OF_HALF_INTERVAL = 0.49
"""A normal error's mean absolute value in half 90 % intervals: sqrt(2 / pi) / 1.645."""


@dataclass(frozen=True, kw_only=True)
class Error:
    """How far a table is off, in %, and in words: a MAPE, or half of its 90 % intervals."""

    percent: float
    words: str


def save_beside(table: Table, path: Path) -> None:
    """Write a table. One that lies there already is kept beside it, and that is said; also that
    the new one is coarser, where both say how far they are off."""
    from profilers.table import save

    if path.exists():
        before = path.with_name(f"{path.name}.before")
        coarser = _coarser(path, table)
        path.replace(before)
        echo(f"{path}: replaced{coarser}; the table that was there is {before.name} now", err=True)
    save(table, path)


def error_of(table: Table) -> Error | None:
    """How far a table is off; None where it does not say."""
    for name, of in (("held_out", "networks held out"), ("cross_validation", "cross-validated")):
        found = table.agreement.get(name, {}).get("mape_percent")
        if isinstance(found, int | float):
            return Error(percent=found, words=f"MAPE {found:.2f} % ({of})")
    half = table.agreement.get("few_networks", {}).get("half_interval_percent")
    if isinstance(half, int | float):
        return Error(percent=MAPE_OF_HALF_INTERVAL * half, words=f"+-{half:.0f} % (90 % intervals)")
    return None


def _coarser(path: Path, table: Table) -> str:
    """What to add where the new table is coarser than that at ``path``, else nothing."""
    from profilers.errors import InputError
    from profilers.table import load

    try:
        was = error_of(load(path))
    except InputError:  # no table: whatever lies there is kept all the same
        return ""
    now = error_of(table)
    if was is None or now is None or now.percent <= was.percent:
        return ""
    return f" by a coarser one, {now.words} instead of {was.words}"
