"""CSV as spreadsheets and scripts write it: the delimiter is found, decimal commas and blanks
are understood."""

from __future__ import annotations

import csv
import io
import re
import zlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import islice
from pathlib import Path

from profilers.errors import InputError, nearest
from profilers.limited import open_limited

MOST_ROWS = 1_000_000
LONGEST_LINE = 1_000_000
DELIMITERS = (",", ";", "\t")
LOOKED_AT = 20
"""Rows that tell the delimiter."""
BLANKS = frozenset(
    (
        *(
            "",
            "-",
            "--",
            "?",
            "#n/a",
            "#n/a n/a",
            "#na",
            "<na>",
            "n/a",
            "n.a.",
            "na",
            "nan",
            "-nan",
            "none",
        ),
        *("null", "1.#ind", "-1.#ind", "1.#qnan", "-1.#qnan"),
    )
)
"""What spreadsheets, pandas and people write for "nothing here"."""


@dataclass(frozen=True, kw_only=True)
class Rows:
    """A CSV file: its column names without blanks around them, and (line, cells) of every row."""

    path: Path
    delimiter: str
    header: tuple[str, ...]
    cells: tuple[tuple[int, list[str]], ...]

    def column(self, name: str) -> int:
        """The position of a column.

        Raises InputError with the nearest name where there is none, or two.
        """
        if self.header.count(name) == 1:
            return self.header.index(name)
        fault = "there is no column" if name not in self.header else "there are two columns"
        raise InputError(
            f"{self.path}: {fault} {name!r}{nearest(name, [one for one in self.header if one])}"
        )


def read_rows(path: Path) -> Rows:
    """Read a CSV file, plain or gzipped, in UTF-8; empty lines are passed over.

    Raises InputError.
    """
    try:
        with open_limited(path) as file:
            start = file.peek(1 << 16)[: 1 << 16].decode("utf-8-sig", errors="replace")
            delimiter = delimiter_of(start)
            text = io.TextIOWrapper(file, encoding="utf-8-sig", newline="")
            return _rows(path, text, delimiter)
    except (OSError, EOFError, zlib.error) as error:
        why = getattr(error, "strerror", None) or str(error)[:80]
        raise InputError(f"{path}: cannot be read ({why})") from None


def _rows(path: Path, text: io.TextIOWrapper, delimiter: str) -> Rows:
    reader = csv.reader(_lines(path, text), delimiter=delimiter, strict=True, skipinitialspace=True)
    header: tuple[str, ...] | None = None
    cells: list[tuple[int, list[str]]] = []
    try:
        for row in reader:
            if not row or (header is not None and not any(cell.strip() for cell in row)):
                continue
            if header is None:
                header = tuple(name.strip() for name in row)
                continue
            if len(cells) >= MOST_ROWS:
                raise InputError(f"{path}: more than {MOST_ROWS} rows")
            if not any(cell.strip() for cell in row[len(header) :]):
                row = row[: len(header)]
            if len(row) != len(header):
                raise InputError(f"{path}, line {reader.line_num}: expected {len(header)} columns")
            cells.append((reader.line_num, row))
    except (csv.Error, UnicodeDecodeError) as error:
        where = f"{path}, line {reader.line_num + 1}"
        raise InputError(f"{where}: not CSV in UTF-8 ({str(error)[:80]})") from None
    return Rows(path=path, delimiter=delimiter, header=header or (), cells=tuple(cells))


def _lines(path: Path, text: io.TextIOWrapper) -> Iterator[str]:
    number = 0
    while line := text.readline(LONGEST_LINE):
        number += 1
        if len(line) == LONGEST_LINE:
            raise InputError(f"{path}, line {number}: more than {LONGEST_LINE:,} characters")
        yield line


def delimiter_of(start: str) -> str:
    """The delimiter of a file that begins so: the first that gives every row as many cells as the
    header, two or more.

    A comma where none does.
    """
    lines = start.splitlines()
    # The last line may be cut off, unless it is all there is.
    lines = [line for line in lines[: max(1, len(lines) - 1)] if line.strip()][:LOOKED_AT]
    counts = {delimiter: _widths(lines, delimiter) for delimiter in DELIMITERS}
    for delimiter, widths in counts.items():
        if widths and widths[0] > 1 and len(set(widths)) == 1:
            return delimiter
    several = [delimiter for delimiter, widths in counts.items() if widths and widths[0] > 1]
    return several[0] if several else ","


def _widths(lines: Sequence[str], delimiter: str) -> list[int]:
    try:
        rows = csv.reader(lines, delimiter=delimiter, skipinitialspace=True)
        return [len(row) for row in islice(rows, LOOKED_AT)]
    except csv.Error:
        return []


def numbers(cells: Sequence[str], rows: Rows) -> list[float | str | None]:
    """A column as numbers: None for a blank, the text itself for what is no number.

    A decimal comma is read where the delimiter is another and no cell of the column has a decimal
    point. Raises InputError where both stand in one column.
    """
    texts = [cell.strip() for cell in cells]
    values = [
        text
        for text in texts
        if text.casefold() not in BLANKS and re.fullmatch(r"[-+0-9.,eE ]+", text)
    ]
    comma, point = (any(mark in value for value in values) for mark in (",", "."))
    if comma and point:
        raise InputError(f"{rows.path}: numbers with commas and with points in one column")
    if comma and rows.delimiter != ",":
        texts = [text.replace(",", ".") for text in texts]
    return [_number(text) for text in texts]


def _number(text: str) -> float | str | None:
    if text.casefold() in BLANKS:
        return None
    try:
        return float(text) if "_" not in text else text
    except ValueError:
        return text
