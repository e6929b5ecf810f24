"""Architectures and latencies as CSV: what others measured comes in, what a table predicts goes
out."""

from __future__ import annotations

import csv
import math
import re
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt

from hwnas.costs.table_csv import Rows, numbers, read_rows
from hwnas.space.encoding import to_choices
from hwnas.space.genotype import Genotype
from hwnas.space.space import Choices, Space
from hwnas.space.text import parse
from profilers.errors import InputError, nearest

ARCH, LATENCY = "arch", "latency"
TO_MS = {"ms": 1.0, "us": 1e-3, "s": 1e3}
TO_MJ = {"mJ": 1.0, "uJ": 1e-3, "J": 1e3}
SCALES = {"latency": TO_MS, "energy": TO_MJ}
"""What a value of a table is multiplied with, by metric and unit."""


@dataclass(frozen=True, kw_only=True)
class Measured:
    """Networks with their latencies: texts (n), choices (n, edges), latency in ms (n,).

    ``blank``: rows without a latency; ``failed``: rows left out because their measurement had
    failed; ``unit`` and
    ``column``: what the latencies were read as and from, ``unit_in_column``: whether the column's
    name says it.
    """

    texts: tuple[str, ...]
    choices: Choices
    latency_ms: npt.NDArray[np.float64]
    blank: int
    failed: int = 0
    unit: str = "ms"
    column: str = LATENCY
    unit_in_column: bool = False


def read_measured(
    path: Path,
    space: Space,
    arch_column: str | None,
    latency_column: str | None,
    unit: str | None,
    skip_failed: bool = False,
    metric: str = "latency",
) -> Measured:
    """Read rows of (genotype, latency in `unit`). A blank or NaN latency is skipped and counted.

    Without a unit it is what the column's name ends in (`latency_us`, `time (s)`), or ms.

    Of the ``metric`` energy all is said in mJ.

    Without names the columns are `arch` and `latency`, or the only two that there are. A row whose
    latency is no positive number (OOM, -1, 0, inf) is a failed measurement: refused, or left out
    and counted with ``skip_failed``. Raises InputError that names the file, and the line where one
    row is at fault.
    """
    scales = SCALES[metric]
    if unit is not None and unit not in scales:
        raise InputError(f"unknown unit {unit!r} of {metric}{nearest(unit, scales)}")
    rows = read_rows(path)
    arch, latency = _columns(rows, arch_column, latency_column)
    named = unit_of(rows.header[latency])
    named = named if named in scales else None
    unit = unit or named or next(iter(scales))
    texts: list[str] = []
    choices: list[Choices] = []
    values: list[float] = []
    blank, failed = 0, 0
    cells = [row[latency] for _, row in rows.cells]
    for (line, row), value in zip(rows.cells, numbers(cells, rows), strict=True):
        where = f"{path}, line {line}, column {rows.header[latency]}"
        if value is None:
            blank += 1
            continue
        if fault := _fault(value):
            if not skip_failed:
                raise InputError(
                    f"{where}: {fault}; --skip-failed leaves out rows without a measurement"
                )
            failed += 1
            continue
        texts.append(row[arch])
        choices.append(_choices(row[arch], space, f"{path}, line {line}"))
        values.append(float(value) * scales[unit])
    if not values:
        raise InputError(f"{path}: no row with a latency in column {rows.header[latency]!r}")
    return Measured(
        texts=tuple(texts),
        choices=np.stack(choices),
        latency_ms=np.array(values),
        blank=blank,
        failed=failed,
        unit=unit,
        column=rows.header[latency],
        unit_in_column=named is not None,
    )


_JOULES = {unit.casefold(): unit for unit in TO_MJ}


