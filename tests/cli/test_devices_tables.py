from __future__ import annotations

import csv
import json
import sys
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import numpy as np
import pytest

from hwnas.costs.tables import BENCHMARK, why_not_found
from hwnas.measuring import calibration_runs
from hwnas.space import SPACES
from hwnas.space.encoding import sample, to_genotype
from hwnas.space.text import format_text
from profilers.timing import Protocol
from tests.typed import type_command

Run = Callable[..., tuple[int, str, str]]
NB201 = SPACES["nasbench201"]
COST = np.array([0.0, 0.1, 1.0, 4.0, 2.0])


@pytest.fixture
def hwnas(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Run:
    def run(*words: str) -> tuple[int, str, str]:
        return type_command(monkeypatch, capsys, *words)

    return run


@pytest.fixture
def measured(tmp_path: Path) -> Path:
    """40 networks of a device whose latency is 5 ms plus a cost per operation, one of them not
    measured."""
    rng = np.random.default_rng(0)
    path = tmp_path / "measured.csv"
    with path.open("w", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(["arch", "latency"])
        for number in range(40):
            one = sample(NB201, rng)
            writer.writerow(
                [format_text(to_genotype(NB201, one)), "" if number == 7 else 5 + COST[one].sum()]
            )
    return path


def test_fit_and_predict_from_one_csv(hwnas: Run, measured: Path, tmp_path: Path) -> None:
    table, out = tmp_path / "phone.json", tmp_path / "out.csv"
    code, printed, _ = hwnas(
        "devices", "fit", "--csv", str(measured), "--device", "my phone", "--space", "nasbench201",
        "--unit", "ms", "--out", str(table), "--json",
    )  # fmt: skip
    found = json.loads(printed)
    assert (code, found["device"], found["blank"]) == (0, "my phone", 1)
    assert found["mape_percent"] < 0.1
    assert found["kendall_tau"] > 0.95
    assert found["model"]["design"] == "eager"
    code, printed, _ = hwnas(
        "devices", "predict", str(table), "--csv", str(measured), "--out", str(out)
    )
    assert (code, "40 latencies in ms on my phone" in printed) == (0, True)
    with measured.open() as given, out.open() as made:
        for before, after in zip(csv.DictReader(given), csv.DictReader(made), strict=True):
            assert list(after) == ["arch", "latency_ms"]
            assert after["arch"] == before["arch"]
            if before["latency"]:
                assert float(after["latency_ms"]) == pytest.approx(
                    float(before["latency"]), rel=1e-3
                )


def test_the_tables_are_listed_and_found_by_the_name_that_the_list_gives(
    hwnas: Run, measured: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path / "data"))
    assert "no tables yet" in hwnas("devices", "tables")[1]
    hwnas("devices", "fit", "--csv", str(measured), "--device", "my phone")
    folder = tmp_path / "data" / "hwnas" / "tables"
    (folder / "old.darts.json").write_text("{}")

    code, printed, _ = hwnas("devices", "tables", "--json")
    rows = {row["name"]: row for row in json.loads(printed)}
    assert code == 0 and len(rows) == 2
    own = rows.pop("my_phone.nasbench201.c16-n15-3x32x32")
    assert (own["device"], own["space"], own["metric"]) == ("my phone", "nasbench201", "latency")
    assert own["mape_percent"] < 1 and own["found_by_searches"] is True
    assert "not a latency table" in rows["old.darts"]["problem"]

    code, printed, _ = hwnas("devices", "tables")
    assert "  nasbench201 networks on my phone" in printed and "  off by" in printed
    predicted = ("devices", "predict", own["name"], "--csv", str(measured))
    assert hwnas(*predicted, "--out", str(tmp_path / "by-name.csv"))[0] == 0
    code, _, error = hwnas("devices", "predict", "my_phon", "--csv", "x", "--out", "y")
    assert code == 2 and "(choices: my_phone." in error


def test_a_table_of_another_cpu_says_of_which() -> None:
    table = SimpleNamespace(network=BENCHMARK, batch=None, space="nasbench201", provenance={})
    assert "does not say which" in why_not_found("cpu", cast(Any, table), Path("t.json"))
    table.provenance = {"receipt": {"host": "a board, 4 cores"}}
    said = why_not_found("cpu", cast(Any, table), Path("t.json"))
    assert "this table is of a board, 4 cores: name it with --table" in said


def test_fit_says_in_words_what_it_found(hwnas: Run, measured: Path, tmp_path: Path) -> None:
    code, printed, _ = hwnas(
        "devices",
        "fit",
        "--csv",
        str(measured),
        "--device",
        "1080Ti",
        "--out",
        str(tmp_path / "t.json"),
    )
    assert code == 0
    assert "latency table of 1080ti for nasbench201, in ms" in printed
    assert "1 rows without a latency skipped" in printed
    assert "runs everything that is written" in printed
    assert "hwnas devices predict" in printed


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (("--csv", "absent.csv", "--device", "x"), "absent.csv: cannot be read"),
        (
            ("--csv", "{}", "--device", "x", "--space", "dart"),
            "unknown space 'dart'; did you mean 'darts'",
        ),
        (("--csv", "{}", "--device", "x", "--unit", "min"), "unknown unit 'min'"),
        (
            ("--csv", "{}", "--device", "x", "--latency-column", "lat"),
            "no column 'lat'; did you mean 'latency'",
        ),
        (("--csv", "{}", "--device", " "), "--device: expected a name"),
        (("--csv", "{}", "--device", "x", "--space", "darts"), "line 2: "),
    ],
)
def test_bad_input_to_fit_is_one_line(
    hwnas: Run, measured: Path, tmp_path: Path, words: tuple[str, ...], message: str
) -> None:
    given = [word.format(measured) for word in words]
    code, printed, errors = hwnas("devices", "fit", *given, "--out", str(tmp_path / "t.json"))
    assert (code, printed) == (2, "")
    assert message in errors
    assert len(errors.strip().splitlines()) == 1
    assert not (tmp_path / "t.json").exists()


