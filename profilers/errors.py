"""Bad input from outside: one exception type and the wording of its hints."""

from __future__ import annotations

import unicodedata
from collections.abc import Iterable
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


def nearest(word: str, choices: Iterable[str]) -> str:
    """Return the tail of an error line that helps with a misspelt `word`.

    >>> nearest("1080", ["1080ti", "h200"])
    "; did you mean '1080ti'? (choices: 1080ti, h200)"
    >>> nearest("zzz", ["1080ti", "h200"])
    ' (choices: 1080ti, h200)'

    Case and the difference between `-`, `_` and blanks do not count. Without any choice the tail is
    empty.
    """
    names = list(dict.fromkeys(choices))
    if not names:
        return ""
    folded = {_fold(name): name for name in reversed(names)}
    close = get_close_matches(_fold(word), list(folded), n=1, cutoff=0.5)
    hint = f"; did you mean '{folded[close[0]]}'?" if close else ""
    return f"{hint} (choices: {', '.join(names)})"


def _fold(word: str) -> str:
    return word.casefold().replace("_", "-").replace(" ", "-")
