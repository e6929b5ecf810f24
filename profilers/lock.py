"""One measurement at a time on a host, by a lock file that nobody else can lay or hold.

The lock lies in a folder of this user that others may not write to: in the shared temporary folder
any user could put a FIFO or a link under its name, or hold it for ever. So measurements of
different users do not wait for each other. Standard library only: this file travels to remote
hosts.
"""

from __future__ import annotations

import os
import stat
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

NAME = "one-measurement.lock"
SAY_AFTER_S = 5.0
_POLL_S = 0.05


class Busy(TimeoutError):
    """Other measurements left no turn; `str()` is one line that names the lock."""


@contextmanager
def host_lock(path: Path | None = None, wait_s: float = 600.0) -> Iterator[None]:
    """Let one measurement of this user at a time run on this host; waits for its turn, Busy after
    `wait_s`.

    Two measurements side by side would measure each other. Where the system has no file locks, or
    this user has no folder of its own, this does nothing.
    """
    try:
        import fcntl
    except ImportError:
        yield
        return
    path = path or lock_path()
    handle = None if path is None else open_lock(path)
    if handle is None:
        yield
        return
    try:
        begun, silent = time.monotonic(), True
        while True:
            try:
                fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
                break
            except OSError:
                waited = time.monotonic() - begun
                if waited > wait_s:
                    raise Busy(f"another measurement holds {path} for {wait_s:g} s") from None
                if silent and waited > SAY_AFTER_S:
                    print(f"waiting for another measurement, which holds {path}", file=sys.stderr)
                    silent = False
                time.sleep(_POLL_S)
        yield
    finally:
        os.close(handle)


def lock_path() -> Path | None:
    """The lock file in the first folder that is this user's alone; None where there is none."""
    for folder in _folders():
        with suppress(OSError):
            folder.mkdir(mode=0o700, parents=True, exist_ok=True)
            if is_private(folder):
                return folder / NAME
    return None


def _folders() -> Iterator[Path]:
    runtime, cache = os.environ.get("XDG_RUNTIME_DIR"), os.environ.get("XDG_CACHE_HOME")
    if runtime and os.path.isabs(runtime):
        yield Path(runtime) / "hwnas"
    if cache and os.path.isabs(cache):
        yield Path(cache) / "hwnas" / "lock"
    with suppress(RuntimeError):  # no home folder
        yield Path.home() / ".cache" / "hwnas" / "lock"


def is_private(folder: Path) -> bool:
    """Whether it is a folder, no link, that belongs to this user and that no other may write to."""
    found = os.lstat(folder)
    return (
        stat.S_ISDIR(found.st_mode) and found.st_uid == os.geteuid() and not found.st_mode & 0o022
    )


def open_lock(path: Path) -> int | None:
    """Open the lock file, made where there is none; None where it is not a regular file of this
    user.

    No link is followed, a FIFO is not waited for, and nothing is written.
    """
    flags = os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW | os.O_NONBLOCK
    try:
        handle = os.open(path, flags, 0o600)
    except OSError:
        return None
    found = os.fstat(handle)
    if stat.S_ISREG(found.st_mode) and found.st_uid == os.geteuid() and found.st_nlink == 1:
        return handle
    os.close(handle)
    return None
