"""Architectures and latencies as CSV: what others measured comes in, what a table predicts goes out."""

from __future__ import annotations

import csv
import gzip
import math
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt

from hwnas.space.encoding import to_choices
from hwnas.space.genotype import Genotype
from hwnas.space.space import Choices, Space
from hwnas.space.text import parse
from profilers.errors import InputError, nearest

ARCH, LATENCY = "arch", "latency"
MOST_ROWS = 1_000_000
TO_MS = {"ms": 1.0, "us": 1e-3, "s": 1e3}


@dataclass(frozen=True)
class Measured:
    """Networks with their latencies: texts (n), choices (n, edges), latency in ms (n,), and how many rows had
    none."""

    texts: tuple[str, ...]
    choices: Choices
    latency_ms: npt.NDArray[np.float64]
    blank: int


def read_measured(
    path: Path, space: Space, arch_column: str | None, latency_column: str | None, unit: str
) -> Measured:
    """Read rows of (genotype, latency in `unit`). A blank or NaN latency is skipped and counted.

    Without names the columns are `arch` and `latency`, or `arch` and the only other one. Raises InputError
    that names the file, and the line where one row is at fault.
    """
    if unit not in TO_MS:
        raise InputError(f"unknown unit {unit!r}{nearest(unit, TO_MS)}")
    texts: list[str] = []
    choices: list[Choices] = []
    values: list[float] = []
    blank = 0
    with _Reader(path) as reader:
        arch = reader.column(arch_column, ARCH)
        latency = reader.other_column(arch, latency_column)
        for line, row in reader.rows():
            value = _latency(row[latency], f"{path}, line {line}, column {latency}")
            if value is None:
                blank += 1
                continue
            texts.append(row[arch])
            choices.append(_choices(row[arch], space, f"{path}, line {line}"))
            values.append(value * TO_MS[unit])
    if not values:
        raise InputError(f"{path}: no row with a latency")
    return Measured(tuple(texts), np.stack(choices), np.array(values), blank)


def read_architectures(path: Path, space: Space, arch_column: str | None) -> tuple[tuple[str, ...], Choices]:
    """Read genotypes: their texts (n) and choices (n, edges). Raises InputError as `read_measured` does."""
    with _Reader(path) as reader:
        arch = reader.column(arch_column, ARCH)
        rows = [
            (row[arch], _choices(row[arch], space, f"{path}, line {line}")) for line, row in reader.rows()
        ]
    if not rows:
        raise InputError(f"{path}: no architectures")
    return tuple(text for text, _ in rows), np.stack([choices for _, choices in rows])


def write_predictions(path: Path, texts: tuple[str, ...], latency_ms: npt.NDArray[np.float64]) -> None:
    """Write columns `arch` and `latency_ms`, seven digits: equal predictions stay equal."""
    try:
        with path.open("w", encoding="utf-8", newline="") as file:
            writer = csv.writer(file, lineterminator="\n")
            writer.writerow([ARCH, "latency_ms"])
            writer.writerows((text, f"{value:.7g}") for text, value in zip(texts, latency_ms, strict=True))
    except OSError as error:
        raise InputError(f"{path}: cannot be written ({error.strerror})") from error


class _Reader:
    """A CSV file, plain or gzipped, with its header checked."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def __enter__(self) -> _Reader:
        try:
            opener = gzip.open if self.path.suffix == ".gz" else open
            self._file = opener(self.path, "rt", encoding="utf-8-sig", newline="")
        except OSError as error:
            raise InputError(f"{self.path}: cannot be read ({error.strerror})") from error
        self._csv = csv.DictReader(self._file, strict=True)
        try:
            self.header = list(self._csv.fieldnames or ())
        except (csv.Error, UnicodeDecodeError, OSError, EOFError) as error:
            self._file.close()
            raise InputError(f"{self.path}: not a CSV file in UTF-8 ({str(error)[:80]})") from None
        return self

    def __exit__(self, *_: object) -> None:
        self._file.close()

    def column(self, wanted: str | None, default: str) -> str:
        """The column that is wanted, or the default where none is."""
        name = default if wanted is None else wanted
        if self.header.count(name) == 1:
            return name
        fault = "there is no column" if name not in self.header else "there are two columns"
        raise InputError(f"{self.path}: {fault} {name!r}{nearest(name, self.header)}")

    def other_column(self, arch: str, wanted: str | None) -> str:
        """The latency column: the one that is wanted, `latency`, or the only one beside the architecture."""
        others = [name for name in self.header if name != arch]
        if wanted is None and len(others) == 1:
            return others[0]
        return self.column(wanted, LATENCY)

    def rows(self) -> Iterator[tuple[int, dict[str, str]]]:
        """Line numbers as an editor counts them, and cells by column."""
        try:
            for number, row in enumerate(self._csv):
                if number >= MOST_ROWS:
                    raise InputError(f"{self.path}: more than {MOST_ROWS} rows")
                if None in row or None in row.values():
                    raise InputError(
                        f"{self.path}, line {self._csv.line_num}: expected {len(self.header)} columns"
                    )
                yield self._csv.line_num, row
        except (csv.Error, UnicodeDecodeError, OSError, EOFError) as error:
            where = f"{self.path}, line {self._csv.line_num + 1}"
            raise InputError(f"{where}: not CSV in UTF-8 ({str(error)[:80]})") from None


def _latency(cell: str, where: str) -> float | None:
    text = cell.strip()
    if not text or text.casefold() in ("nan", "na", "none", "null"):
        return None
    try:
        value = float(text)
    except ValueError:
        raise InputError(f"{where}: {text[:40]!r} is not a number") from None
    if not (math.isfinite(value) and value > 0):
        raise InputError(f"{where}: a latency must be positive and finite, not {text[:40]}")
    return value


def _choices(text: str, space: Space, where: str) -> Choices:
    try:
        genotype = parse(text)
        if genotype.space != space.name:
            # Published text does not name its space, and a cell may be legal in two.
            genotype = Genotype(space.name, genotype.normal, genotype.reduce)
    except InputError as error:
        raise InputError(f"{where}: {error}") from None
    return to_choices(genotype)
