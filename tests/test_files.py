"""Below a folder that somebody else filled only regular files are opened, by no link, and none
that is too large."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

import pytest

from hwnas import files
from hwnas.runs.atomic import atomic_write
from profilers.errors import InputError
from tests.evil import KINDS, SECRET, outside, untouched

READERS: dict[str, Callable[[Path, Path], object]] = {
    "exists": files.exists,
    "read": files.read,
    "reading": lambda path, root: files.reading(path, root).close(),
    "check": files.check,
    "sync": files.sync,
}
WRITERS: dict[str, Callable[[Path, Path], object]] = {
    "append": lambda path, root: files.append(path, root, b"more"),
    "truncate": lambda path, root: files.truncate(path, root, 0),
    "check for writing": lambda path, root: files.check(path, root, writing=True),
}
# A whole file is put in the place of a link, which is not followed.
REPLACERS: dict[str, Callable[[Path, Path], object]] = {
    "replace": lambda path, root: files.replace(path, root, b"new"),
    "rename": lambda path, root: files.rename(path, "other", root),
    "remove": files.remove,
}
HARMLESS_TO_READ = ("a second name",)


@pytest.fixture
def root(tmp_path: Path) -> Path:
    (tmp_path / "run" / "below").mkdir(parents=True)
    return tmp_path / "run"


@pytest.fixture
def beyond(tmp_path: Path) -> Path:
    return outside(tmp_path / "outside")


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("name", [*READERS, *WRITERS])
def test_what_is_no_regular_file_is_refused_in_one_line(
    root: Path, beyond: Path, name: str, kind: str
) -> None:
    path = root / "below" / "file"
    KINDS[kind](path, beyond)
    call = {**READERS, **WRITERS}[name]
    passes = name in READERS and kind in HARMLESS_TO_READ
    passes |= kind == "1 TiB" and name in ("exists", "sync", "append", "truncate")
    with untouched(beyond):
        if passes:
            call(path, root)
            return
        with pytest.raises(InputError) as error:
            call(path, root)
    assert str(error.value).startswith(f"{path}: ") and "\n" not in str(error.value)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("name", REPLACERS)
def test_a_file_is_put_in_the_place_of_a_link_and_not_behind_it(
    root: Path, beyond: Path, name: str, kind: str
) -> None:
    path = root / "below" / "file"
    KINDS[kind](path, beyond)
    with untouched(beyond):
        try:
            REPLACERS[name](path, root)
        except (InputError, OSError):
            return
    if name == "replace":
        assert not path.is_symlink() and path.read_bytes() == b"new"
    else:
        assert not os.path.lexists(path)


@pytest.mark.parametrize("kind", [kind for kind in KINDS if kind not in ("a folder", "1 TiB")])
@pytest.mark.parametrize("name", [*READERS, *WRITERS, *REPLACERS])
def test_no_folder_on_the_way_is_a_link(root: Path, beyond: Path, name: str, kind: str) -> None:
    KINDS[kind](root / "way", beyond)
    call = {**READERS, **WRITERS, **REPLACERS}[name]
    with untouched(beyond), pytest.raises(InputError, match=r"run/way: .*not a folder of its own"):
        call(root / "way" / "training.json", root)


def test_the_folder_itself_may_be_reached_through_a_link(root: Path, tmp_path: Path) -> None:
    (tmp_path / "alias").symlink_to(root)
    alias = tmp_path / "alias"
    files.append(alias / "lines", alias, b"one\n")
    files.append(alias / "lines", alias, b"two\n")
    files.truncate(alias / "lines", alias, 4)
    files.replace(alias / "more" / "deep" / "file", alias, b"x")
    assert files.read(root / "lines", root) == b"one\n"
    assert files.exists(root / "more" / "deep" / "file", root)
    assert files.names(root / "more", root) == ["deep"] and files.names(root / "none", root) == []


def test_two_points_lead_out(root: Path, beyond: Path) -> None:
    with untouched(beyond), pytest.raises(InputError, match="leads out of"):
        files.replace(root / ".." / "outside" / "victim.txt", root, b"x")


def test_a_file_that_the_user_names_may_be_a_link_but_not_a_device(
    root: Path, beyond: Path
) -> None:
    (root / "link").symlink_to(beyond / "victim.txt")
    assert files.read(root / "link", None) == SECRET
    with pytest.raises(InputError, match="a device, not a regular file"):
        files.read(Path("/dev/zero"), None)
    with pytest.raises(InputError, match="larger than 3 bytes"):
        files.read(root / "link", None, 3)


def test_a_file_that_does_not_say_its_size_is_read_whole(root: Path) -> None:
    status = Path("/proc/self/status")  # of no bytes, says the system
    if not status.exists():
        pytest.skip("the system has no such file")
    assert files.read(status, None).count(b"\n") > 10
    with pytest.raises(InputError, match="larger than 5 bytes"):
        files.read(status, None, 5)


def test_a_link_that_lies_in_wait_for_a_temporary_file_is_not_followed(
    root: Path, beyond: Path
) -> None:
    (root / f".file.{os.getpid()}.new").symlink_to(beyond / "victim.txt")
    with untouched(beyond):
        files.replace(root / "file", root, b"whole")
        (root / f".file.{os.getpid()}.new").symlink_to(beyond / "victim.txt")
        atomic_write(root / "file", b"again")
    assert (root / "file").read_bytes() == b"again" and [one.name for one in root.glob(".*")] == []


def test_what_the_system_refuses_names_the_file(root: Path) -> None:
    (root / "file").mkdir()
    with pytest.raises(OSError, match="file") as error:
        files.replace(root / "file", root, b"x")
    assert error.value.filename == str(root / "file")
