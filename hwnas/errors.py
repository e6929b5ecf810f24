"""What stops work that was well asked for: one exception type beside
profilers.errors.InputError."""

from __future__ import annotations

import errno
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

_REASONS = {
    errno.ENOSPC: "the disk is full",
    errno.EDQUOT: "the disk quota is used up",
    errno.EFBIG: "a file may not grow any further (limit of the system)",
    errno.EROFS: "the file system is read-only",
    errno.EACCES: "it may not be written by this user",
    errno.EPERM: "it may not be written by this user",
    errno.ENOENT: "it is gone",
    errno.ESTALE: "its network file system has lost it",
}


class Stopped(RuntimeError):
    """Work that can't go on, through no fault of its input; nothing finished is lost.

    `str()` is one line that says why and how to go on; the command line prints it and exits with
    code 3.
    """


def reason_of(error: OSError) -> str:
    """Why the system refused, in words."""
    return _REASONS.get(error.errno or 0, error.strerror or str(error))


@contextmanager
def translate_os_errors(path: Path, command: str) -> Iterator[None]:
    """Turn what the file system refuses below the directory `path` into `Stopped`.

    `command` goes on with the work once the cause is gone.
    """
    try:
        yield
    except OSError as error:
        reason = reason_of(error)
        if not path.exists():
            raise Stopped(
                f"run directory {path}: it is gone; what it held can't be brought back"
            ) from error
        raise Stopped(
            f"run directory {path}: {reason}; all finished work up to its last checkpoint is kept:"
            f" remove the cause and go on with: {command}"
        ) from error
