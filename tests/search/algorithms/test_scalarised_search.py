"""The directed form in a whole search: it ends, repeats, resumes, shrinks, and hands back
different finalists."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from hwnas.search.algorithms import scalarised_search as directed_search
from hwnas.search.algorithms import tndnas
from hwnas.search.algorithms.archive import Archive
from hwnas.search.algorithms.scalarised_search import ScalarisedSearch
from hwnas.search.plan import plan
from hwnas.search.progress import SearchProgress
from hwnas.search.search import resume, search, summary
from hwnas.space.space import SPACES
from tests.search import tiny

DIRECTED = {"alpha_step": {"samples": 4, "every": 1, "images": 16, "form": "directed"}}


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tiny.images(tmp_path_factory.mktemp("data") / "tiny.npz")


def told(data: Path, steps: int = 8) -> ScalarisedSearch:
    """A searcher that was told of random accuracies a few times."""
    rng = np.random.default_rng(0)
    searcher = directed_search.start(tiny.config(data, **DIRECTED), rng)
    for _ in range(steps):
        choices = searcher.ask(4, rng)
        searcher = searcher.tell(choices, rng.random(4), rng.random((4, 1)))
    return searcher


def test_the_config_chooses_the_form(data: Path) -> None:
    rng = np.random.default_rng(0)
    planned = plan(tiny.config(data))
    assert isinstance(tndnas.start(planned.config, planned.objectives, rng), tndnas.TndNas)
    directed = tiny.config(data, **DIRECTED)
    assert isinstance(tndnas.start(directed, planned.objectives, rng), ScalarisedSearch)


def test_a_stopped_search_ends_like_an_uninterrupted_one(data: Path, tmp_path: Path) -> None:
    config, epochs = tiny.config(data, **DIRECTED), 0

    def interrupt(progress: SearchProgress) -> None:
        nonlocal epochs
        epochs += 1
        if epochs == 3:
            raise KeyboardInterrupt

    found = summary(search(config, tmp_path / "whole"))
    assert found["front"] and found["evaluations"] == 36
    with pytest.raises(KeyboardInterrupt):
        search(config, tmp_path / "stopped", interrupt)
    resume(tmp_path / "stopped")
    for name in ("trials.jsonl", "history.jsonl"):
        assert (tmp_path / "stopped" / name).read_bytes() == (
            tmp_path / "whole" / name
        ).read_bytes()
    fronts = [
        json.loads((tmp_path / name / "front.json").read_text()) for name in ("whole", "stopped")
    ]
    assert fronts[0]["front"] == fronts[1]["front"]


def test_the_next_stage_keeps_each_policys_likeliest_and_forgets_what_was_evaluated(
    data: Path,
) -> None:
    searcher = told(data)
    after = searcher.next_stage(np.random.default_rng(1))
    left = after.state.policies.mask.sum(axis=2)
    assert (left == SPACES["darts"].survivors["normal"][1]).all()
    best = searcher.policy_rows().probabilities.argmax(axis=2)
    assert np.take_along_axis(after.state.policies.mask, best[:, :, None], axis=2).all()
    assert len(after.state.choices) == 0 and after.stage == 1


def test_finalists_are_different_and_as_many_as_asked_for(data: Path) -> None:
    searcher = told(data)
    state = searcher.state
    archive = Archive(
        choices=state.choices,
        accuracy=state.accuracy,
        costs=state.costs,
        seen=state.seen.astype(np.int64),
    )
    found = searcher.finalists(archive, 3)
    assert len(found) == len({one.tobytes() for one, _ in found}) == 3 * 3
    assert all(table.shape == SPACES["darts"].mask.shape for _, table in found)


def test_with_several_costs_each_plane_gets_its_directions() -> None:
    parts = directed_search._parts(4, 6, 3)
    assert parts.shape == (4, 6, 3)
    flat = parts.reshape(-1, 3)
    small = (flat <= 2e-6).sum(axis=1)
    assert (small >= 1).all()  # no direction leaves both costs alone, or looks at both
    assert (flat[:, 1] > 1e-3).any() and (flat[:, 2] > 1e-3).any()
    assert directed_search._parts(4, 6, 2).shape == (4, 6, 2)
    assert directed_search._parts(4, 6, 1).shape == (4, 6, 1)


def test_finalists_of_two_costs_hold_the_best_of_each_plane(data: Path) -> None:
    rng = np.random.default_rng(5)
    two = [{"metric": "params"}, {"metric": "macs"}]
    searcher = directed_search.start(tiny.config(data, **DIRECTED, objectives=two), rng)
    choices = searcher.ask(60, rng)
    accuracy, costs = rng.random(60), rng.random((60, 2))
    searcher = searcher.tell(choices, accuracy, costs)
    archive = Archive(
        choices=choices, accuracy=accuracy, costs=costs, seen=np.ones(60, dtype=np.int64)
    )
    found = {one.tobytes() for one, _ in searcher.finalists(archive, 20)}
    for cost in range(2):
        cheapest = choices[np.argmax(accuracy - costs[:, cost])]
        assert cheapest.tobytes() in found
    assert choices[accuracy.argmax()].tobytes() in found
