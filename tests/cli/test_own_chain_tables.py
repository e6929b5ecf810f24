"""Tables of a chain of one's own: `calibrate` and `fit` take its file, and a search of the file
finds what they keep."""

from __future__ import annotations

import csv
import json
import subprocess
import sys
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from hwnas.catalog import find_device
from hwnas.cli import devices_bench
from hwnas.config import Config, resolve
from hwnas.costs.tables import calibration, user_folder
from hwnas.measuring.bench import Item
from hwnas.search.plan import plan
from hwnas.space.encoding import sample, to_genotype
from hwnas.space.family import family
from hwnas.space.space import SPACES, Space
from hwnas.space.text import format_text
from profilers.device import load
from profilers.errors import InputError
from profilers.measurement import Outcome, Receipt
from profilers.table import NetworkSize
from tests.cli.test_fitted_tables import BOARD
from tests.cli.test_search import Command
from tests.measuring.test_calibrate import Fake
from tests.search import tiny
from tests.typed import Done, type_command

CHAIN = """
name = "{name}"

[stem]
width = {width}
stride = 1

[[stages]]
width = 8
depth = 2
blocks = ["separable_k3", "plain_k3", "none"]

[[stages]]
width = 16
depth = 3
stride = 2
blocks = ["k3_e3", "k5_e6", "none"]

[head]
width = 0
"""
NETWORK = NetworkSize(channels=8, cells=5, classes=10, image=(1, 8, 8))
CALIBRATE = (
    "devices", "calibrate", "--target", "board.toml", "--image", "1x8x8",
    "--train", "30", "--held-out", "20",
)  # fmt: skip


class Board(Fake):
    """Measures by ONNX Runtime, as searches do unless told otherwise."""

    def latencies(self, items: Sequence[Item]) -> list[Outcome]:
        receipt = Receipt(backend="onnxruntime", host="moon")
        return [replace(one, receipt=receipt) for one in super().latencies(items)]


