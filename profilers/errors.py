"""Bad input from outside: one exception type and the wording of its hints."""

from __future__ import annotations

from collections.abc import Iterable
from difflib import get_close_matches


class InputError(ValueError):
    """Bad input from outside.

    `str()` is one helpful line that names the file, the key and the nearest valid choice; the command line
    prints it as it is and exits with code 2.
    """


def nearest(word: str, choices: Iterable[str]) -> str:
    """Return the tail of an error line that helps with a misspelt `word`.

    >>> nearest("1080", ["1080ti", "h200"])
    "; did you mean '1080ti'? (choices: 1080ti, h200)"
    >>> nearest("zzz", ["1080ti", "h200"])
    ' (choices: 1080ti, h200)'

    Case and the difference between `-`, `_` and blanks do not count. Without any choice the tail is empty.
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
