"""Only --download downloads: no config, sweep file or run directory can, whoever wrote it."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from hwnas import config as configs
from hwnas.cli import main
from hwnas.config import resolve
from hwnas.runs import directory as runs
from hwnas.training import sources
from hwnas.training.data import default_root
from tests.runs.made import finished_run

TINY = """
objectives = [{ metric = "params" }]
[data]
source = "cifar10"
root = "ROOT"
download = WORD
"""
WORDS = ("true", "1", '"yes"')


@pytest.fixture
def asked(monkeypatch: pytest.MonkeyPatch) -> list[tuple[Path, bool]]:
    """Every (folder, download) that torchvision's reader would be called with; it finds nothing."""
    found: list[tuple[Path, bool]] = []

    class Reader:
        """In the place of torchvision's CIFAR10."""

        def __init__(self, root: str, train: bool, download: bool) -> None:
            found.append((Path(root), download))
            raise RuntimeError("Dataset not found or corrupted.")

    class Sets:
        CIFAR10 = Reader

    monkeypatch.setattr(sources.torchvision_shim, "datasets", lambda: Sets)
    return found


@pytest.fixture
def call(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Callable[..., str]:
    def calling(*words: str) -> str:
        monkeypatch.setattr("sys.argv", ["hwnas", *words])
        with pytest.raises(SystemExit) as ended:
            main()
        assert ended.value.code == 2
        return capsys.readouterr().err

    return calling


def stranger(path: Path, root: Path, ended: bool) -> Path:
    """A run whose config wants a download."""
    run = finished_run(path)
    if not ended:
        run.front_path.unlink()
    text = (run.path / "config.toml").read_text()
    text = text.replace(
        'source = "digits"', f'source = "cifar10"\nroot = "{root}"\ndownload = true'
    )
    (run.path / "config.toml").write_text(text)
    return run.path


@pytest.mark.parametrize("word", WORDS)
@pytest.mark.parametrize("command", ["search", "plan"])
def test_a_config_file_downloads_nothing_and_a_line_says_so(
    tmp_path: Path,
    asked: list[tuple[Path, bool]],
    call: Callable[..., str],
    command: str,
    word: str,
) -> None:
    file = tmp_path / "theirs.toml"
    file.write_text(TINY.replace("ROOT", str(tmp_path)).replace("WORD", word))
    named = ("--config", str(file)) if command == "search" else (str(file),)
    said = call(command, *named)
    assert asked and not any(download for _, download in asked)
    assert f"{file}: data.download is passed over; only --download downloads" in said
    asked.clear()
    said = call(command, *named, "--download")
    assert asked == [(tmp_path, True)] and "passed over" not in said


def test_a_sweep_file_downloads_nothing_either(
    tmp_path: Path,
    asked: list[tuple[Path, bool]],
    call: Callable[..., str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    from hwnas.cluster import searches, sweep_file

    file = tmp_path / "sweep.toml"
    text = TINY.replace("ROOT", str(tmp_path)).replace("WORD", "true")
    file.write_text(text + '[sweep]\nseed = [0]\n"data.download" = [true]\n')
    heard: list[str] = []
    (planned,) = sweep_file.read_sweep(file, say=heard.append)
    assert not planned.config.data.download and heard == [
        f"{file}: data.download is passed over; only --download downloads"
    ]
    searches._fetch([planned.config])
    assert asked == []
    (planned,) = sweep_file.read_sweep(file, download=True, say=heard.append)
    assert planned.config.data.download and len(heard) == 1
    call("sweep", str(file), "--out", str(tmp_path / "out"), "--download")
    assert asked == [(tmp_path, True)]


@pytest.mark.parametrize(
    ("ended", "words"),
    [
        (False, ("resume", "RUN")),
        (True, ("train", "RUN", "--all")),
        (True, ("export", "RUN", "--untrained")),
    ],
    ids=lambda one: one[0] if isinstance(one, tuple) else "",
)
def test_a_run_downloads_nothing_and_never_to_the_folder_that_it_names(
    tmp_path: Path,
    asked: list[tuple[Path, bool]],
    call: Callable[..., str],
    ended: bool,
    words: tuple[str, ...],
) -> None:
    run = stranger(tmp_path / "run", tmp_path / "theirs", ended)
    said = [str(run) if word == "RUN" else word for word in words]
    assert "--download" in call(*said)
    assert asked == [(tmp_path / "theirs", False)]
    asked.clear()
    call(*said, "--download")
    assert asked == [(default_root(), True)]
    asked.clear()
    call(*said, "--download", "--data-root", str(tmp_path / "mine"))
    assert asked == [(tmp_path / "mine", True)]


def test_a_run_does_not_keep_that_its_images_were_fetched(tmp_path: Path) -> None:
    config: Any = resolve({"data": {"source": "cifar10", "download": True}})
    assert config.data.download
    run = runs.create(tmp_path / "run", config, [], "")
    assert "download" not in (run.path / "config.toml").read_text()
    assert runs.open_run(run.path).config == configs.with_data(config, download=False)


def test_what_is_neither_yes_nor_no_is_still_refused(
    tmp_path: Path, call: Callable[..., str]
) -> None:
    file = tmp_path / "theirs.toml"
    file.write_text(TINY.replace("ROOT", str(tmp_path)).replace("WORD", '"perhaps"'))
    assert "data.download" in call("search", "--config", str(file))
