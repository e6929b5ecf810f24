"""What stops work that was well asked for: one exception type beside
profilers.errors.InputError."""

from __future__ import annotations

import errno
import os
import shlex
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


NO_MEMORY = (
    "the memory is too small for this: close other programs, lift a limit such as `ulimit -v`, or"
    " take fewer images per step (--batch; weight_step.batch_size of a search), channels or cells"
)


NO_CODE = "could not create a primitive"
"""What oneDNN says where there is no memory to write a convolution's code to."""


def is_memory(error: BaseException) -> bool:
    """Whether a library says that it got no memory; torch says so in words, or by a class of its
    own."""
    words = (
        *("can't allocate memory", "Cannot allocate memory", "out of memory", "ALLOC_FAILED"),
        *("bad_alloc", "failed to map segment", "can't start new thread"),
        *(NO_CODE, "could not create a memory object"),
    )
    named = isinstance(error, MemoryError) or type(error).__name__ == "OutOfMemoryError"
    return named or any(word in str(error) for word in words)


def quoted(path: object) -> str:
    """A path as it is typed in a command."""
    return shlex.quote(str(path))


def several(count: int, word: str) -> str:
    """A number of things, in words: 1 channel, 2 classes, 1,000 epochs."""
    ending = "" if count == 1 else "es" if word.endswith("s") else "s"
    return f"{count:,} {word}{ending}"


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
        if error.errno in (errno.ENOENT, errno.ENOTDIR):
            named = Path(str(error.filename or path)).name
            gone = f"{named} in it is gone" if os.path.isdir(path) else "it is gone"
            raise Stopped(
                f"run directory {path}: {gone}; what it held can't be brought back"
            ) from error
        raise Stopped(
            f"run directory {path}: {reason_of(error)}; what was saved before stays: remove the"
            f" cause and go on with: {command}"
        ) from error
