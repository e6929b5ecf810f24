"""hwnas.search.candidates: who is trained alone in the end, and how much of it each gets."""

from __future__ import annotations

import numpy as np
import pytest

from hwnas.config import Config
from hwnas.config.sections import ObjectiveConfig, SearchStage
from hwnas.search.candidates import candidate_of_step, cheapest_and_best, narrowing
from hwnas.search.state import Candidates, Position, candidates_from, candidates_to_arrays
from hwnas.space.encoding import sample
from hwnas.space.space import SPACES

SPACE = SPACES["tnd"]


def candidates(shares: list[float]) -> Candidates:
    rng = np.random.default_rng(0)
    return Candidates(
        choices=np.stack([sample(SPACE, rng) for _ in shares]), shares=np.array(shares)
    )


def test_candidates_get_their_shares_of_any_few_epochs() -> None:
    config = Config(
        finalists_by="cover",
        objectives=(ObjectiveConfig(metric="params"),),
        stages=(SearchStage(cells=3, epochs=12, finalist_epochs=10),),
    )
    given = candidates([0.1, 0.2, 0.3, 0.4])
    rows = {row.tobytes(): number for number, row in enumerate(given.choices)}
    for first in (2, 7):
        steps = [
            rows[candidate_of_step(config, given, Position(epoch=epoch), number).tobytes()]
            for epoch in range(first, first + 5)
            for number in range(22)
        ]
        counts = np.bincount(steps, minlength=4) / len(steps)
        # Each epoch begins anew in the sequence: 22 steps are off by less than two of them.
        np.testing.assert_allclose(counts, given.shares, atol=2 / 22)


def test_there_are_fewer_candidates_at_the_start_and_after_a_third() -> None:
    assert narrowing(SearchStage(cells=3, epochs=62, finalist_epochs=36)) == (26, 38)
    assert narrowing(SearchStage(cells=3, epochs=3, finalist_epochs=1)) == (2, 2)
    assert narrowing(SearchStage(cells=3, epochs=3)) == ()


def test_every_cost_has_its_bins_and_each_gives_its_best() -> None:
    accuracy = np.array([0.5, 0.9, 0.6, 0.7])
    one = np.array([[1.01], [1.0], [20.0], [100.0]])
    assert cheapest_and_best(accuracy, one, 1).tolist() == [1, 2, 3]
    assert cheapest_and_best(accuracy, one, 2).tolist() == [0, 1, 2, 3]
    both = np.hstack([one, one[::-1]])
    assert set(cheapest_and_best(accuracy, both, 1).tolist()) >= {1, 2, 3}


def test_the_cheapest_stays_whatever_its_accuracy() -> None:
    accuracy = np.array([0.9, 0.1, 0.2, 0.8])
    one = np.array([[1.01], [1.0], [1.0], [100.0]])
    assert cheapest_and_best(accuracy, one, 1).tolist() == [0, 2, 3]


def test_candidates_come_back_from_a_checkpoint_as_they_were() -> None:
    assert candidates_to_arrays(None) == {}
    assert candidates_from({}, SPACE) is None
    given = candidates([0.25, 0.75])
    found = candidates_from(candidates_to_arrays(given), SPACE)
    assert found is not None
    np.testing.assert_array_equal(found.choices, given.choices)
    np.testing.assert_array_equal(found.shares, given.shares)


def test_candidates_that_are_no_networks_of_the_space_are_refused() -> None:
    good = candidates_to_arrays(candidates([0.25, 0.75]))
    wrong = [
        {"candidates.choices": good["candidates.choices"][:, 1:]},
        {"candidates.choices": good["candidates.choices"] + 99},
        {"candidates.choices": good["candidates.choices"] * 1.0},
        {"candidates.shares": np.array([0.5, np.nan])},
        {"candidates.shares": np.array([0.0, 1.0])},
    ]
    for change in wrong:
        with pytest.raises(ValueError, match="candidates"):
            candidates_from({**good, **change}, SPACE)
