"""Every command in poor surroundings ends well, or in one line that says why it does not."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import pytest

from hwnas.runs.directory import configs
from tests.cli.surroundings import PROJECT
from tests.search import tiny

pytestmark = pytest.mark.slow  # hundreds of commands

SHORT = (
    "devices list",
    "show run",
    "show run --json",
    "report run",
    "profile DARTS_V2 --target 1080ti",
    "resume run",
    "predict run images.npz",
    "devices show 1080ti",
)
LONG = (
    "search --config tiny.toml --out new",
    "plan --config tiny.toml",
    "derive run --target 1080ti",
    "train run --best --epochs 1",
    "export run --best --untrained --formats weights,onnx --no-measure",
    "sweep sweep.toml --out swept",
    "doctor run",
)
SWEEP = 'config = "tiny.toml"\n[sweep]\nseed = [0]\n'
GIB = 2**30


@pytest.fixture(scope="module")
def prepared(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Images, a config, a sweep and a finished run of them, with relative names."""
    folder = tmp_path_factory.mktemp("prepared")
    data = tiny.images(folder / "images.npz")
    (folder / "tiny.toml").write_bytes(configs.dump(tiny.config(data)))
    (folder / "sweep.toml").write_text(SWEEP)
    return folder


class Server:
    """Answers cases, one after the other."""

    def __init__(self) -> None:
        self.process = subprocess.Popen(
            [sys.executable, "-m", "tests.cli.surroundings"],
            cwd=PROJECT,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            env={**os.environ, "PYTHONPATH": str(PROJECT)},
        )

    def __call__(self, folder: Path, words: str, **case: Any) -> dict[str, Any]:
        assert self.process.stdin is not None and self.process.stdout is not None
        asked = {"words": words.split(), "folder": str(folder), **case}
        self.process.stdin.write(json.dumps(asked) + "\n")
        self.process.stdin.flush()
        found: dict[str, Any] = json.loads(self.process.stdout.readline())
        return found


@pytest.fixture(scope="module")
def command(prepared: Path) -> Iterator[Server]:
    server = Server()
    made = server(prepared, "search --config tiny.toml --out run --quiet")
    assert made["code"] == 0, made["err"]
    yield server
    server.process.communicate()


@pytest.fixture
def place() -> Iterator[Path]:
    """A folder that every user may enter."""
    with tempfile.TemporaryDirectory() as folder:
        os.chmod(folder, 0o755)
        yield Path(folder)


def fault(words: str, found: dict[str, Any]) -> str:
    """What is wrong with an answer; empty where it is as promised."""
    lines = [line for line in found["err"].splitlines() if line.startswith(("error:", "stopped:"))]
    allowed = (0, 1, 2, 3) if words.startswith("doctor") else (0, 2, 3)
    if "Traceback" in found["err"] or found["code"] not in allowed:
        return f"{words}: {found['code']} {found['err'][-600:]}"
    if found["code"] in (2, 3) and len(lines) != 1 and not words.startswith("doctor"):
        return f"{words}: {found['code']} without one line: {found['err'][-600:]}"
    return ""


def swept(
    command: Server, prepared: Path, place: Path, commands: tuple[str, ...], **case: Any
) -> list[dict[str, Any]]:
    """The answers to all commands, each typed in a fresh copy of the folder."""
    answers, faults = [], []
    for words in commands:
        folder = place / "copy"
        shutil.rmtree(folder, ignore_errors=True)
        shutil.copytree(prepared, folder)
        answers.append(command(folder, words, **case))
        faults.append(fault(words, answers[-1]))
    assert not any(faults), "\n".join(filter(None, faults))
    return answers


@pytest.mark.parametrize("columns", [40, 80])
def test_a_narrow_terminal_cuts_nothing_off(
    command: Server, prepared: Path, place: Path, columns: int
) -> None:
    narrow = swept(command, prepared, place, SHORT, env={"COLUMNS": str(columns)})
    assert not any("\u2026" in one["out"] for one in narrow)


@pytest.mark.parametrize(
    "env",
    [
        {"TERM": "dumb"},
        {"HOME": None, "XDG_CACHE_HOME": None, "XDG_DATA_HOME": None},
        {"HOME": "/proc/nowhere", "XDG_CACHE_HOME": None, "XDG_DATA_HOME": None},
        {"TMPDIR": "/proc/nowhere"},
    ],
    ids=lambda env: next(f"{name}={value}" for name, value in env.items()),
)
def test_terminals_and_homes_of_any_kind(
    command: Server, prepared: Path, place: Path, env: dict[str, str | None]
) -> None:
    swept(command, prepared, place, SHORT + LONG, env=env)


def test_the_language_of_c_without_utf_8(command: Server, prepared: Path, place: Path) -> None:
    plain = {"LC_ALL": "C", "LANG": "C", "PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0"}
    few = ("show run", "report run", "devices list", "search --config tiny.toml --out new")
    answers = swept(command, prepared, place, few, env=plain, fresh=True)
    assert all(one["code"] == 0 and one["out"].isascii() for one in answers)


@pytest.mark.parametrize("stdout", ["full", "gone", "closed"])
def test_output_that_cannot_be_written(
    command: Server, prepared: Path, place: Path, stdout: str
) -> None:
    answers = swept(command, prepared, place, SHORT, stdout=stdout)
    if stdout != "full":
        assert all(one["code"] in (0, 2) for one in answers)


@pytest.mark.parametrize("most", [0, 4096, 100_000])
def test_files_that_may_not_grow(command: Server, prepared: Path, place: Path, most: int) -> None:
    swept(command, prepared, place, SHORT + LONG, limits={"FSIZE": most})


@contextmanager
def small_disk(place: Path) -> Iterator[None]:
    """A disk of 8 MiB at ``place`` meanwhile; skips where none may be mounted."""
    mount = ["mount", "-t", "tmpfs", "-o", "size=8m", "tmpfs", str(place)]
    if os.getuid() or subprocess.run(mount, capture_output=True).returncode:
        pytest.skip("no small disk may be mounted here; a limit of files stands for it")
    try:
        yield
    finally:
        subprocess.run(["umount", "-l", str(place)], check=True)


def faults_of(command: Server, folder: Path) -> list[str]:
    """What is wrong with the answers to all commands, all typed in one folder."""
    return [found for words in SHORT + LONG if (found := fault(words, command(folder, words)))]


def test_a_disk_that_may_only_be_read(command: Server, prepared: Path, place: Path) -> None:
    with small_disk(place):
        shutil.copytree(prepared, place / "copy")
        subprocess.run(["mount", "-o", "remount,ro", str(place)], check=True)
        assert faults_of(command, place / "copy") == []
        assert command(place / "copy", "show run")["code"] == 0


def test_a_full_disk(command: Server, prepared: Path, place: Path) -> None:
    with small_disk(place):
        shutil.copytree(prepared, place / "copy")
        with suppress(OSError), open(place / "filler", "wb", buffering=0) as filler:
            while True:
                filler.write(bytes(4096))
        assert faults_of(command, place / "copy") == []


@pytest.mark.parametrize("gib", [1.5, 3, 8])
def test_memory_of_a_limited_size(command: Server, prepared: Path, place: Path, gib: float) -> None:
    few = (
        "show run",
        "report run",
        *(words for words in LONG if words.startswith(("s", "t", "e"))),
    )
    answers = swept(command, prepared, place, few, limits={"AS": int(gib * GIB)}, fresh=True)
    failed = [
        (words, one["code"], one["err"][-300:])
        for words, one in zip(few, answers, strict=True)
        if one["code"]
    ]
    assert failed == []
