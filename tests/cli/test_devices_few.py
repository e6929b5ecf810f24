"""A device of which ten networks are measured elsewhere: which ten, the table that comes of them,
and what it says of networks that nobody measured."""

from __future__ import annotations

import csv
import json
from pathlib import Path

import numpy as np
import pytest

from hwnas.costs.known_devices import known_devices
from hwnas.space import SPACES
from hwnas.space.encoding import sample, to_choices, to_genotype
from hwnas.space.text import format_text, parse
from profilers.agreement import kendall_tau
from tests.typed import type_command

NB201 = SPACES["nasbench201"]
MS = np.array([0.0, 0.3, 1.0, 4.0, 0.8])
"""Of each operation on a board that no published column is of."""


def latency_ms(text: str) -> float:
    return float(5 + MS[to_choices(parse(text))].sum())


@pytest.fixture
def hwnas(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path / "own"))
    return lambda *words: type_command(monkeypatch, capsys, "devices", *words)


def written(path: str, texts: list[str], latency: bool) -> None:
    with open(path, "w", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(["arch", "latency_ms"] if latency else ["arch"])
        writer.writerows([text, latency_ms(text)] if latency else [text] for text in texts)


def rows(path: str) -> list[dict[str, str]]:
    with open(path) as file:
        return list(csv.DictReader(file))


@pytest.mark.slow
def test_ten_chosen_networks_place_a_device(hwnas) -> None:
    at = ("calibrate", "--target", "raspberry-pi-4", "--space", "nasbench201")
    assert hwnas(*at, "--networks", "10", "--choose", "ten.csv").code == 0
    chosen = [row["arch"] for row in rows("ten.csv")]
    assert len(set(chosen)) == 10
    written("measured.csv", chosen, latency=True)
    done = hwnas(*at, "--csv", "measured.csv", "--out", "table.json", "--json")
    assert done.code == 0
    said = json.loads(done.out)
    assert (said["networks"], said["unit"], said["device"]) == (10, "ms", "raspberry-pi-4")
    first = Path("table.json").read_bytes()
    done = hwnas(*at, "--csv", "measured.csv", "--out", "table.json")
    assert "replaced; the table that was there is table.json.before now" in done.err
    assert Path("table.json.before").read_bytes() == first
    known = known_devices(NB201)
    assert known is not None and set(known.latency_ms) < set(said["known"])
    rng = np.random.default_rng(5)
    others = [format_text(to_genotype(NB201, sample(NB201, rng))) for _ in range(300)]
    written("others.csv", others, latency=False)
    done = hwnas("predict", "table.json", "--csv", "others.csv", "--out", "predicted.csv")
    assert done.code == 0
    truth = np.array([latency_ms(text) for text in others])
    found = [
        [float(row[name]) for row in rows("predicted.csv")]
        for name in ("latency_ms", "low_ms", "high_ms")
    ]
    latency, low, high = map(np.array, found)
    assert kendall_tau(latency, truth) > 0.85
    assert np.mean(np.abs(latency / truth - 1)) < 0.1
    assert np.mean((low <= truth) & (truth <= high)) > 0.8


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (("--choose", "ten.csv"), "--choose: say how many with --networks"),
        (("--csv", "absent.csv"), "absent.csv: cannot be read"),
        (("--csv", "four.csv"), "four.csv: 4 networks with a latency, at least 5 are needed"),
        (("--networks", "10"), "raspberry-pi-4 is not attached here"),
    ],
)
def test_what_is_missing_is_said_in_a_line(hwnas, words: tuple[str, ...], message: str) -> None:
    rng = np.random.default_rng(1)
    written(
        "four.csv", [format_text(to_genotype(NB201, sample(NB201, rng))) for _ in range(4)], True
    )
    done = hwnas("calibrate", "--target", "raspberry-pi-4", "--space", "nasbench201", *words)
    assert done.code == 2 and message in done.err
    assert len(done.err.strip().splitlines()) == 1
