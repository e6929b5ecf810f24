"""A search algorithm that nobody here has thought of, in one file, is searched with like any
other."""

from __future__ import annotations

import ast
import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from hwnas import plugins
from hwnas.algorithms import ALGORITHMS
from hwnas.config import dump
from hwnas.report import page as pages
from hwnas.search.algorithms.algorithm import OwnTraining
from hwnas.search.algorithms.searcher import PolicyRows
from hwnas.search.distributed import shared_weights
from hwnas.search.search import resume, search, summary
from hwnas.space.space import SPACES
from profilers.errors import InputError
from tests.search import tiny
from tests.strangers.algorithm import ALGORITHM, Ageing

FILE = Path(__file__).with_name("strangers") / "algorithm.py"


@pytest.fixture
def known(announced):
    """The algorithm announces itself as an installed package would."""
    announced(ALGORITHMS, ALGORITHM)


@pytest.fixture
def config(known, tmp_path):
    return tiny.config(
        tiny.images(tmp_path / "images.npz"),
        algorithm="ageing",
        space="nasbench201",
        alpha_step={"samples": 6, "every": 1},
    )


def test_it_is_one_file_of_at_most_eighty_lines() -> None:
    assert len(FILE.read_text().splitlines()) <= 80


def test_nobody_asks_an_algorithm_for_its_name_or_type() -> None:
    names, types = (
        {"tndnas", "ndarts", "random", "nsga2"},
        {"TndNas", "NDarts", "RandomSearch", "Nsga2"},
    )
    for path in (FILE.parents[2] / "hwnas").rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text())):
            where = f"{path}:{getattr(node, 'lineno', 0)}"
            if isinstance(node, ast.Compare):
                sides = [node.left, *node.comparators]
                asked = {side.value for side in sides if isinstance(side, ast.Constant)} & names
                assert not asked, where
            if isinstance(node, ast.Call) and getattr(node.func, "id", "") == "isinstance":
                asked = {part.id for part in ast.walk(node.args[1]) if isinstance(part, ast.Name)}
                assert not asked & types, where


def test_it_is_searched_with_shown_reported_and_planned(
    config, typed, monkeypatch, tmp_path
) -> None:
    monkeypatch.setattr(pages, "_bundle", lambda: "/* charts */")
    (tmp_path / "c.toml").write_bytes(dump(config))
    typed("search", "--config", "c.toml", "--out", "run", "--quiet")
    found = json.loads(typed("show", "run", "--json")[0])
    assert found["algorithm"] == "ageing"
    scored = [*found["front"], *found["dominated"]]
    assert found["front"] and len(scored) <= config.finalists_per_policy
    # No policy, so none in its history.
    lines = [
        json.loads(line) for line in (tmp_path / "run" / "history.jsonl").read_text().splitlines()
    ]
    assert all(line["entropies"] == [] and line["probabilities"] == [] for line in lines)
    typed("report", "run")
    assert "ageing" in (tmp_path / "run" / "report.html").read_text()
    planned = json.loads(typed("plan", "c.toml", "--json")[0])
    assert planned["evaluations"] == found["evaluations"]


def test_it_is_stopped_and_goes_on_to_the_same_bytes(config, tmp_path) -> None:
    def stop(progress) -> None:
        if progress.epoch == 2:
            raise KeyboardInterrupt

    search(config, tmp_path / "whole")
    with pytest.raises(KeyboardInterrupt):
        search(config, tmp_path / "stopped", stop)
    resume(tmp_path / "stopped")
    for name in ("trials.jsonl", "history.jsonl"):
        assert (tmp_path / "stopped" / name).read_bytes() == (
            tmp_path / "whole" / name
        ).read_bytes()
    fronts = [
        json.loads((tmp_path / run / "front.json").read_text()) for run in ("whole", "stopped")
    ]
    assert fronts[0]["front"] == fronts[1]["front"]


def test_its_name_is_offered_and_a_wrong_one_is_refused_in_a_line(known, typed, tmp_path) -> None:
    with pytest.raises(
        InputError, match="algorithm: unknown algorithm 'aging'; did you mean 'ageing'"
    ):
        tiny.config(tmp_path, algorithm="aging")
    _, said = typed(
        "search", "--algorithm", "agein", "--objective", "params", "--out", "run", code=2
    )
    assert "unknown algorithm 'agein'; did you mean 'ageing'" in said
    assert not (tmp_path / "run").exists()


def test_its_run_is_shown_where_the_package_is_missing(
    config, typed, monkeypatch, tmp_path
) -> None:
    front = summary(search(config, tmp_path / "run"))["front"]
    ALGORITHMS.pop("ageing")
    monkeypatch.setattr(plugins, "entry_points", lambda group: [])
    out, _ = typed("show", "run")
    assert all(member["key"] in out for member in front)
    assert "the algorithm ageing is not installed here" in out
    _, said = typed("resume", "run", code=2)
    assert "the algorithm 'ageing' is not installed here" in said


def test_settings_that_it_refuses_end_a_search_before_it_begins(announced, typed, tmp_path) -> None:
    def check(config) -> None:
        raise InputError("alpha_step.samples: not today")

    announced(ALGORITHMS, replace(ALGORITHM, check=check))
    data = str(tiny.images(tmp_path / "images.npz"))
    words = ("--algorithm", "ageing", "--objective", "params", "--data", data, "--out", "run")
    assert "alpha_step.samples: not today" in typed("search", *words, code=2)[1]
    assert not (tmp_path / "run").exists()


class Leaning(Ageing):
    """The same with a policy, which it keeps in its history, and a weight step of its own."""

    def policy_rows(self) -> PolicyRows:
        table = SPACES[self.config.space].mask / 1.0
        table /= table.sum(axis=1, keepdims=True)
        return PolicyRows(
            probabilities=table[None], derived=(np.zeros(len(table), dtype=int),), entropies=(1.5,)
        )


def test_it_may_bring_policies_and_a_weight_step(announced, tmp_path) -> None:
    steps = []

    def step(searcher, context):
        steps.append((context.learns, context.ends, len(context.validation().y)))
        table = searcher.policy_rows().probabilities[0]
        return searcher, shared_weights.weight_step(
            context.shared, context.batch, table, context.lr
        )

    training = OwnTraining(step=step, every=lambda config: 2, maps=lambda config: 2)

    def start(config, objectives, rng):
        begun = ALGORITHM.start(config, objectives, rng)
        return Leaning(config=begun.config, population=begun.population, values=begun.values)

    announced(ALGORITHMS, replace(ALGORITHM, start=start, training=training))
    stages = [{"cells": 3, "epochs": 2, "frozen_epochs": 1}]
    config = tiny.config(
        tiny.images(tmp_path / "images.npz"), algorithm="ageing", space="nasbench201", stages=stages
    )
    found = search(config, tmp_path / "run")
    # 48 images to train on in batches of 16: alpha learns after every second step, but not in the
    # frozen epoch.
    assert [learns for learns, _, _ in steps] == [False, False, False, False, True, False]
    assert [ends for _, ends, _ in steps] == [False, False, True] * 2
    lines = [json.loads(line) for line in (found.path / "history.jsonl").read_text().splitlines()]
    assert [line["entropies"] for line in lines] == [[1.5], [1.5]]
    # Evaluations only fill the archive: once an epoch, the frozen one too.
    assert [line["evaluations"] for line in lines] == [4, 8]
    assert summary(found)["front"]
