"""Files of a folder that somebody else may have filled, such as a run directory: the one way to
open them.

Below the folder no link is followed, at no component of the path. Only regular files are opened,
and none that is larger than its limit: a FIFO, a device or a socket is refused before it is opened.
What is written in place has no second name (a hard link), so nothing outside the folder changes.
The folder itself is the user's choice and may be reached through links.
"""

from __future__ import annotations

import os
import stat
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import BinaryIO

from hwnas.staged import forget_left, stage
from profilers.errors import InputError
from profilers.limited import open_judged

MIB = 2**20
LARGEST = 64 * MIB
"""Of a file that is read as a whole."""
LONGEST = 1024 * MIB
"""Of a file that is read line by line."""
LARGEST_STATE = 4096 * MIB
"""Of a file of tensors."""

_FOLDER = os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC
_FILE = os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC
_KINDS = {
    stat.S_IFLNK: "a link",
    stat.S_IFDIR: "a folder",
    stat.S_IFIFO: "a FIFO",
    stat.S_IFSOCK: "a socket",
    stat.S_IFCHR: "a device",
    stat.S_IFBLK: "a device",
}


def exists(path: Path, root: Path) -> bool:
    """Whether a regular file stands at `path`, below the folder `root`.

    Raises InputError for anything else.
    """
    try:
        with _folder(path.parent, root) as folder:
            _look(folder, path)
    except FileNotFoundError:
        return False
    except NotADirectoryError:  # `root` itself is none
        return False
    except OSError as error:
        raise InputError(f"{path}: cannot be read ({error.strerror})") from None
    return True


def check(path: Path, root: Path, limit: int = LARGEST, writing: bool = False) -> None:
    """Look at a file that a library will open by its path; no file at all passes.

    Raises InputError where it is no regular file, is larger than `limit` bytes or is to be written
    and has a second name.
    """
    with suppress(FileNotFoundError), _folder(path.parent, root) as folder:
        _look(folder, path, limit, writing)


def check_folder(path: Path, root: Path) -> None:
    """Raise InputError where a component of `path` below `root` is there and is no folder."""
    with suppress(FileNotFoundError), _folder(path, root):
        pass


def make_folder(path: Path, root: Path) -> None:
    """Make the folder `path`, and those above it as far as `root`, which is there.

    Raises InputError, OSError.
    """
    with _folder(path, root, make=True):
        pass


def names(path: Path, root: Path) -> list[str]:
    """What stands in the folder `path`, sorted; nothing where there is none.

    Raises InputError for a link.
    """
    try:
        with _folder(path, root) as folder:
            return sorted(os.listdir(folder))
    except FileNotFoundError:
        return []


def read(path: Path, root: Path | None, limit: int = LARGEST) -> bytes:
    """The whole of a file.

    Raises InputError for what is no such file, FileNotFoundError and OSError.

    `root` None: a file that the user named, so links to it are followed.
    """
    with reading(path, root, limit) as file:
        size = os.fstat(file.fileno()).st_size  # memory is taken for as much as is asked for
        content = file.read(min(size, limit) + 1)
        if len(content) > size:  # it has grown, or its system does not say its size
            content += file.read(limit + 1 - len(content))
    if len(content) > limit:  # it has grown
        raise InputError(f"{path}: larger than {limit} bytes")
    return content


def reading(path: Path, root: Path | None, limit: int = LONGEST) -> BinaryIO:
    """A file open for reading; errors as for `read`."""
    if root is None:
        return open_judged(path, lambda found: _judge(found, path, limit, False))
    with _folder(path.parent, root) as folder:
        return open(_opened(folder, path, os.O_RDONLY, limit), "rb")


def append(path: Path, root: Path, content: bytes) -> None:
    """Add `content` to the end of a file, which is made where there is none.

    Raises InputError, OSError.
    """
    with _folder(path.parent, root) as folder:
        descriptor = _opened(folder, path, os.O_WRONLY | os.O_APPEND | os.O_CREAT, None)
        with open(descriptor, "ab") as file:
            file.write(content)


def truncate(path: Path, root: Path, size: int) -> None:
    """Keep the first `size` bytes of a file, and see to it that they are on the disk.

    Raises InputError, OSError.
    """
    with _folder(path.parent, root) as folder:
        descriptor = _opened(folder, path, os.O_WRONLY, None)
        try:
            os.ftruncate(descriptor, size)
        finally:
            os.close(descriptor)


def sync(path: Path, root: Path) -> None:
    """Bring what was appended to a file to the disk. Raises InputError, OSError."""
    with _folder(path.parent, root) as folder:
        descriptor = _opened(folder, path, os.O_RDONLY, None)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)


