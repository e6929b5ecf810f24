"""Files from outside, plain or gzipped, read up to a limit: a small .gz can unpack to more than
the memory holds."""

from __future__ import annotations

import gzip
import io
import os
import stat
from collections.abc import Callable
from pathlib import Path
from typing import IO, Any, BinaryIO

from profilers.errors import InputError

LARGEST_MODEL = 2**31
"""Bytes of a model's file at most, as its formats allow."""
MOST_BYTES = 200_000_000
"""A million rows of architectures, or an hour of raw samples, are far below this."""


class _Limited(io.RawIOBase):
    """The bytes of another file, and an InputError where there are more than so many."""

    def __init__(self, source: IO[bytes], path: Path, most: int, file: IO[bytes]) -> None:
        self._source, self._path, self._most, self._seen = source, path, most, 0
        self._file = file

    def readable(self) -> bool:
        """Always."""
        return True

    def readinto(self, buffer: Any) -> int:
        """Fill the buffer as far as there is something to read."""
        view = memoryview(buffer)
        data = self._source.read(min(len(view), 65536))
        self._seen += len(data)
        if self._seen > self._most:
            raise InputError(f"{self._path}: more than {self._most:,} bytes of text, unpacked")
        view[: len(data)] = data
        return len(data)

    def close(self) -> None:
        """Close the other file too."""
        self._source.close()
        self._file.close()  # gzip leaves open what it was given
        super().close()


_KINDS = {
    stat.S_IFDIR: "a folder",
    stat.S_IFIFO: "a FIFO",
    stat.S_IFSOCK: "a socket",
    stat.S_IFCHR: "a device",
    stat.S_IFBLK: "a device",
}


def why_no_file(path: Path) -> str | None:
    """What is wrong with a path that the user gave as a file, in words; None for a regular file.

    Links are followed. Nothing is opened: a FIFO would wait.
    """
    try:
        mode = os.stat(path).st_mode
    except (FileNotFoundError, NotADirectoryError):
        return "a link to nothing" if os.path.islink(path) else "not found"
    except (OSError, ValueError) as error:
        return f"can't be looked at ({getattr(error, 'strerror', None) or error})"
    kind = _KINDS.get(stat.S_IFMT(mode), "something else")
    return None if stat.S_ISREG(mode) else f"{kind}, not a regular file"


def open_judged(path: str | Path, judge: Callable[[os.stat_result], None]) -> BinaryIO:
    """Open a file that the user named, links followed, for reading; ``judge`` raises for one that
    must not be read.

    It is asked before the file is opened, because opening a device may already do something, and
    again after that, because another file may have taken its place. Nothing waits for the other end
    of a FIFO. Raises OSError.
    """
    judge(os.stat(path))
    file = os.fdopen(
        os.open(path, os.O_RDONLY | getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_BINARY", 0)), "rb"
    )
    try:
        judge(os.fstat(file.fileno()))
    except BaseException:
        file.close()
        raise
    return file


def open_regular(path: Path) -> BinaryIO:
    """Open a regular file, also behind a link.

    Raises InputError for a FIFO or a device, which have no end; OSError.
    """

    def judge(found: os.stat_result) -> None:
        if not stat.S_ISREG(found.st_mode):
            raise InputError(f"{path}: not a regular file")

    return open_judged(path, judge)


def check_model_file(path: Path, kind: str) -> None:
    """Raise InputError for a model's file that is absent, no regular file, or over 2 GiB; ``kind``:
    its format, which allows no more."""
    wrong = why_no_file(path)
    if wrong is not None:
        raise InputError(f"{path}: {'no such file' if wrong == 'not found' else wrong}")
    if path.stat().st_size > LARGEST_MODEL:
        raise InputError(f"{path}: larger than 2 GiB, which {kind} does not allow")


def open_limited(path: Path, most: int = MOST_BYTES) -> io.BufferedReader:
    """Open a file for reading, through gzip where its name ends in .gz.

    Raises OSError as `open` does.

    Reading raises InputError after ``most`` bytes, and what gzip raises where the file is damaged.
    """
    file = open_regular(path)
    source: Any = gzip.GzipFile(fileobj=file) if path.suffix == ".gz" else file
    return io.BufferedReader(_Limited(source, path, most, file))
