"""Ctrl-C without loss: the first one is heard, and obeyed between two steps, where the state can
be saved."""

from __future__ import annotations

import signal
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

SIGNALS = (signal.SIGINT, signal.SIGTERM)


@contextmanager
def stopping() -> Iterator[Callable[[], bool]]:
    """Yield a function that says whether the process has been asked to stop (Ctrl-C, or SIGTERM
    from a batch system).

    A second Ctrl-C interrupts at once. Outside of the main thread, where Python hears no signals,
    nothing changes.
    """
    asked: list[int] = []

    def hear(number: int, frame: Any) -> None:
        if asked:
            raise KeyboardInterrupt
        asked.append(number)

    if threading.current_thread() is not threading.main_thread():
        yield lambda: False
        return
    before = {number: signal.getsignal(number) for number in SIGNALS}
    # Only what would end the process anyway: a program around us may have better plans for a
    # signal.
    ours = [n for n in SIGNALS if before[n] in (signal.default_int_handler, signal.SIG_DFL)]
    try:
        for number in ours:
            signal.signal(number, hear)
        yield lambda: bool(asked)
    finally:
        for number in ours:
            signal.signal(number, before[number])