def rename(path: Path, name: str, root: Path) -> None:
    """Give a file another name in its folder, in place of what has that name.

    Raises InputError, OSError.
    """
    with _folder(path.parent, root) as folder:
        _look(folder, path)
        os.replace(path.name, name, src_dir_fd=folder, dst_dir_fd=folder)


def remove(path: Path, root: Path) -> None:
    """Remove a file, or a link itself, where there is one. Raises InputError, OSError."""
    with suppress(FileNotFoundError), _folder(path.parent, root) as folder:
        os.unlink(path.name, dir_fd=folder)


def replace(path: Path, root: Path, content: bytes) -> None:
    """Replace a file so that a reader, or a machine that dies, sees the old or the new one; its
    folder is made.

    Raises InputError for a link among the folders, OSError; the old file then still stands.
    """
    with _folder(path.parent, root, make=True) as folder:
        replace_all(folder, path.parent, {path.name: content})


def replace_all(folder: int, path: Path, contents: Mapping[str, bytes]) -> None:
    """Replace several files of an open folder, by name: none of them before all of them are on the
    disk.

    What a killed process left of a write of the same files is removed. `path`: the folder's, for
    errors. Raises OSError; the old files then still stand and no half file is left.
    """
    forget_left(folder, contents)
    staged: dict[str, tuple[str, int]] = {}
    name = ""
    try:
        for name, content in contents.items():
            staged[name] = stage(folder, name)
            with open(staged[name][1], "wb", closefd=False) as file:
                file.write(content)
                file.flush()
                os.fsync(file.fileno())
        for name, (temporary, _) in staged.items():
            os.replace(temporary, name, src_dir_fd=folder, dst_dir_fd=folder)
    except BaseException as error:
        for temporary, _ in staged.values():
            with suppress(OSError):
                os.unlink(temporary, dir_fd=folder)
        if isinstance(error, OSError):
            error.filename, error.filename2 = str(path / name), None
        raise
    finally:
        for _, descriptor in staged.values():
            os.close(descriptor)
    with suppress(
        OSError
    ):  # some network file systems can't sync a folder; the file itself is synced
        os.fsync(folder)


def forget_torn(path: Path, root: Path) -> None:
    """Remove the files of a folder that killed processes were writing. Raises InputError for a
    link among the folders."""
    with suppress(FileNotFoundError), _folder(path, root) as folder:
        forget_left(folder)


@contextmanager
def _folder(path: Path, root: Path, make: bool = False) -> Iterator[int]:
    """A descriptor of the folder `path`, reached from `root` without a link."""
    descriptor, place = os.open(root, _FOLDER), root
    try:
        for part in path.relative_to(root).parts:
            place = place / part
            if part == "..":
                raise InputError(f"{place}: leads out of {root}; nothing is read or written there")
            if make:
                with suppress(FileExistsError):
                    os.mkdir(part, dir_fd=descriptor)
            found = os.stat(part, dir_fd=descriptor, follow_symlinks=False)
            if not stat.S_ISDIR(found.st_mode):
                raise InputError(_refusal(place, found, "a folder of its own"))
            below = os.open(part, _FOLDER | os.O_NOFOLLOW, dir_fd=descriptor)
            os.close(descriptor)
            descriptor = below
        yield descriptor
    finally:
        os.close(descriptor)


def _opened(folder: int, path: Path, flags: int, limit: int | None) -> int:
    writing = flags & os.O_ACCMODE != os.O_RDONLY
    try:
        _look(folder, path, limit, writing)  # opening a device may already do something
    except FileNotFoundError:
        if not flags & os.O_CREAT:
            raise
    descriptor = os.open(path.name, flags | _FILE, 0o666, dir_fd=folder)
    try:
        _judge(os.fstat(descriptor), path, limit, writing)
    except BaseException:
        os.close(descriptor)
        raise
    return descriptor


def _look(folder: int, path: Path, limit: int | None = None, writing: bool = False) -> None:
    _judge(os.stat(path.name, dir_fd=folder, follow_symlinks=False), path, limit, writing)


def _judge(found: os.stat_result, path: Path, limit: int | None, writing: bool) -> None:
    if not stat.S_ISREG(found.st_mode):
        raise InputError(_refusal(path, found, "a regular file"))
    if limit is not None and found.st_size > limit:
        raise InputError(f"{path}: larger than {limit} bytes")
    if writing and found.st_nlink > 1:
        raise InputError(
            f"{path}: the file has a second name elsewhere (a hard link), and would change there"
            " too; copy it in its place"
        )


def _refusal(path: Path, found: os.stat_result, wanted: str) -> str:
    kind = _KINDS.get(stat.S_IFMT(found.st_mode), "something else")
    return f"{path}: {kind}, not {wanted}; nothing is read or written through it"
