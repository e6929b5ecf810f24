"""What a long look at many files says of itself while it lasts; nobody need listen.

Reading lies deep below the commands, and most of its callers have nothing to print: so whoever
listens says so once, round all of it.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import TypeVar

Say = Callable[[str], None]
T = TypeVar("T")

FIRST_S, NEXT_S = 3.0, 10.0
"""Seconds before the first line, and between two."""
_SAY: ContextVar[Say | None] = ContextVar("say", default=None)


@contextmanager
def heard(say: Say) -> Iterator[None]:
    """Meanwhile ``say`` hears how far long looks are, a line at a time."""
    token = _SAY.set(say)
    try:
        yield
    finally:
        _SAY.reset(token)


def counted(
    items: Iterable[T],
    what: str,
    total: int | None = None,
    clock: Callable[[], float] | None = None,
) -> Iterator[T]:
    """The items as they are; a line of how many there were, where they take long.

    ``what``: such as "photos: image files read". ``total``: how many there will be, where that is
    known.
    """
    say = _SAY.get()
    if say is None:
        yield from items
        return
    now = clock or time.monotonic
    due = now() + FIRST_S
    for number, item in enumerate(items, start=1):
        yield item
        if now() >= due:
            of = "" if total is None else f" of {total:,}"
            say(f"{what}: {number:,}{of}")
            due = now() + NEXT_S