@pytest.fixture
def hwnas(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> Iterator[Command]:
    """Run a command line in a folder with images, a device that knows what layers cost, and
    chains."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("COLUMNS", "200")
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path / "kept"))
    monkeypatch.setattr(
        devices_bench, "make_bench", lambda *_, **__: lambda _protocol: Board(network=NETWORK)
    )
    tiny.images(Path("tiny.npz"))
    Path("board.toml").write_text(BOARD.format("my-board", ""))
    Path("own").mkdir()
    before = set(SPACES)

    def run(*words: str) -> Done:
        return type_command(monkeypatch, capsys, *words)

    yield run
    for name in set(SPACES) - before:
        del SPACES[name]


def chain(name: str, width: int = 8) -> str:
    """The path of a file with a chain; one of two stages and five blocks."""
    path = Path("own") / f"{name}.toml"
    path.write_text(CHAIN.format(name=name, width=width))
    return str(path)


def config(space: str) -> Config:
    return resolve(
        {
            "space": space,
            "target": "board.toml",
            "objectives": [{"metric": "latency"}],
            "require": "table",
            "data": {"source": "tiny.npz"},
        }
    )


def test_calibrate_takes_the_file_of_a_chain_and_a_search_of_it_finds_the_table(
    hwnas: Command,
) -> None:
    mine = chain("mine")
    done = hwnas(*CALIBRATE, "--space", mine)
    assert done.code == 0, done.err
    path = user_folder() / "my-board.mine.c8-n5-1x8x8.json"
    assert f"{path}: latency table of my-board for mine, in ms" in done.out
    assert "  measured twice, for comparison: MAPE 0.00 %, Kendall tau 1.000\n" in done.out
    assert f"Next: hwnas search --target board.toml --space {mine} " in done.out
    (cost, *_) = plan(config(mine)).costs
    assert (cost.provenance, cost.table) == ("table", path)


def test_fit_takes_the_file_of_a_chain_and_a_search_of_it_finds_the_table(hwnas: Command) -> None:
    mine = chain("fitted")
    space = config_space(mine)
    written(space, Path("measured.csv"))
    words = ("--csv", "measured.csv", "--device", "board.toml", "--space", mine)
    done = hwnas("devices", "fit", *words, "--image", "1x8x8")
    assert done.code == 0, done.err
    assert f"finds it: hwnas search --target board.toml --space {mine} " in done.out
    (cost, *_) = plan(config(mine)).costs
    assert cost.table == user_folder() / "my-board.fitted.c8-n5-1x8x8.json"


def test_a_table_of_a_chain_is_listed_in_blocks_and_asked_where_its_file_was_never_read(
    hwnas: Command,
) -> None:
    """As a process of its own does, which knows the shipped spaces alone."""
    mine = chain("elsewhere")
    written(config_space(mine), Path("measured.csv"))
    assert hwnas(*CALIBRATE, "--space", mine).code == 0
    del SPACES["elsewhere"]
    listed = hwnas("devices", "tables").out
    assert "elsewhere networks (5 blocks, 8 channels," in listed
    assert "elsewhere" not in SPACES
    typed = ("devices", "predict", "my-board.elsewhere", "--csv", "measured.csv", "--out", "o.csv")
    done = subprocess.run(
        [sys.executable, "-m", "hwnas", *typed], capture_output=True, text=True, timeout=60
    )
    assert done.returncode == 0, done.stderr
    assert "40 latencies in ms on my-board" in done.stdout


def test_an_older_table_that_does_not_hold_its_chain_is_not_said_to_be_of_cells(
    hwnas: Command,
) -> None:
    assert hwnas(*CALIBRATE, "--space", chain("older")).code == 0
    (path,) = user_folder().glob("my-board.older.*.json")
    data = json.loads(path.read_text())
    del data["provenance"]["macro"]
    path.write_text(json.dumps(data))
    assert plan(config("own/older.toml")).costs[0].table == path
    del SPACES["older"]
    assert "(5 cells or blocks, 8 channels," in hwnas("devices", "tables").out


def test_a_table_of_another_chain_of_the_same_name_is_not_taken(hwnas: Command) -> None:
    assert hwnas(*CALIBRATE, "--space", chain("twin")).code == 0
    del SPACES["twin"]
    Path("own/twin.toml").write_text(CHAIN.format(name="twin", width=8).replace("k5_e6", "k5_e3"))
    with pytest.raises(InputError, match="no latency table of twin networks"):
        plan(config("own/twin.toml"))
    (path,) = user_folder().glob("my-board.twin.*.json")
    with pytest.raises(InputError, match="it has another chain that is called twin, too"):
        plan(config("own/twin.toml"), table=path)


def test_what_makes_a_table_of_a_chain_of_ones_own_is_said_with_a_file(hwnas: Command) -> None:
    space = config_space(chain("said"))
    of = family(space, channels=8, cells=5, classes=10, image=(1, 8, 8))
    device = load(find_device("board.toml"))
    assert "--space FILE.toml --channels 8 --cells 5 " in calibration(device, of)
    mobile = SPACES["mobile-small"]
    of = family(mobile, channels=16, cells=mobile.depth or 0, classes=10, image=(3, 32, 32))
    assert "--space mobile-small " in calibration(device, of)


@pytest.mark.parametrize(
    "command", [CALIBRATE, ("devices", "fit", "--csv", "x.csv", "--device", "board.toml")]
)
def test_a_file_of_a_chain_that_can_not_be_read_is_one_line(
    hwnas: Command, command: tuple[str, ...]
) -> None:
    done = hwnas(*command, "--space", "own/none.toml")
    assert done.code == 2 and "own/none.toml: cannot be read" in done.err
    Path("own/bad.toml").write_text('name = "bad"\nstem = 3\n')
    done = hwnas(*command, "--space", "own/bad.toml")
    assert done.code == 2 and done.err.startswith("error: own/bad.toml: macro"), done.err


def config_space(file: str) -> Space:
    return SPACES[config(file).space]


def written(space: Space, path: Path) -> None:
    """40 networks: 1 ms and 0.1 ms for each of an option's number."""
    rng = np.random.default_rng(0)
    with path.open("w", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(["arch", "latency"])
        for _ in range(40):
            drawn = sample(space, rng)
            writer.writerow([format_text(to_genotype(space, drawn)), 1 + 0.1 * drawn.sum()])
