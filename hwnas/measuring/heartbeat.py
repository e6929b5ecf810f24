"""A line every few seconds while something that says nothing by itself goes on."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

EVERY_S = 8.0


@contextmanager
def heartbeat(
    say: Callable[[str], None],
    text: str,
    clock: Callable[[], float] = time.monotonic,
    *,
    start: float,
    every_s: float = EVERY_S,
) -> Iterator[None]:
    """Say ``text`` and the seconds since ``start`` (of ``clock``) every ``every_s`` seconds, until
    the block ends."""
    ended = threading.Event()

    def beat() -> None:
        while not ended.wait(every_s):
            say(f"{text}, {clock() - start:.0f} s")

    thread = threading.Thread(target=beat, daemon=True)
    thread.start()
    try:
        yield
    finally:
        ended.set()
        thread.join()
