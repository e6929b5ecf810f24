"""What to type next: one command a line, ready to be copied into a shell."""

from __future__ import annotations

import shlex
from collections.abc import Sequence
from pathlib import Path

from hwnas.cli.outside import echo

Command = Sequence[str | Path]


def next_steps(commands: Sequence[Command]) -> list[str]:
    """``next:`` and a line for each command, its words without ``hwnas``, quoted for a shell."""
    return ["next:", *(f"  {shlex.join(['hwnas', *map(_word, words)])}" for words in commands)]


def say_next(*commands: Command) -> None:
    """Print them, where there are any."""
    for line in next_steps(commands) if commands else ():
        echo(line)


def _word(word: str | Path) -> str:
    """A path that begins with a hyphen is no option."""
    text = str(word)
    return f"./{text}" if isinstance(word, Path) and text.startswith("-") else text
