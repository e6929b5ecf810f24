"""Standard output and standard error of a process as they may be: closed, full, or read by
nobody."""

from __future__ import annotations

import errno
import io
import os
import signal
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import Any, TextIO, cast

from hwnas.errors import Stopped, reason_of

WIDTHS = range(20, 1001)
"""Columns of a terminal that are believed; some shells and containers say 0."""


class ReaderGone(Exception):
    """Whoever reads standard output has enough, as ``head`` does."""


@contextmanager
def standard_streams() -> Iterator[None]:
    """Let standard output raise Stopped where it can't be written and ReaderGone where it is no
    longer read.

    Standard error that can't be written is passed over: messages are no reason to end a search.
    """
    _open_closed_ones()
    _forget_strange_widths()
    before = sys.stdout, sys.stderr
    # Whoever closed standard output wants nothing of it. Without standard error print() would take
    # standard output instead, between lines of JSON.
    sys.stdout = cast(TextIO, _Output(sys.stdout or io.StringIO()))
    sys.stderr = cast(TextIO, _Messages(sys.stderr or io.StringIO()))
    try:
        yield
    finally:
        sys.stdout, sys.stderr = before


class _Stream:
    """A stream that is asked for everything but writing."""

    def __init__(self, stream: TextIO) -> None:
        self._stream = stream

    def __getattr__(self, name: str) -> Any:
        return getattr(self._stream, name)

    def _drop(self) -> None:
        """Send what is still buffered nowhere: the interpreter would fail on it at its end."""
        with suppress(OSError, ValueError):
            nowhere = os.open(os.devnull, os.O_WRONLY)
            os.dup2(nowhere, self._stream.fileno())
            os.close(nowhere)


class _Output(_Stream):
    def write(self, text: str) -> int:
        with self._translated():
            self._stream.write(text)
        return len(text)

    def flush(self) -> None:
        with self._translated():
            self._stream.flush()

    @contextmanager
    def _translated(self) -> Iterator[None]:
        try:
            yield
        except OSError as error:
            self._drop()
            if error.errno == errno.EPIPE:
                raise ReaderGone from None
            raise Stopped(f"standard output can't be written: {reason_of(error)}") from None


class _Messages(_Stream):
    def write(self, text: str) -> int:
        try:
            return self._stream.write(text)
        except OSError:
            self._drop()
            return len(text)

    def flush(self) -> None:
        try:
            self._stream.flush()
        except OSError:
            self._drop()


@contextmanager
def ended_in_order() -> Iterator[None]:
    """Let SIGTERM and SIGHUP end this process as an exception does: what it started ends too."""

    def end(number: int, frame: object) -> None:
        sys.exit(128 + number)

    ours = threading.current_thread() is threading.main_thread()
    numbers = (signal.SIGTERM, signal.SIGHUP)
    usual = [one for one in numbers if ours and signal.getsignal(one) == signal.SIG_DFL]
    for number in usual:
        signal.signal(number, end)
    try:
        yield
    finally:
        for number in usual:
            signal.signal(number, signal.SIG_DFL)


def _open_closed_ones() -> None:
    """A file that is opened next must not become standard output."""
    for descriptor in (0, 1, 2):
        try:
            os.fstat(descriptor)
        except OSError:
            with suppress(OSError):
                os.open(os.devnull, os.O_RDWR)  # takes the lowest number that is free


def _forget_strange_widths() -> None:
    """Leave the width to the terminal, or to the default, where the environment says none."""
    for name in ("COLUMNS", "TERMINAL_WIDTH"):
        text = os.environ.get(name)
        if text is not None and not (
            text.isascii() and text.isdigit() and len(text) < 5 and int(text) in WIDTHS
        ):
            del os.environ[name]