def unit_of(column: str) -> str | None:
    """The unit that a column's name ends in, None where it ends in none."""
    end = re.search(
        r"(?:^|[\s_(\[/])(ms|us|\u00b5s|\u03bcs|s|sec|seconds|mj|uj|j)[)\]]?$",
        column.strip().casefold(),
    )
    if end is None:
        return None
    return {"\u00b5s": "us", "\u03bcs": "us", "sec": "s", "seconds": "s", **_JOULES}.get(
        end[1], end[1]
    )


def read_architectures(
    path: Path, space: Space, arch_column: str | None
) -> tuple[tuple[str, ...], Choices]:
    """Read genotypes: their texts (n) and choices (n, edges).

    Raises InputError as `read_measured` does.
    """
    rows = read_rows(path)
    named = [name for name in rows.header if name]
    column = rows.header.index(named[0]) if arch_column is None and len(named) == 1 else None
    if column is None:
        column = (
            _columns(rows, arch_column, None)[0]
            if len(named) == 2
            else rows.column(arch_column or ARCH)
        )
    found = [
        (row[column], _choices(row[column], space, f"{path}, line {line}"))
        for line, row in rows.cells
    ]
    if not found:
        raise InputError(f"{path}: no architectures")
    return tuple(text for text, _ in found), np.stack([choices for _, choices in found])


def write_predictions(
    path: Path,
    texts: tuple[str, ...],
    latency_ms: npt.NDArray[np.float64],
    interval: tuple[npt.NDArray[np.float64], npt.NDArray[np.float64]] | None = None,
) -> None:
    """Write columns `arch` and `latency_ms`, and with an interval its ends `low_ms` and `high_ms`.

    Seven digits: equal predictions stay equal.
    """
    columns = [latency_ms, *(interval or ())]
    try:
        with path.open("w", encoding="utf-8", newline="") as file:
            writer = csv.writer(file, lineterminator="\n")
            writer.writerow([ARCH, "latency_ms", "low_ms", "high_ms"][: 1 + len(columns)])
            writer.writerows(
                (text, *(f"{value:.7g}" for value in values))
                for text, *values in zip(texts, *columns, strict=True)
            )
    except OSError as error:
        raise InputError(f"{path}: cannot be written ({error.strerror})") from error


def _columns(rows: Rows, arch: str | None, latency: str | None) -> tuple[int, int]:
    """Positions of the architectures and of the latencies: as named, by their usual names, or
    the only two."""
    two = [position for position, name in enumerate(rows.header) if name]
    if len(two) != 2:
        return rows.column(arch or ARCH), rows.column(latency or LATENCY)
    known = [rows.header[position] for position in two]
    if arch is None and ARCH in known:
        arch = ARCH
    if latency is None and LATENCY in known:
        latency = LATENCY
    if arch is not None:
        first = rows.column(arch)
    elif latency is not None:
        first = next(position for position in two if position != rows.column(latency))
    else:
        # The one whose first cell is no number.
        cells = [rows.cells[0][1][position] if rows.cells else "" for position in two]
        first = two[0] if _is_no_number(cells[0], rows) else two[1]
    others = [position for position in two if position != first]
    return first, others[0] if latency is None else rows.column(latency)


def _is_no_number(cell: str, rows: Rows) -> bool:
    return isinstance(numbers([cell], rows)[0], str)


def _fault(value: float | str) -> str:
    """Why a cell is no latency, empty where it is one."""
    if isinstance(value, str):
        return f"{value[:40]!r} is not a number"
    if math.isfinite(value) and value > 0:
        return ""
    return f"a latency must be positive and finite, not {value:g}"


def _choices(text: str, space: Space, where: str) -> Choices:
    # Some write " + " between the nodes of a cell; there is no other place for blanks.
    plain = "".join(text.split()) if text.strip().startswith("|") else text
    try:
        genotype = parse(plain)
        if genotype.space != space.name:
            # Published text does not name its space, and a cell may be legal in two.
            genotype = Genotype(space.name, genotype.normal, genotype.reduce)
    except InputError as error:
        raise InputError(f"{where}: {error}") from None
    return to_choices(genotype)
