"""Files that are either whole or not there: written beside their place, synced, then renamed."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path


def atomic_write(path: Path, content: bytes) -> None:
    """Replace ``path`` by ``content`` so that a reader, or a machine that dies, sees the old or the new file.

    Raises OSError (disk full, read-only); the old file then still stands and no half file is left.
    """
    temporary = path.with_name(f".{path.name}.{os.getpid()}.new")
    try:
        with open(temporary, "wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        os.replace(temporary, path)
    except BaseException:
        temporary.unlink(missing_ok=True)
        raise
    sync_directory(path.parent)


def atomic_write_all(folder: Path, contents: Mapping[str, bytes]) -> None:
    """Replace several files of ``folder``, by name: none of them before all of them are on the disk.

    Raises OSError as ``atomic_write`` does; the old files then still stand and no half file is left.
    """
    staged = {name: folder / f".{name}.{os.getpid()}.new" for name in contents}
    try:
        for name, content in contents.items():
            with open(staged[name], "wb") as file:
                file.write(content)
                file.flush()
                os.fsync(file.fileno())
        for name, temporary in staged.items():
            os.replace(temporary, folder / name)
    except BaseException:
        for temporary in staged.values():
            temporary.unlink(missing_ok=True)
        raise
    sync_directory(folder)


def sync_directory(path: Path) -> None:
    """Make renames inside ``path`` survive a power cut, where the system can."""
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    except OSError:
        pass  # some network file systems can't sync a directory; the file itself is synced
    finally:
        os.close(descriptor)
