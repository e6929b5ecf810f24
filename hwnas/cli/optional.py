"""``--ray [ADDRESS]``: an option whose value can be left out, which typer has no way to say."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

from typer.core import TyperCommand

RAY = "--ray"
AUTO = "auto"
HELP = (
    "Run as tasks of Ray: at ADDRESS (HOST:PORT), else the Ray of this host, else a new one here."
)
# HOST:PORT as `ray start` prints it, ray://HOST:PORT, or Ray's own words.
_ADDRESS = re.compile(r"(\w+://)?[\w.\-\[\]:]+:\d{1,5}|auto|local")


class WithRay(TyperCommand):
    """A command whose ``--ray`` takes the next word only where that looks like an address of
    Ray."""

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        """Give a bare ``--ray`` its value, then parse as ever."""
        return super().parse_args(ctx, with_address(args))


def with_address(words: list[str]) -> list[str]:
    """The words with ``auto`` after each ``--ray`` that no address follows."""
    found: list[str] = []
    for word, following in zip(words, [*words[1:], ""], strict=True):
        found.append(word)
        if word == RAY and not (_ADDRESS.fullmatch(following) and not Path(following).is_dir()):
            found.append(AUTO)
    return found
