"""All that the command line prints: text from outside reaches a terminal with escapes, and never as
markup.

Names, paths, notes and units come from files that other people made. Nothing else in this package
prints.
"""

from __future__ import annotations

import json as json_module
import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import TYPE_CHECKING, Any

from profilers.errors import shown, visible

__all__ = [
    "answers",
    "console",
    "echo",
    "echo_json",
    "has_colours",
    "print_table",
    "shown",
    "table",
]

if TYPE_CHECKING:
    from rich.console import Console
    from rich.table import Table


_ANSWERS: ContextVar[list[Any] | None] = ContextVar("answers", default=None)


@contextmanager
def answers() -> Iterator[list[Any]]:
    """For callers in Python: the values that `echo_json` is given meanwhile, in place of a print;
    nothing goes to standard output. Progress and warnings do go to standard error."""
    found: list[Any] = []
    token = _ANSWERS.set(found)
    try:
        yield found
    finally:
        _ANSWERS.reset(token)


COLOURS = {
    "note": "\x1b[1;33m",
    "warning": "\x1b[1;31m",
    "error": "\x1b[1;31m",
    "next": "\x1b[1;36m",
    "result": "\x1b[1m",
    "step": "\x1b[2m",
}
"""How each kind of line looks at a terminal that has colours; of `next` the word alone."""
_PLAIN = "\x1b[0m"


def echo(text: str, err: bool = False, kind: str = "") -> None:
    """Print one line; `err`: to standard error. `kind`: one of `COLOURS`, where the line does not
    begin with it.

    What a terminal would obey is escaped, ends of lines too.
    """
    if not err and _ANSWERS.get() is not None:
        return
    stream = sys.stderr if err else sys.stdout
    encoding = getattr(stream, "encoding", None) or "utf-8"
    # A terminal of ASCII is given escapes as well.
    line = visible(text).encode(encoding, "backslashreplace").decode(encoding)
    print(_coloured(line, kind) if has_colours(stream) else line, file=stream)


def has_colours(stream: Any) -> bool:
    """Whether a stream is a terminal that shows colours, and its user wants them (no-color.org)."""
    if os.environ.get("NO_COLOR") or os.environ.get("TERM") == "dumb":
        return False
    return bool(stream.isatty())


def _coloured(line: str, kind: str) -> str:
    word, colon, rest = line.partition(":")
    kind = kind or (word if colon and word in COLOURS else "")
    if kind == "next" and word == kind:
        return f"{COLOURS[kind]}{word}:{_PLAIN}{rest}"
    return f"{COLOURS[kind]}{line}{_PLAIN}" if kind else line


def echo_json(value: Any) -> None:
    """Print JSON of ASCII characters that are all to be seen."""
    found = _ANSWERS.get()
    if found is not None:
        # As whoever reads the text would have it: lists for tuples, texts for paths.
        found.append(json_module.loads(json_module.dumps(value, default=str)))
        return
    print(json_module.dumps(value, default=str).replace("\x7f", "\\u007f"))


def console(stderr: bool = False) -> Console:
    """A console that takes text for text: no markup, no emoji, nothing highlighted."""
    from rich.console import Console
    from rich.text import Text

    class Plain(Console):
        """Also a title or a header that forgot to escape its parts is harmless."""

        def render_str(self, text: str, **how: Any) -> Text:
            """The text with escapes; its lines are kept."""
            return super().render_str("\n".join(visible(line) for line in text.split("\n")), **how)

    return Plain(stderr=stderr, markup=False, emoji=False, highlight=False)


def table(**how: Any) -> Table:
    """A table for `console` whose cells are escaped."""
    from rich.table import Table

    class Cells(Table):
        """Cells from outside."""

        def add_row(self, *cells: Any, **row: Any) -> None:
            """A row; an end of a line in a text is escaped too."""
            super().add_row(
                *(visible(one) if isinstance(one, str) else one for one in cells), **row
            )

    return Cells(**how)


LONGEST_WORD = 24
"""Characters of a word, such as a path, that a column of text may be narrower than."""


def print_table(grid: Table) -> None:
    """Print a table with all its figures whole: with narrower borders where it is too wide for
    the terminal, and else as a list, a line per cell."""
    from rich import box

    if _ANSWERS.get() is not None:
        return
    screen = console()
    if not _fitted(grid, screen):
        grid.box, grid.padding = box.SIMPLE_HEAD, (0, 1, 0, 0)
        grid.pad_edge = grid.show_edge = False
        if not _fitted(grid, screen):
            _print_list(grid)
            return
    screen.print(grid)


def _fitted(grid: Table, screen: Console) -> bool:
    """Give each column a width at which no figure is broken; whether they all fit."""
    from rich.measure import Measurement

    least = []
    for column in grid.columns:
        parts = [screen.measure(part) for part in (column.header, *column.cells)]
        column.width = max(part.maximum for part in parts)
        word = column.width if column.no_wrap else max(part.minimum for part in parts)
        is_text = column.justify == "left" and not column.no_wrap
        least.append(min(word, column.min_width or LONGEST_WORD) if is_text else word)
    widths = sum(column.width or 0 for column in grid.columns)
    unlimited = screen.options.update(max_width=widths + 1_000)
    over = Measurement.get(screen, unlimited, grid).maximum - screen.width
    while over > 0:
        wider = [n for n, column in enumerate(grid.columns) if (column.width or 0) > least[n]]
        if not wider:
            return False
        widest = grid.columns[max(wider, key=lambda n: grid.columns[n].width or 0)]
        widest.width = (widest.width or 0) - 1
        over -= 1
    for column in grid.columns:
        column.overflow = "fold"
    return True


def _print_list(grid: Table) -> None:
    """A block of lines per row, which no terminal is too narrow for."""
    if grid.title:
        for line in str(grid.title).split("\n"):
            echo(line)
    heads = [
        ", ".join(part.rstrip(",") for part in str(column.header).split("\n"))
        for column in grid.columns
    ]
    for cells in zip(*(column.cells for column in grid.columns), strict=True):
        for number, (head, cell) in enumerate(zip(heads, cells, strict=True)):
            if str(cell):
                echo(f"{'  ' if number else ''}{head}{': ' if head else ''}{cell}")