def test_predict_refuses_what_is_no_table(hwnas: Run, measured: Path, tmp_path: Path) -> None:
    code, _, errors = hwnas(
        "devices",
        "predict",
        str(measured),
        "--csv",
        str(measured),
        "--out",
        str(tmp_path / "o.csv"),
    )
    assert code == 2
    assert "not valid JSON" in errors


def test_calibrate_refuses_a_target_that_is_not_attached(hwnas: Run) -> None:
    code, _, errors = hwnas("devices", "calibrate", "--target", "1080ti")
    assert code == 2
    assert "1080ti is not attached here" in errors


@pytest.mark.slow
def test_networks_are_of_the_size_that_their_space_says_unless_told_otherwise() -> None:
    from hwnas.cli.devices_calibrate import size_of_networks

    proxyless = SPACES["proxyless"].macro
    assert size_of_networks(SPACES["proxyless"], None, None) == (
        proxyless.stem.width,
        proxyless.depth,
    )
    assert size_of_networks(SPACES["proxyless"], 8, None) == (8, proxyless.depth)
    assert size_of_networks(SPACES["nasbench201"], None, None) == (16, 15)
    assert size_of_networks(SPACES["darts"], None, 3) == (16, 3)


@pytest.mark.parametrize("space, cells", [("mobile", 8), ("nasbench201", 4)])
def test_calibrate_refuses_a_depth_that_the_space_does_not_have(
    hwnas: Run, space: str, cells: int
) -> None:
    code, _, errors = hwnas("devices", "calibrate", "--space", space, "--cells", str(cells))
    assert code == 2 and errors.startswith("error: --cells:") and space in errors, errors


@pytest.mark.slow
def test_calibrate_on_another_machine_that_is_reached_by_a_command(
    hwnas: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    # Nothing here is about how close the latencies are.
    monkeypatch.setattr(calibration_runs, "USUAL", Protocol(min_s=0.0, budget_s=0.01))
    out = tmp_path / "table.json"
    code, printed, errors = hwnas(
        "devices", "calibrate", "--target", "raspi4", "--run-with", "sh -c",
        "--remote-python", sys.executable, "--space", "nasbench201",
        "--channels", "4", "--cells", "3", "--image", "8", "--train", "10", "--held-out", "5",
        "--budget", "10", "--out", str(out), "--json",
    )  # fmt: skip
    assert code == 0, errors
    found = json.loads(printed)
    # Three groups of 4, 8 and 16 channels, in each two convolutions and a pool.
    assert (found["device"], found["operations"], found["held_out"]) == ("raspberry-pi-4", 9, 5)
    assert found["receipt"]["backend"] == "onnxruntime"
    assert json.loads(out.read_text())["agreement"]["repeat"]["networks"] == 5
