"""A command of the command line, called from Python: what its ``--json`` would print comes back as
a value, and nothing is printed but progress and notes, on standard error."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import suppress
from typing import Any

import typer

from hwnas.api.words import Command, given_words
from hwnas.cli.outside import answers


def called(command: Command, values: Mapping[str, Any], json: str = "json") -> Any:
    """What ``command`` found, None where it says nothing. ``json``: what its function calls the
    flag, or empty.

    A failure of a part, for which the command line has an exit code, is in the answer. Raises
    InputError and hwnas.errors.Stopped, as the command line says them.
    """
    words = given_words(command, values)
    # Exit: some photos, or some back ends, have failed; the answer says which.
    with answers() as found, suppress(typer.Exit):
        command(**words, **({json: True} if json else {}))
    return found[-1] if found else None
