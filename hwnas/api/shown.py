"""What the functions of hwnas.api return: the object that ``--json`` prints, which shows itself as
a small table, in Jupyter and at a prompt."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from html import escape
from typing import Any

from profilers.errors import visible

TEXT_ROWS, PAGE_ROWS = 6, 40


@dataclass(frozen=True, kw_only=True)
class View:
    """A table with a title, and lines below it; texts as they are, escaped where they are shown."""

    title: str
    columns: tuple[str, ...] = ()
    rows: tuple[tuple[str, ...], ...] = ()
    lines: tuple[str, ...] = ()


class Result(dict[str, Any]):
    """What one command found."""

    def __init__(self, values: dict[str, Any], view: View) -> None:
        super().__init__(values)
        self.view = view

    def __repr__(self) -> str:
        return as_text(self.view)

    def _repr_html_(self) -> str:
        return as_html(self.view)


class Results(list[dict[str, Any]]):
    """What a command found of each network or device."""

    def __init__(self, values: Iterable[dict[str, Any]], view: View) -> None:
        super().__init__(values)
        self.view = view

    def __repr__(self) -> str:
        return as_text(self.view)

    def _repr_html_(self) -> str:
        return as_html(self.view)


def as_text(view: View) -> str:
    """At most ten lines."""
    lines = [visible(view.title)]
    if view.rows:
        shown = [view.columns, *view.rows[:TEXT_ROWS]]
        widths = [max(len(visible(row[i])) for row in shown) for i in range(len(view.columns))]
        lines += [_row(row, widths) for row in shown]
        if len(view.rows) > TEXT_ROWS:
            lines.append(f"... and {len(view.rows) - TEXT_ROWS} more")
    lines += [visible(line) for line in view.lines]
    return "\n".join(lines[:10])


def as_html(view: View) -> str:
    """A table without styles of its own: the notebook's."""
    parts = [f"<p><b>{_html(view.title)}</b></p>"]
    if view.rows:
        head = "".join(f"<th>{_html(name)}</th>" for name in view.columns)
        body = "".join(
            f"<tr>{''.join(f'<td>{_html(cell)}</td>' for cell in row)}</tr>"
            for row in view.rows[:PAGE_ROWS]
        )
        parts.append(f"<table><thead><tr>{head}</tr></thead><tbody>{body}</tbody></table>")
        if len(view.rows) > PAGE_ROWS:
            parts.append(f"<p>... and {len(view.rows) - PAGE_ROWS} more</p>")
    parts += [f"<p>{_html(line)}</p>" for line in view.lines]
    return "\n".join(parts)


def number(value: Any) -> str:
    """Counts with all their digits, others with four."""
    if value is None:
        return ""
    return f"{value:,}" if isinstance(value, int) else f"{value:,.4g}"


def _row(cells: Sequence[str], widths: Sequence[int]) -> str:
    return "  ".join(visible(cell).ljust(width) for cell, width in zip(cells, widths, strict=True))


def _html(text: str) -> str:
    return escape(visible(text))
