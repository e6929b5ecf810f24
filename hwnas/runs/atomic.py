"""Files that are either whole or not there: written beside their place, synced, then renamed.

These are for a folder that the user named; `hwnas.files.replace` is for one below a run directory.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path

from hwnas.files import replace_all


def atomic_write(path: Path, content: bytes) -> None:
    """Replace ``path`` by ``content`` so that a reader, or a machine that dies, sees the old or the
    new file.

    A link at ``path`` is replaced, not followed. Raises OSError (disk full, read-only); the old
    file then still stands and no half file is left.
    """
    atomic_write_all(path.parent, {path.name: content})


def atomic_write_all(folder: Path, contents: Mapping[str, bytes]) -> None:
    """Replace several files of ``folder``, by name: none of them before all of them are on the
    disk.

    Raises OSError as ``atomic_write`` does; the old files then still stand and no half file is
    left.
    """
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        replace_all(descriptor, folder, contents)
    finally:
        os.close(descriptor)


def sync_directory(path: Path) -> None:
    """Make renames inside ``path`` survive a power cut, where the system can."""
    descriptor = os.open(path, os.O_RDONLY)
    try:
        with suppress(
            OSError
        ):  # some network file systems can't sync a directory; the file itself is synced
            os.fsync(descriptor)
    finally:
        os.close(descriptor)
