"""Files that are being written beside their place, and what is left of them after a kill.

Such a file is called .NAME.PID.new, and whoever writes it holds its lock until it has its name. A
process that is killed lets go of the lock, on whatever machine it was, so what can be locked is
left over. Where the system locks no files nothing is removed.
"""

from __future__ import annotations

import fcntl
import itertools
import os
import re
import shutil
import stat
from collections.abc import Iterable
from contextlib import suppress
from pathlib import Path

_NEW = r"\.\d{1,10}(?:-\d{1,10})?\.new"
_FLAGS = os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC


def stage(folder: int, name: str) -> tuple[str, int]:
    """A new file beside the place of ``name`` in an open folder: what it is called, and a
    descriptor to write through, which holds its lock.

    Raises OSError.
    """
    for number in itertools.count():
        temporary = f".{name}.{os.getpid()}{f'-{number}' if number else ''}.new"
        try:
            descriptor = os.open(
                temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL | _FLAGS, 0o666, dir_fd=folder
            )
        except FileExistsError:  # of another thread, or of this number on another machine
            continue
        with suppress(OSError):  # some network file systems
            fcntl.flock(descriptor, fcntl.LOCK_EX)
        if os.fstat(descriptor).st_nlink:
            return temporary, descriptor
        os.close(descriptor)  # taken for left over before it was locked
    raise AssertionError("there are always more numbers")


def forget_left(folder: int, names: Iterable[str] | None = None) -> None:
    """Remove what killed processes left of the files ``names`` in an open folder; None: of any.

    What cannot be removed stays.
    """
    wanted = ".+" if names is None else "|".join(map(re.escape, names))
    pattern = re.compile(rf"\.(?:{wanted}){_NEW}", re.DOTALL)
    with suppress(OSError):
        for entry in os.listdir(folder):
            if pattern.fullmatch(entry):
                with suppress(OSError):
                    _forget(folder, entry)


def _forget(folder: int, entry: str) -> None:
    found = os.stat(entry, dir_fd=folder, follow_symlinks=False)
    if stat.S_ISLNK(found.st_mode):  # one that lies in wait: nobody writes through links
        os.unlink(entry, dir_fd=folder)
    if not stat.S_ISREG(found.st_mode):
        return
    descriptor = os.open(entry, os.O_WRONLY | _FLAGS, dir_fd=folder)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)  # refused while it is written
        now = os.stat(entry, dir_fd=folder, follow_symlinks=False)
        if os.path.samestat(now, os.fstat(descriptor)):
            os.unlink(entry, dir_fd=folder)
    finally:
        os.close(descriptor)


def forget_left_folders(path: Path) -> None:
    """Remove what killed processes left of the folder ``path`` that they were making."""
    for torn in path.parent.glob(f".{_literal(path.name)}.*.new"):
        if re.fullmatch(rf"\.{re.escape(path.name)}{_NEW}", torn.name, re.DOTALL):
            with suppress(OSError):  # somebody is making it, or it is a link
                descriptor = lock_folder(torn, follow=False)
                if descriptor is not None:
                    shutil.rmtree(torn, ignore_errors=True)
                    os.close(descriptor)


def stage_folder(path: Path) -> tuple[Path, int | None]:
    """A new folder beside ``path``, and a descriptor that holds its lock; what killed processes
    left of such folders is removed.

    None where the system locks no folders. Raises OSError.
    """
    forget_left_folders(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    for number in itertools.count():
        beside = path.with_name(f".{path.name}.{os.getpid()}{f'-{number}' if number else ''}.new")
        try:
            beside.mkdir()
            descriptor = lock_folder(beside, follow=False)
        except (FileExistsError, BlockingIOError, FileNotFoundError):
            continue  # of another thread or machine, or taken for left over before it was locked
        if os.path.isdir(beside):
            return beside, descriptor
        if descriptor is not None:
            os.close(descriptor)
    raise AssertionError("there are always more numbers")


def lock_folder(folder: Path, follow: bool = True) -> int | None:
    """A descriptor that holds the lock of a folder until it is closed; None where the system locks
    no folders. ``follow``: the folder may be a link to one.

    Raises BlockingIOError where another process has it, OSError.
    """
    flags = os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC | (0 if follow else os.O_NOFOLLOW)
    descriptor = os.open(folder, flags)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        os.close(descriptor)
        raise
    except OSError:  # some network file systems
        os.close(descriptor)
        return None
    return descriptor


def _literal(name: str) -> str:
    return re.sub(r"([*?[])", r"[\1]", name)
