"""A stranger's run directory of links, FIFOs, devices and sockets: no command reads, writes or
waits outside."""

from __future__ import annotations

import json
import os
import shutil
import signal
from collections.abc import Callable, Iterator
from pathlib import Path
from types import FrameType
from typing import Any

import pytest

from hwnas import doctor
from hwnas.cli import main
from hwnas.search.progress import SearchProgress
from hwnas.search.search import search
from hwnas.space.published import PUBLISHED
from hwnas.training.loop import Training
from tests.evil import KINDS, SECRET, outside, untouched
from tests.runs.made import finished_run
from tests.search import tiny

FINISHED, BEGUN = "finished", "begun"
KEY = "KEY"
FOLDERS = ("checkpoint", "models", "models/KEY", "models/KEY-untrained", "profiles")
FILES = (
    "config.toml",
    "environment.json",
    "trials.jsonl",
    "history.jsonl",
    "front.json",
    "trained.json",
    "precisions.json",
    "measurements.jsonl.gz",
    "latency-table.json",
    "events.out.tfevents.0.hwnas",
    "report.html",
    ".lock",
    ".front.json.PID.new",
    "checkpoint/state.safetensors",
    "checkpoint/previous.safetensors",
    "checkpoint/.state.safetensors.PID.new",
    "profiles/cpu.jsonl.gz",
    "models/KEY/training.json",
    "models/KEY/training.safetensors",
    "models/KEY/weights.safetensors",
    "models/KEY/best.safetensors",
    "models/KEY/events.out.tfevents.0.hwnas",
    "models/KEY/export.json",
    "models/KEY-untrained/model.onnx",
    "models/KEY-untrained/export.json",
)
COMMANDS: dict[str, tuple[str, tuple[str, ...]]] = {
    "show": (FINISHED, ("show", "RUN")),
    "report": (FINISHED, ("report", "RUN")),
    "doctor": (FINISHED, ("doctor", "RUN")),
    "doctor of a search": (BEGUN, ("doctor", "RUN")),
    "train": (
        FINISHED,
        ("train", "RUN", KEY, "--epochs", "1", "--batch", "512", "--channels", "2", "-q"),
    ),
    "train afresh": (FINISHED, ("train", "RUN", KEY, "--fresh", "-q")),
    "export": (
        FINISHED,
        ("export", "RUN", KEY, "--untrained", "--formats", "weights", "--no-measure", "-q"),
    ),
    "export of a training": (
        FINISHED,
        ("export", "RUN", "--formats", "weights", "--no-measure", "-q"),
    ),
    "profile": (FINISHED, ("profile", "RUN", "--targets", "cpu", "--backend", "counts")),
    "resume": (BEGUN, ("resume", "RUN", "--quiet")),
    "resume of what has ended": (FINISHED, ("resume", "RUN", "--quiet")),
}
# Commands that take a second each, and what of a run they are there to open.
SLOW = {
    "train": "models",
    "export": "models",
    "export of a training": "models",
    "profile": "profiles",
    "resume": "",
    "resume of what has ended": "",
    "report": "",
}


class Reached(KeyboardInterrupt):
    """The training would begin now."""


@pytest.fixture(scope="session")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A search that has ended, with a trained network, and one that was stopped; KEY is that
    network's."""
    folder = tmp_path_factory.mktemp("strangers")
    run = finished_run(folder / FINISHED).path
    member = json.loads((run / "front.json").read_text())["front"][0]
    record = {
        **{
            name: member[name] for name in ("key", "genotype", "text", "channels", "cells", "costs")
        },
        **{"name": member["key"], "test_accuracy": 0.5, "data": "digits"},
    }
    (run / "models" / member["key"]).mkdir(parents=True)
    (run / "models" / member["key"] / "training.json").write_text(json.dumps(record))

    epochs: list[SearchProgress] = []

    def third(progress: SearchProgress) -> None:
        epochs.append(progress)
        if len(epochs) == 3:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        search(tiny.config(tiny.images(folder / "images.npz")), folder / BEGUN, third)
    return folder


@pytest.fixture
def no_hanging() -> Iterator[None]:
    """Ends what waits for ever, as a failure."""

    def late(number: int, frame: FrameType | None) -> None:
        raise RuntimeError("this waits for ever")

    before = signal.signal(signal.SIGALRM, late)
    signal.alarm(60)
    yield
    signal.alarm(0)
    signal.signal(signal.SIGALRM, before)


