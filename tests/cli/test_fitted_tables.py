"""A table that was fitted to somebody's file is found by a search for that device, or says how to be found."""

from __future__ import annotations

import csv
from pathlib import Path

import numpy as np
import pytest

from hwnas.config import Config, resolve
from hwnas.costs.tables import default_path
from hwnas.runs.directory import open_run
from hwnas.search.plan import plan
from hwnas.space import SPACES
from hwnas.space.encoding import sample, to_genotype
from hwnas.space.text import format_text
from profilers.errors import InputError
from profilers.table import Network, load
from tests.cli.test_search import QUICK, Command
from tests.search import tiny
from tests.typed import Done, type_command

DARTS = SPACES["darts"]
BOARD = 'name = "{}"\nkind = "edge_cpu"\ndescription = "a board"\n{}'
PEAKS = "[peak]\nfp32_gmacs_per_s = 0.05\n[bandwidth]\nmemory_gb_per_s = 0.05\n"
SIZE = ("--space", "darts", "--channels", "4", "--cells", "3", "--image", "1x8x8")
SEARCH = ("--config", "quick.toml", "--data", "tiny.npz", "--objective", "latency", "--space", "darts")


@pytest.fixture
def hwnas(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Command:
    """Run a command line in a folder with images, a device file of another name, and what it measured."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("COLUMNS", "200")
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path / "own"))
    tiny.images(Path("tiny.npz"))
    Path("quick.toml").write_text(QUICK)
    Path("some-file.toml").write_text(BOARD.format("my-board", ""))
    Path("fast.toml").write_text(BOARD.format("fast", PEAKS))
    written("measured.csv", 1.0)

    def run(*words: str) -> Done:
        return type_command(monkeypatch, capsys, *words)

    return run


def config(target: str, **changes: object) -> Config:
    return tiny.config(Path("tiny.npz"), target=target, objectives=[{"metric": "latency"}], **changes)


def written(name: str, scale: float) -> None:
    """40 networks of DARTS: 1 ms and 0.1 ms for each of an operation's number, times ``scale``."""
    rng = np.random.default_rng(0)
    with open(name, "w", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(["arch", "latency"])
        for _ in range(40):
            drawn = sample(DARTS, rng)
            cost = scale * (1 + 0.1 * drawn.sum())
            writer.writerow([format_text(to_genotype(DARTS, drawn)), cost])


def test_a_search_finds_a_table_by_the_name_in_the_devices_file(hwnas: Command) -> None:
    fitted = hwnas("devices", "fit", "--csv", "measured.csv", "--device", "some-file.toml", *SIZE)
    assert fitted.code == 0, fitted.err
    path = default_path("my-board", "darts", Network(4, 3, 10, (1, 8, 8)))
    assert load(path).device == "my-board"
    assert f"{path}: latency table of my-board" in fitted.out
    assert "finds it: hwnas search --target some-file.toml" in fitted.out
    (cost, *_) = plan(config("some-file.toml", require="table")).costs
    assert (cost.name, cost.provenance, cost.table) == ("latency", "table", path)


def test_a_table_elsewhere_is_named_and_kept_for_a_resumed_run(hwnas: Command) -> None:
    fitted = hwnas(
        "devices", "fit", "--csv", "measured.csv", "--device", "some-file.toml", *SIZE, "--out", "t.json"
    )
    assert "no search finds it by itself: name it with --table t.json" in fitted.out
    words = ("search", "--target", "some-file.toml", *SEARCH, "--require", "table", "--out", "run", "-q")
    alone = hwnas(*words)
    assert alone.code == 2 and "no latency table" in alone.err
    found = hwnas(*words, "--table", "t.json")
    assert found.code == 0, found.err
    run = open_run(Path("run"))
    assert (run.path / "latency-table.json").read_bytes() == Path("t.json").read_bytes()
    Path("t.json").unlink()
    assert plan(run.config, table=run.path / "latency-table.json").costs[0].provenance == "table"


def test_a_table_of_another_device_is_said_to_be_one(hwnas: Command) -> None:
    hwnas("devices", "fit", "--csv", "measured.csv", "--device", "some-file.toml", *SIZE, "--out", "t.json")
    said: list[str] = []
    planned = plan(config("1080ti"), said.append, Path("t.json"))
    assert (planned.costs[0].provenance, planned.costs[0].table) == ("table", Path("t.json"))
    assert said == ["note: t.json is a table of my-board, and the target is 1080ti"]


@pytest.mark.parametrize(
    ("words", "line"),
    [
        (("--objective", "params", "--table", "t.json"), "--table: only with --objective latency"),
        (("--objective", "latency", "--table", "none.json"), "table file none.json: not found"),
        (("--objective", "latency", "--table", "tiny.npz"), "unknown table 'tiny.npz'"),
    ],
)
def test_a_table_that_cannot_be_used_is_refused(hwnas: Command, words: tuple[str, ...], line: str) -> None:
    for command in (("search", "--out", "run"), ("plan",)):
        done = hwnas(*command, "--data", "tiny.npz", *words)
        assert done.code == 2 and line in done.err
    assert not Path("run").exists()


@pytest.mark.parametrize(
    ("scale", "unit", "device"),
    [(1e-3, "s", "some-file.toml"), (1e-3, "s", "fast.toml"), (1e3, "us", "fast.toml")],
)
def test_latencies_in_another_unit_are_not_fitted_in_silence(
    hwnas: Command, scale: float, unit: str, device: str
) -> None:
    """The device with peaks knows which unit fits, the other one asks; with the unit both fit the same."""
    written("other.csv", scale)
    words = ("devices", "fit", "--csv", "other.csv", "--device", device, *SIZE, "--out", "t.json")
    done = hwnas(*words)
    assert done.code == 2
    asked = f"say --unit {unit}" if device == "fast.toml" else "say what they are in, with --unit ms, us or s"
    assert asked in done.err
    assert not Path("t.json").exists()
    done = hwnas(*words, "--unit", unit)
    assert done.code == 0, done.err
    assert f"(read as {unit})" in done.out
    values = [1 + 0.1 * sample(DARTS, rng).sum() for rng in [np.random.default_rng(0)] for _ in range(40)]
    assert f"latencies from {min(values):.4g} to {max(values):.4g} ms" in done.out


def test_a_device_file_that_is_not_there_is_no_name(hwnas: Command) -> None:
    done = hwnas("devices", "fit", "--csv", "measured.csv", "--device", "none.toml", *SIZE)
    assert done.code == 2 and "device file none.toml: not found" in done.err


def test_a_name_cannot_lead_out_of_the_folder_of_tables() -> None:
    network = Network(4, 3, 10, (1, 8, 8))
    inside = default_path("board", "darts", network).parent
    for name in ("../../x", "/etc/x", "a/b", "..", "x\\y"):
        assert default_path(name, "darts", network).parent == inside


def test_the_unit_of_a_target_is_looked_at_before_anything_is_read(hwnas: Command) -> None:
    for value in ("0.5ms", "8MiB", "fast"):
        words = ("--objective", "params", "--target-value", value)
        for command in ("search", "plan"):
            done = hwnas(command, *words, "--data", "absent.npz")
            assert done.code == 2 and "target-value: " in done.err
    wrong = {"objectives": [{"metric": "latency", "target": "200KiB"}], "data": {"source": "absent.npz"}}
    with pytest.raises(InputError, match="target-value: '200KiB' is in 'KiB', not in ms"):
        plan(resolve(wrong))
