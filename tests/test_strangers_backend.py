"""A back end that nobody here has thought of, in one file, calibrates a table and measures
finalists."""

from __future__ import annotations

import json
from importlib.metadata import EntryPoint

import pytest
from torch import nn

from hwnas.config import dump
from hwnas.nets.network import Network
from hwnas.space.genotype import Architecture
from hwnas.space.text import from_dict
from profilers import backends
from tests.search import tiny
from tests.strangers.backend import slow_bus


@pytest.fixture
def hwnas(typed, monkeypatch):
    point = EntryPoint("slow-bus", "somewhere:slow_bus", backends.GROUP)
    load = EntryPoint.load
    monkeypatch.setattr(EntryPoint, "load", lambda self: slow_bus if self == point else load(self))
    monkeypatch.setattr(backends, "entry_points", lambda group: [point])
    return typed


def test_it_calibrates_a_table_and_measures_the_finalists(hwnas, tmp_path) -> None:
    size = ("--channels", "4", "--cells", "3", "--classes", "3", "--image", "1x8x8")
    few = ("--train", "40", "--held-out", "20", "--backend", "slow-bus", "--json")
    table = json.loads(
        hwnas("devices", "calibrate", "--target", "cpu", "--space", "nasbench201", *size, *few)[0]
    )
    # Latencies are counts of convolutions, so a table that adds operations up knows them (many are
    # equal: no tau).
    assert table["receipt"]["backend"] == "slow-bus"
    assert table["mape_percent"] < 0.5
    config = tiny.config(
        tiny.images(tmp_path / "images.npz"),
        space="nasbench201",
        objectives=[{"metric": "latency"}],
        backend="slow-bus",
    )
    (tmp_path / "c.toml").write_bytes(dump(config))
    hwnas("search", "--config", "c.toml", "--out", "run", "--quiet")
    for member in json.loads(hwnas("show", "run", "--json")[0])["front"]:
        cost = member["costs"]["latency"]
        net = Network(
            Architecture(from_dict(member["genotype"]), channels=4, cells=3), 3, (1, 8, 8)
        )
        convolutions = sum(isinstance(module, nn.Conv2d) for module in net.modules())
        assert cost["origin"] == "measured"
        assert cost["value"] == pytest.approx(0.05 + 0.01 * convolutions)
        assert cost["predicted"]["origin"] == "table"


def test_an_unknown_back_end_ends_a_search_before_it_begins(hwnas, tmp_path) -> None:
    config = tiny.config(tiny.images(tmp_path / "images.npz"), backend="slow-buss")
    (tmp_path / "c.toml").write_bytes(dump(config))
    _, said = hwnas("search", "--config", "c.toml", "--out", "run", code=2)
    assert "unknown back end 'slow-buss'; did you mean 'slow-bus'" in said
    assert not (tmp_path / "run").exists()
