"""What a killed process left half written goes at the next write; what is being written stays."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from hwnas import staged
from hwnas.runs.atomic import atomic_write
from hwnas.staged import forget_left_folders, stage, stage_folder


def written(folder: Path, name: str) -> Path:
    (folder / name).write_bytes(b"half")
    return folder / name


def test_what_was_left_of_the_same_file_is_removed_and_nothing_else(tmp_path: Path) -> None:
    left = [written(tmp_path, name) for name in (".front.json.1.new", ".front.json.77-2.new")]
    others = [".other.1.new", "front.json.1.new", ".front.json.x.new", ".front.json.1.newer"]
    kept = [written(tmp_path, name) for name in others]
    atomic_write(tmp_path / "front.json", b"whole")
    assert not any(path.exists() for path in left) and all(path.exists() for path in kept)


def test_a_name_with_signs_of_patterns_is_taken_as_it_is(tmp_path: Path) -> None:
    kept, left = written(tmp_path, ".axb.1.new"), written(tmp_path, ".a*b.1.new")
    atomic_write(tmp_path / "a*b", b"whole")
    assert kept.exists() and not left.exists()


def test_a_file_that_another_process_is_writing_stays_until_that_is_killed(tmp_path: Path) -> None:
    program = (
        "import os, sys, time; from hwnas.staged import stage;"
        "print(stage(os.open(sys.argv[1], os.O_RDONLY), 'front.json')[0], flush=True);"
        "time.sleep(600)"
    )
    command = [sys.executable, "-c", program, str(tmp_path)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as writer:
        try:
            assert writer.stdout is not None
            half = tmp_path / writer.stdout.readline().strip()
            atomic_write(tmp_path / "front.json", b"whole")
            assert half.exists()
        finally:
            writer.send_signal(signal.SIGKILL)
        writer.wait()
    atomic_write(tmp_path / "front.json", b"again")
    assert os.listdir(tmp_path) == ["front.json"]


def test_two_writers_of_one_number_get_files_of_their_own(tmp_path: Path) -> None:
    folder = os.open(tmp_path, os.O_RDONLY)
    (one, first), (two, second) = stage(folder, "a"), stage(folder, "a")
    assert one != two
    staged.forget_left(folder)
    assert sorted(os.listdir(tmp_path)) == sorted([one, two])
    for descriptor in (first, second):
        os.close(descriptor)
    staged.forget_left(folder)
    assert os.listdir(tmp_path) == []
    os.close(folder)


def test_a_file_that_was_removed_before_it_was_locked_is_made_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder, lock = os.open(tmp_path, os.O_RDONLY), staged.fcntl.flock
    removed: list[str] = []

    def late(descriptor: int, operation: int) -> None:
        if not removed:
            removed.extend(os.listdir(tmp_path))
            os.unlink(tmp_path / removed[0])
        lock(descriptor, operation)

    monkeypatch.setattr(staged.fcntl, "flock", late)
    name, descriptor = stage(folder, "a")
    assert removed and os.path.samestat(os.stat(tmp_path / name), os.fstat(descriptor))
    os.close(descriptor)
    os.close(folder)


def test_a_system_without_locks_loses_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refused(descriptor: int, operation: int) -> None:
        raise OSError(95, "not supported")

    monkeypatch.setattr(staged.fcntl, "flock", refused)
    half, torn = written(tmp_path, ".a.1.new"), tmp_path / ".a.2.new"
    torn.mkdir()
    atomic_write(tmp_path / "a", b"whole")
    forget_left_folders(tmp_path / "a")
    assert half.exists() and torn.exists() and (tmp_path / "a").read_bytes() == b"whole"


def test_folders_that_nobody_makes_any_more_are_removed(tmp_path: Path) -> None:
    (tmp_path / ".run.5.new" / "checkpoint").mkdir(parents=True)
    beside, held = stage_folder(tmp_path / "run")
    assert os.listdir(tmp_path) == [beside.name]
    other, also = stage_folder(tmp_path / "run")
    assert sorted(os.listdir(tmp_path)) == sorted([beside.name, other.name])
    for descriptor in (held, also):
        assert descriptor is not None
        os.close(descriptor)
    forget_left_folders(tmp_path / "run")
    assert os.listdir(tmp_path) == []
