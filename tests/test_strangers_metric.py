"""A cost that nobody here has thought of, in one file, is an objective of a search like any
other."""

from __future__ import annotations

import json

import pytest

from hwnas.config import dump
from hwnas.costs.metrics import METRICS
from hwnas.space.build import architecture_graph
from hwnas.space.genotype import Architecture
from hwnas.space.graph import all_layers
from hwnas.space.size import Task
from hwnas.space.text import from_dict
from profilers.errors import InputError
from tests.search import tiny
from tests.strangers.metric import METRIC


@pytest.fixture
def known(announced):
    announced(METRICS, METRIC)


def test_it_is_an_objective_and_its_target_is_kept(known, typed, tmp_path) -> None:
    config = tiny.config(
        tiny.images(tmp_path / "images.npz"),
        objectives=[{"metric": METRIC.name, "target": "60 layers"}],
    )
    (tmp_path / "c.toml").write_bytes(dump(config))
    typed("search", "--config", "c.toml", "--out", "run", "--quiet")
    summary = json.loads(typed("show", "run", "--json")[0])
    assert summary["targets"] == {METRIC.name: 60.0}
    for member in summary["front"]:
        cost = member["costs"][METRIC.name]
        architecture = Architecture(
            from_dict(member["genotype"]), channels=member["channels"], cells=member["cells"]
        )
        graph = architecture_graph(architecture, Task(classes=3, image=(1, 8, 8)), unread=True)
        counted = sum(layer.kind in ("conv", "factorized_reduce") for layer in all_layers(graph))
        assert (cost["value"], cost["unit"], cost["origin"]) == (counted, "layers", "counted")
    typed("report", "run")
    assert METRIC.name in (tmp_path / "run" / "report.html").read_text()


def test_an_unknown_metric_is_refused_with_the_nearest(known, tmp_path) -> None:
    with pytest.raises(
        InputError, match="unknown metric 'convolution'; did you mean 'convolutions'"
    ):
        tiny.config(tmp_path, objectives=[{"metric": "convolution"}])
