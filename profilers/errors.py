"""Bad input from outside: one exception type and the wording of its hints."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from difflib import get_close_matches
from typing import Any

_LONGEST_LINE = 2_000
_UNSEEN = frozenset(("Cc", "Cf", "Cs", "Co", "Cn", "Zl", "Zp"))


class InputError(ValueError):
    """Bad input from outside.

    `str()` is one helpful line that names the file, the key and the nearest valid choice; the
    command line prints it as it is and exits with code 2. What the input said may be quoted in it:
    characters that a terminal would obey are escaped, and a line of more than 2,000 characters is
    cut.
    """

    def __init__(self, line: object = "") -> None:
        text = visible(str(line)[: _LONGEST_LINE + 1])
        super().__init__(text if len(text) <= _LONGEST_LINE else f"{text[:_LONGEST_LINE]} ...")


class FaultyPlugin(InputError):
    """What another package brought gave what it must not, or raised.

    The line names its table and its name, and what it must give. Where a search has begun, the
    search is stopped instead (exit code 3).
    """


@contextmanager
def asking(plugin: str, what: str, *passing: type[BaseException]) -> Iterator[None]:
    """Turn whatever a stranger's code raises into FaultyPlugin.

    `plugin`: its table and name, such as "search algorithm 'climb' (hwnas.algorithms)"; `what` was
    asked of it, such as "ask". InputError goes through, and so do the types `passing` and what says
    that the memory is too small.
    """
    try:
        yield
    except Exception as error:
        if isinstance(error, (InputError, MemoryError, *passing)):
            raise
        if isinstance(error, RuntimeError) and re.search(r"memory|ALLOC_FAILED", str(error)):
            raise
        said = f"{type(error).__name__}: {error}" if str(error) else type(error).__name__
        raise FaultyPlugin(f"{plugin}: {what} raised {said}") from error


def kind_of(value: object) -> str:
    """What a value is, for a message: its type, and the shape and type of an array.

    >>> kind_of(None)
    'None'
    >>> kind_of([1])
    'list'
    """
    if value is None:
        return "None"
    shape, numbers = getattr(value, "shape", None), getattr(value, "dtype", None)
    if isinstance(shape, tuple) and numbers is not None:
        return f"an array of shape {shape} of {numbers}"
    return type(value).__name__


def visible(text: str) -> str:
    r"""`text` on one line, with escapes for what is not to be seen: what a terminal obeys, and what
    turns text around.

    These are the control characters (C0, C1 and DEL), format characters such as U+202E and U+200F,
    ends of lines and paragraphs, halves of surrogate pairs, and what Unicode has not assigned.

    >>> visible("a\x1b[31m\nb\u202e")
    'a\\x1b[31m\\nb\\u202e'
    """
    return "".join(
        ascii(one)[1:-1] if unicodedata.category(one) in _UNSEEN else one for one in text
    )


def shown(value: Any) -> Any:
    """A value from a file, as JSON has them, with every text in it escaped."""
    if isinstance(value, str):
        return visible(value)
    if isinstance(value, dict):
        return {visible(str(key)): shown(one) for key, one in value.items()}
    return [shown(one) for one in value] if isinstance(value, list | tuple) else value


_MOST_LISTED = 240
"""Characters of a list of choices."""


def nearest(word: str, choices: Iterable[str]) -> str:
    """Return the tail of an error line that helps with a misspelt `word`.

    >>> nearest("1080", ["1080ti", "h200"])
    "; did you mean '1080ti'? (choices: 1080ti, h200)"
    >>> nearest("zzz", ["1080ti", "h200"])
    ' (choices: 1080ti, h200)'

    Case and the difference between `-`, `_` and blanks do not count. Without any choice the tail is
    empty. Of many choices only those are listed that fit on two lines.
    """
    names = list(dict.fromkeys(choices))
    if not names:
        return ""
    folded = {_fold(name): name for name in reversed(names)}
    close = get_close_matches(_fold(word), list(folded), n=1, cutoff=0.5)
    hint = f"; did you mean '{folded[close[0]]}'?" if close else ""
    listed = ", ".join(names)
    if len(listed) > _MOST_LISTED:
        shown = listed[:_MOST_LISTED].rpartition(", ")[0]
        listed = f"{shown}, ... {len(names)} in all"
    return f"{hint} (choices: {listed})"


def _fold(word: str) -> str:
    return word.casefold().replace("_", "-").replace(" ", "-")