@pytest.fixture
def call(
    made: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> Callable[[str, str, str], None]:
    """Lay a kind of evil in a place of a fresh copy, type a command there, and look outside."""
    for check in ("_installation", "_hardware", "_back_ends"):
        monkeypatch.setattr(doctor, check, lambda: iter(()))

    def begins(*_: Any) -> None:
        raise Reached

    monkeypatch.setattr(Training, "run_epoch", begins)
    key = next((made / FINISHED / "models").iterdir()).name

    def calling(command: str, name: str, kind: str) -> None:
        which, words = COMMANDS[command]
        beyond = outside(tmp_path / "outside")
        run = Path(shutil.copytree(made / which, tmp_path / "run"))
        place = run / name.replace(KEY, key).replace("PID", str(os.getpid()))
        place.parent.mkdir(parents=True, exist_ok=True)
        if place.is_dir():
            shutil.rmtree(place)
        place.unlink(missing_ok=True)
        KINDS[kind](place, beyond)
        said = [word.replace("RUN", str(run)).replace(KEY, key) for word in words]
        monkeypatch.setattr("sys.argv", ["hwnas", *said])
        with untouched(beyond), pytest.raises(SystemExit) as ended:
            main()
        out, err = capsys.readouterr()
        code = ended.value.code or 0
        assert code in (0, 1, 2, 3, 130), err
        assert (
            "Traceback" not in err and "PROBLEM  OSError" not in out and "please report" not in out
        )
        # A second name can't be told from a file of the run, and may be quoted to the user whose it
        # is.
        assert kind == "a second name" or SECRET.decode().strip() not in out + err
        if code in (2, 3):
            assert err.startswith(("error: ", "stopped: ")) and err.count("\n") == 1, err

    return calling


FAST = [
    (command, name, kind)
    for number, (command, name, kind) in enumerate(
        (command, name, kind)
        for command in COMMANDS
        if command not in SLOW
        for name in (*FILES, *FOLDERS)
        for kind in KINDS
    )
    if number % 41 == 0
]
FAST += [
    ("resume", "trials.jsonl", "a link to a file"),
    ("resume", "trials.jsonl", "a second name"),
    ("resume", "history.jsonl", "a link to nothing"),
    ("resume", "checkpoint", "a link to a folder"),
    ("resume", "checkpoint/state.safetensors", "a FIFO"),
    ("resume", ".lock", "a link to a file"),
    ("resume", ".lock", "a second name"),
    ("resume", "front.json", "a link to nothing"),
    ("report", "models/KEY/export.json", "a link to /dev/zero"),
    ("report", "report.html", "a link to a file"),
    ("show", "precisions.json", "a link to /dev/zero"),
    ("report", "precisions.json", "a FIFO"),
    ("train", "models", "a link to a folder"),
    ("train", "models/KEY/training.safetensors", "a link to a file"),
    ("export of a training", "models/KEY/weights.safetensors", "a link to /dev/zero"),
]


@pytest.mark.usefixtures("no_hanging")
@pytest.mark.parametrize(("command", "name", "kind"), FAST)
def test_nothing_outside_is_touched(
    call: Callable[[str, str, str], None], command: str, name: str, kind: str
) -> None:
    call(command, name, kind)


@pytest.mark.parametrize("place", ["exported", "exported/NAME", "out/NAME"])
def test_an_export_follows_no_link_in_the_folder_that_it_is_typed_in(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], place: str
) -> None:
    beyond, here = outside(tmp_path / "outside"), tmp_path / "here"
    here.mkdir()
    monkeypatch.chdir(here)
    name = place.replace(
        "/NAME", f"/{PUBLISHED['DARTS_V2'].key}{'' if 'out' in place else '-untrained'}"
    )
    Path(name).parent.mkdir(exist_ok=True)
    Path(name).symlink_to(beyond / "below")
    words = [
        "export",
        "DARTS_V2",
        "--untrained",
        "--channels",
        "4",
        "--cells",
        "3",
        "--formats",
        "weights",
    ]
    words += ["--out", "out"] if "out" in place else []
    monkeypatch.setattr("sys.argv", ["hwnas", *words, "--no-measure", "-q"])
    with untouched(beyond), pytest.raises(SystemExit) as ended:
        main()
    assert ended.value.code == 2 and "a link, not a folder of its own" in capsys.readouterr().err


EVERY = [
    (command, name, kind)
    for command in COMMANDS
    for name in (*FILES, *FOLDERS)
    for kind in KINDS
    if command not in SLOW or name.startswith(SLOW[command])
]


@pytest.mark.slow
@pytest.mark.usefixtures("no_hanging")
@pytest.mark.parametrize(("command", "name", "kind"), EVERY[::11])
def test_nothing_outside_is_touched_by_any_command(
    call: Callable[[str, str, str], None], command: str, name: str, kind: str
) -> None:
    call(command, name, kind)


@pytest.mark.slow
@pytest.mark.exhaustive
@pytest.mark.usefixtures("no_hanging")
@pytest.mark.parametrize(("command", "name", "kind"), EVERY)
def test_nothing_outside_is_touched_by_any_command_in_any_place(
    call: Callable[[str, str, str], None], command: str, name: str, kind: str
) -> None:
    call(command, name, kind)
