"""All that the command line prints: text from outside reaches a terminal with escapes, and never as
markup.

Names, paths, notes and units come from files that other people made. Nothing else in this package
prints.
"""

from __future__ import annotations

import json as json_module
import sys
from typing import TYPE_CHECKING, Any

from profilers.errors import shown, visible

__all__ = ["console", "echo", "echo_json", "shown", "table"]

if TYPE_CHECKING:
    from rich.console import Console
    from rich.table import Table


def echo(text: str, err: bool = False) -> None:
    """Print one line; `err`: to standard error.

    What a terminal would obey is escaped, ends of lines too.
    """
    stream = sys.stderr if err else sys.stdout
    encoding = getattr(stream, "encoding", None) or "utf-8"
    # A terminal of ASCII is given escapes as well.
    print(visible(text).encode(encoding, "backslashreplace").decode(encoding), file=stream)


def echo_json(value: Any) -> None:
    """Print JSON of ASCII characters that are all to be seen."""
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
