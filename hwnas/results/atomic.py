"""Files that are either whole or not there: written beside their place, synced, then renamed."""

from __future__ import annotations

import os
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


def sync_directory(path: Path) -> None:
    """Make renames inside ``path`` survive a power cut, where the system can."""
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    except OSError:
        pass  # some network file systems can't sync a directory; the file itself is synced
    finally:
        os.close(descriptor)
