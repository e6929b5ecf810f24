"""A space that nobody here has thought of, in one file, is searched, trained, exported and drawn
like any other."""

from __future__ import annotations

import json
from importlib.metadata import EntryPoint
from pathlib import Path

import numpy as np
import pytest
import torch

from hwnas import plugins
from hwnas.config import dump
from hwnas.costs.counts import count, count_table
from hwnas.costs.memory import memory_table
from hwnas.nets.network import Network
from hwnas.nets.supernet import build_supernet
from hwnas.runs.checkpoint import load_checkpoint
from hwnas.runs.directory import open_run
from hwnas.search.search import search
from hwnas.space import SPACES
from hwnas.space.build import graphs
from hwnas.space.encoding import sample, to_choices, to_genotype
from hwnas.space.family import family
from hwnas.space.genotype import Architecture
from hwnas.space.graph import discrete
from hwnas.space.size import CellSize, Task
from hwnas.space.text import format_text, parse
from profilers.errors import InputError
from tests.search import tiny
from tests.strangers.space import SPACE

FILE = Path(__file__).with_name("strangers") / "space.py"


@pytest.fixture
def known(announced):
    """The space announces itself as an installed package would."""
    announced(SPACES, SPACE)


def test_it_is_one_file_of_at_most_eighty_lines() -> None:
    assert len(FILE.read_text().splitlines()) <= 80


def test_it_is_searched_trained_exported_profiled_and_reported(known, typed, tmp_path) -> None:
    config = tiny.config(tiny.images(tmp_path / "images.npz"), space=SPACE.name)
    (tmp_path / "c.toml").write_bytes(dump(config))
    typed("search", "--config", "c.toml", "--out", "run", "--quiet")
    front = json.loads(typed("show", "run", "--json")[0])["front"]
    assert all(set(member["genotype"]) == {"space", "operations"} for member in front)
    typed("train", "run", "--knee", "--epochs", "1", "--quiet")
    (exported,) = json.loads(
        typed("export", "run", "--knee", "--formats", "onnx,python", "--json")[0]
    )
    assert exported["parity"]["passed"]
    source = Path(exported["files"]["python"]).read_text()
    assert "class Stage(nn.Module)" in source and "nn.Hardswish()" in source
    profiled = json.loads(
        typed("profile", exported["files"]["onnx"], "--budget", "0.05", "--json")[0]
    )
    metrics = {metric["name"]: metric["value"] for metric in profiled["metrics"]}
    member = next(one for one in front if one["key"] == exported["key"])
    assert metrics["macs"] == member["costs"]["macs"]["value"]
    typed("report", "run")
    page = (tmp_path / "run" / "report.html").read_text()
    assert "k3 e2" in page


def test_it_goes_on_from_where_it_was_stopped(known, tmp_path) -> None:
    config = tiny.config(tiny.images(tmp_path / "images.npz"), space=SPACE.name)
    whole = search(config, tmp_path / "whole")

    class Stop(Exception):
        pass

    def stop(progress) -> None:
        if load_checkpoint(open_run(tmp_path / "stopped")) is not None:
            raise Stop

    with pytest.raises(Stop):
        search(config, tmp_path / "stopped", stop)
    from hwnas.search.search import resume

    again = resume(tmp_path / "stopped")
    fronts = [json.loads(run.front_path.read_text())["front"] for run in (whole, again)]
    assert fronts[0] == fronts[1]


def test_its_run_is_shown_where_the_package_is_missing(known, typed, monkeypatch, tmp_path) -> None:
    config = tiny.config(tiny.images(tmp_path / "images.npz"), space=SPACE.name)
    run = search(config, tmp_path / "run")
    front = json.loads(run.front_path.read_text())["front"]
    SPACES.pop(SPACE.name)
    monkeypatch.setattr(plugins, "entry_points", lambda group: [])
    out, _ = typed("show", "run")
    assert all(member["key"] in out for member in front)
    assert "the space strangers-chain is not installed here" in out
    for words in (("resume", "run"), ("train", "run"), ("export", "run"), ("report", "run")):
        _, said = typed(*words, code=2)
        assert "the space 'strangers-chain' is not installed here" in said


