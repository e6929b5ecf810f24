"""Plain networks to compare a search with: what somebody would have used instead."""

from __future__ import annotations

from dataclasses import replace
from itertools import pairwise
from pathlib import Path

import pytest

from hwnas.cli import main
from hwnas.costs.counts import count
from hwnas.runs.baselines import read_baselines
from hwnas.runs.directory import Run
from hwnas.runs.summary import read_front
from hwnas.runs.training_record import read_records
from hwnas.runs.verdict import verdict_of
from hwnas.search.baseline_costs import with_predictions
from hwnas.search.baselines import models_of, plain_networks
from hwnas.space.elastic import ELASTIC
from hwnas.space.genotype import Architecture
from hwnas.space.known import KNOWN
from hwnas.space.narrow import SHARES, uniformly_narrow
from hwnas.space.space import NONE, SPACES
from tests.runs.made import finished_run


@pytest.fixture
def run(tmp_path: Path) -> Run:
    return finished_run(tmp_path / "run")


@pytest.mark.parametrize("known", ELASTIC)
def test_a_narrow_network_has_all_blocks_and_whole_kernels_of_the_known_one(known: str) -> None:
    space = SPACES[ELASTIC[known].name]
    channels, cells = space.published_size
    costs = []
    for share in SHARES:
        genotype = uniformly_narrow(space, share)
        assert NONE not in genotype.operations
        costs.append(count(Architecture(genotype, channels=channels, cells=cells), 10, (3, 96, 96)))
    whole = KNOWN[known]
    size = SPACES[whole.space].published_size
    known_costs = count(Architecture(whole, channels=size[0], cells=size[1]), 10, (3, 96, 96))
    assert costs[0] == known_costs
    assert all(narrow < wide for wide, narrow in pairwise(costs))


@pytest.mark.parametrize(
    ("image", "titles"),
    [
        ([1, 8, 8], ["ResNet-8", "ResNet-20"]),
        ([3, 47, 47], ["ResNet-8", "ResNet-20"]),
        ([3, 48, 48], ["MobileNetV2 (0.35)", "MobileNetV2"]),
    ],
)
def test_small_images_have_small_plain_networks(
    run: Run, image: list[int], titles: list[str]
) -> None:
    summary = read_front(run).model_copy(update={"image": image})
    assert [plain.title for plain in plain_networks(run, summary)] == titles
    models = models_of(run, summary)
    assert len({model.name for model in models}) == len(models)
    for model in models:
        assert model.folder == run.path / "baselines" / model.name
        expected = count(model.architecture, 10, (image[0], image[1], image[2]))
        assert (model.costs["params"].value, model.costs["macs"].value) == expected


def test_with_trained_weights_they_are_parts_of_the_weights_network(run: Run) -> None:
    config = run.config.model_copy(
        update={
            "weights_from": "efficientnet-lite0",
            "space": "efficientnet-lite0-elastic",
            "evaluation": run.config.evaluation.model_copy(update={"channels": 32, "cells": 16}),
        }
    )
    found = plain_networks(replace(run, config=config), read_front(run))
    assert [plain.title for plain in found] == [
        "EfficientNet-Lite0",
        "EfficientNet-Lite0 at 2/3 width",
        "EfficientNet-Lite0 at 1/2 width",
        "EfficientNet-Lite0 at 1/3 width",
    ]


def test_their_other_objectives_are_predicted_as_those_of_the_run(run: Run) -> None:
    summary = read_front(run).model_copy(
        update={"bounds": {"accuracy": [0, 1], "params": [0, 1], "memory": [0, 1]}}
    )
    for model in with_predictions(run, summary, models_of(run, summary)):
        assert model.costs["memory"].unit == "MiB" and model.costs["memory"].value > 0


@pytest.mark.slow
def test_the_command_trains_what_is_missing_and_says_whether_the_search_paid(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    run = finished_run(tmp_path / "run")
    words = ["hwnas", "train", str(run.path), "--baselines", "--epochs", "1", "--batch", "128"]

    def typed() -> tuple[str, str]:
        monkeypatch.setattr("sys.argv", words)
        with pytest.raises(SystemExit) as ended:
            main()
        captured = capsys.readouterr()
        assert not ended.value.code, captured.err
        return captured.out, captured.err

    out, err = typed()
    assert "not trained yet, but to compare with" in err
    verdict = verdict_of(run, read_front(run))
    assert out.splitlines()[0] == verdict.line and verdict.outcome != "unknown"
    baselines = read_baselines(run)
    assert [record.title for record in baselines] == ["ResNet-8", "ResNet-20"]
    for record in [*baselines, *read_records(run)]:
        assert record.test_images == 359 and record.right is not None
    words[4:] = []
    _, err = typed()  # nothing is left to do
    assert "epoch" not in err


@pytest.mark.parametrize("option", [["--channels", "8"], ["--time", "1m"], ["--all"]])
def test_options_of_members_are_refused_for_baselines(
    run: Run,
    option: list[str],
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.setattr("sys.argv", ["hwnas", "train", str(run.path), "--baselines", *option])
    with pytest.raises(SystemExit) as ended:
        main()
    assert ended.value.code == 2 and "--baselines" in capsys.readouterr().err
