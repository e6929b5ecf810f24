"""What a stranger may lay in the place of a file of a run, and a folder outside that has to stay
as it is."""

from __future__ import annotations

import os
import socket
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

SECRET = b"what stands here is the user's\n"


def outside(folder: Path) -> Path:
    """A folder beside the run with a file of the user's in it, and a folder with one more."""
    (folder / "below").mkdir(parents=True)
    (folder / "victim.txt").write_bytes(SECRET)
    (folder / "below" / "training.json").write_bytes(SECRET)
    return folder


def _link(place: Path, beyond: Path) -> None:
    place.symlink_to(beyond / "victim.txt")


def _dangling(place: Path, beyond: Path) -> None:
    place.symlink_to(beyond / "new.txt")


def _to_folder(place: Path, beyond: Path) -> None:
    place.symlink_to(beyond / "below")


def _to_zero(place: Path, beyond: Path) -> None:
    place.symlink_to("/dev/zero")


def _to_itself(place: Path, beyond: Path) -> None:
    place.symlink_to(place.name)


def _second_name(place: Path, beyond: Path) -> None:
    os.link(beyond / "victim.txt", place)


def _fifo(place: Path, beyond: Path) -> None:
    os.mkfifo(place)


def _socket(place: Path, beyond: Path) -> None:
    here = os.open(place.parent, os.O_RDONLY)
    try:  # by a short path: the name of a socket has at most 107 bytes
        with socket.socket(socket.AF_UNIX) as one:
            one.bind(f"/proc/self/fd/{here}/{place.name}")
    finally:
        os.close(here)


def _folder(place: Path, beyond: Path) -> None:
    place.mkdir()


def _huge(place: Path, beyond: Path) -> None:
    with open(place, "wb") as file:
        file.truncate(2**40)  # no block of it is on the disk


KINDS: dict[str, Callable[[Path, Path], None]] = {
    "a link to a file": _link,
    "a link to nothing": _dangling,
    "a link to a folder": _to_folder,
    "a link to /dev/zero": _to_zero,
    "a link to itself": _to_itself,
    "a second name": _second_name,
    "a FIFO": _fifo,
    "a socket": _socket,
    "a folder": _folder,
    "1 TiB": _huge,
}


@contextmanager
def untouched(beyond: Path) -> Iterator[None]:
    """Asserts that nothing in the folder was written, made or removed."""
    before = _seen(beyond)
    yield
    assert _seen(beyond) == before


def _seen(beyond: Path) -> dict[str, bytes | None]:
    paths = sorted(beyond.rglob("*"))
    return {
        str(one): one.read_bytes() if one.is_file() and not one.is_symlink() else None
        for one in paths
    }