def test_costs_follow_the_decision_about_the_size(known) -> None:
    rng = np.random.default_rng(0)
    one = sample(SPACE, rng)
    whole, half = one.copy(), one.copy()
    whole[0], half[0] = 0, 1
    table = count_table(family(SPACE, channels=4, cells=3, classes=3, image=(1, 8, 8)))
    params, macs = table.params.of(np.stack([whole, half])), table.macs.of(np.stack([whole, half]))
    assert params[0] == params[1]
    assert macs[0] > 2 * macs[1]
    memory = memory_table(family(SPACE, channels=4, cells=3, classes=3, image=(1, 8, 8)))
    assert memory.of(whole)[0] > memory.of(half)[0]
    for choices in (whole, half):
        genotype = to_genotype(SPACE, choices)
        net = Network(Architecture(genotype, channels=4, cells=3), 3, (1, 8, 8))
        assert count(Architecture(genotype, channels=4, cells=3), 3, (1, 8, 8))[0] == sum(
            p.numel() for p in net.parameters()
        )
        assert net.eval()(torch.zeros(2, 1, 8, 8)).shape == (2, 3)


def test_sizes_whose_weights_agree_share_them(known) -> None:
    net = build_supernet(family(SPACE, channels=4, cells=3, classes=3, image=(1, 8, 8)), seed=0)
    expected = sum(
        layer.params
        for node in graphs(SPACE, CellSize(channels=4, cells=3), Task(classes=3, image=(1, 8, 8)))[
            (0,)
        ]
        for option in node.options
        for layer in option or ()
        # A supernet's BatchNorms have scale and shift where nothing is decided beside them: in the
        # stem.
        if layer.kind != "batch_norm" or node.name == "stem.conv"
    )
    assert sum(weight.numel() for weight in net.parameters()) == expected
    with pytest.raises(InputError, match="can't be mixed, only sampled"):
        net.mixture(torch.zeros(1, 1, 8, 8), torch.ones(SPACE.mask.shape))


def test_its_genotypes_are_written_and_read(known) -> None:
    rng = np.random.default_rng(1)
    for _ in range(20):
        choices = sample(SPACE, rng)
        genotype = to_genotype(SPACE, choices)
        assert parse(format_text(genotype)) == genotype
        assert to_choices(genotype).tolist() == choices.tolist()
    for text, words in (
        ('{"space": "strangers-chain"}', "expected the keys 'space' and 'operations'"),
        ('{"space": "strangers-chain", "operations": {"sid": "half"}}', "did you mean 'side'"),
        (
            '{"space": "strangers-chain", "operations": {"side": "half"}}',
            "no operation for 'stage 0, block 0'",
        ),
    ):
        with pytest.raises(InputError, match=words):
            parse(text)
    wrong = json.loads(format_text(genotype))
    wrong["operations"]["side"] = "halv"
    with pytest.raises(InputError, match="side: unknown operation 'halv'; did you mean 'half'"):
        parse(json.dumps(wrong))


def test_an_absent_block_leaves_nothing_behind(known) -> None:
    whole = graphs(SPACE, CellSize(channels=4, cells=3), Task(classes=3, image=(1, 8, 8)))[(0,)]
    with_all = discrete(whole, np.zeros(7, dtype=np.int64))
    without = discrete(whole, np.array([0, 0, 3, 0, 3, 0, 3]))
    assert {node.name for node in with_all} - {node.name for node in without} == {
        f"stage{stage}.block1" for stage in range(3)
    }


def test_a_package_that_announces_no_space_is_named(known, monkeypatch) -> None:
    monkeypatch.setattr(EntryPoint, "load", lambda self: "nonsense")
    with pytest.raises(InputError, match=r"somewhere:VALUE is no hwnas\.space\.space\.Space"):
        SPACES["strangers-chain"]
