"""One measurement at a time, and nobody else can hold it up."""

from __future__ import annotations

import os
import stat
import tempfile
import threading
import time

import pytest

from profilers import lock
from profilers.lock import host_lock, is_private, lock_path, open_lock


def test_one_measurement_at_a_time_holds_the_lock(tmp_path):
    path = tmp_path / "lock"
    order = []

    def other() -> None:
        with host_lock(path, wait_s=10):
            order.append("second")

    with host_lock(path):
        thread = threading.Thread(target=other)
        thread.start()
        time.sleep(0.2)
        order.append("first")
    thread.join()
    assert order == ["first", "second"]


def test_who_waits_says_for_what_and_gives_up_with_a_line_that_names_the_file(
    tmp_path, monkeypatch, capsys
):
    monkeypatch.setattr(lock, "SAY_AFTER_S", 0.05)
    late = host_lock(tmp_path / "lock", wait_s=0.2)
    says = f"another measurement holds {tmp_path / 'lock'} for 0.2 s"
    with host_lock(tmp_path / "lock"), pytest.raises(TimeoutError, match=says), late:
        pass
    assert (
        capsys.readouterr().err
        == f"waiting for another measurement, which holds {tmp_path / 'lock'}\n"
    )


def test_the_lock_lies_in_a_folder_of_this_user_that_nobody_else_may_enter(tmp_path, monkeypatch):
    monkeypatch.setenv("XDG_RUNTIME_DIR", str(tmp_path))
    path = lock_path()
    assert path is not None and path.parent == tmp_path / "hwnas"
    assert stat.S_IMODE(path.parent.stat().st_mode) == 0o700


def test_a_folder_that_others_may_write_to_or_that_is_a_link_is_passed_over(tmp_path, monkeypatch):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    monkeypatch.setenv("XDG_RUNTIME_DIR", str(tmp_path))
    (tmp_path / "elsewhere").mkdir()
    (tmp_path / "hwnas").symlink_to(tmp_path / "elsewhere")
    assert not is_private(tmp_path / "hwnas")
    assert lock_path() == tmp_path / "cache" / "hwnas" / "lock" / lock.NAME
    (tmp_path / "hwnas").unlink()
    (tmp_path / "hwnas").mkdir()
    (tmp_path / "hwnas").chmod(0o777)
    assert not is_private(tmp_path / "hwnas")
    assert lock_path() == tmp_path / "cache" / "hwnas" / "lock" / lock.NAME


def test_what_lies_in_the_shared_temporary_folder_holds_up_nothing(tmp_path, monkeypatch):
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    os.mkfifo(tmp_path / "hwnas-one-measurement.lock")
    with host_lock():
        pass
    assert [one.name for one in tmp_path.iterdir()] == ["hwnas-one-measurement.lock"]


@pytest.mark.parametrize("laid", ["fifo", "folder", "link", "dangling link", "second name"])
def test_only_a_regular_file_with_one_name_is_a_lock_and_nothing_else_is_waited_for(tmp_path, laid):
    path, victim = tmp_path / "lock", tmp_path / "victim"
    if laid != "dangling link":
        victim.write_text("precious")
    {
        "fifo": lambda: os.mkfifo(path),
        "folder": path.mkdir,
        "link": lambda: path.symlink_to(victim),
        "dangling link": lambda: path.symlink_to(victim),
        "second name": lambda: path.hardlink_to(victim),
    }[laid]()
    assert open_lock(path) is None
    with host_lock(path, wait_s=0.1):  # measures all the same
        pass
    assert victim.exists() == (laid != "dangling link")
    assert not victim.exists() or victim.read_text() == "precious"


def test_a_lock_of_another_user_is_none(tmp_path, monkeypatch):
    path = tmp_path / "lock"
    handle = open_lock(path)
    assert handle is not None
    os.close(handle)
    monkeypatch.setattr(os, "geteuid", lambda: path.stat().st_uid + 1)
    assert open_lock(path) is None
    assert not is_private(tmp_path)
