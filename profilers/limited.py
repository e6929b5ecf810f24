"""Files from outside, plain or gzipped, read up to a limit: a small .gz can unpack to more than the memory holds."""

from __future__ import annotations

import gzip
import io
import os
import stat
from pathlib import Path
from typing import IO, Any

from profilers.errors import InputError

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


def open_regular(path: Path) -> IO[bytes]:
    """Open a regular file, also behind a link. Raises InputError for a FIFO or a device, which have no end; OSError."""
    handle = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
    if not stat.S_ISREG(os.fstat(handle).st_mode):
        os.close(handle)
        raise InputError(f"{path}: not a regular file")
    return os.fdopen(handle, "rb")


def open_limited(path: Path, most: int = MOST_BYTES) -> io.BufferedReader:
    """Open a file for reading, through gzip where its name ends in .gz. Raises OSError as `open` does.

    Reading raises InputError after ``most`` bytes, and what gzip raises where the file is damaged.
    """
    file = open_regular(path)
    source: Any = gzip.GzipFile(fileobj=file) if path.suffix == ".gz" else file
    return io.BufferedReader(_Limited(source, path, most, file))
