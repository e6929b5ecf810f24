"""Densities by enumeration, directions that cover the orthant, and worths that add up to the
hypervolume."""

import itertools

import numpy as np
import pytest

from hwnas.runs.front import Bounds, hypervolume
from hwnas.search.algorithms import policy, proposals
from hwnas.search.algorithms.proposals import Proposal

EVERY = np.array(list(itertools.product(range(3), repeat=3)), dtype=np.int64)


def some_proposal(count: int = 4) -> Proposal:
    rng = np.random.default_rng(0)
    tables = rng.dirichlet(np.ones(3), size=(count, 3))
    tables[0, 1] = [0.0, 1.0, 0.0]  # a slot that leaves no choice
    return Proposal(tables=tables, weights=rng.dirichlet(np.ones(count)))


def test_densities_of_all_samples_sum_to_one() -> None:
    assert proposals.density(some_proposal(), EVERY).sum() == pytest.approx(1.0)


def test_the_density_is_the_mixture_of_the_products() -> None:
    one = some_proposal()
    sample = np.array([2, 0, 1])
    by_hand = sum(
        w * t[0, 2] * t[1, 0] * t[2, 1] for w, t in zip(one.weights, one.tables, strict=True)
    )
    assert proposals.density(one, sample[None])[0] == pytest.approx(by_hand)


def test_samples_are_as_frequent_as_the_density_says() -> None:
    drawn = proposals.draw(some_proposal(), 40_000, np.random.default_rng(1))
    frequency = np.bincount(drawn @ np.array([9, 3, 1]), minlength=27) / 40_000
    np.testing.assert_allclose(frequency, proposals.density(some_proposal(), EVERY), atol=0.01)


def test_gains_are_one_at_the_best_and_zero_at_the_reference_corner() -> None:
    gain = proposals.gains(np.array([0.5, 0.9, 0.7]), np.array([[1.0], [5.0], [4.0]]), floor=0.5)
    np.testing.assert_allclose(gain, [[0.0, 1.0], [1.0, 0.0], [0.5, 0.25]])


def test_slack_puts_the_corner_beyond_the_worst_cost() -> None:
    gain = proposals.gains(np.array([0.5, 0.9]), np.array([[1.0], [5.0]]), floor=0.5, slack=0.25)
    np.testing.assert_allclose(gain, [[0.0, 1.0], [1.0, 0.2]])  # the corner is at 6


def test_the_first_aim_is_accuracy_alone() -> None:
    gain = np.array([[1.0, 0.05], [0.9, 0.9]])
    assert proposals.score(gain, proposals.aims(5, 2, turn=0)).argmax(axis=1)[0] == 0
    assert proposals.aims(5, 3, turn=1).shape == (5, 3)


def test_what_is_not_eligible_is_worth_least_and_moves_nothing() -> None:
    accuracy, costs = np.array([0.5, 0.9, np.nan, 0.7]), np.array([[1.0], [5.0], [0.1], [np.nan]])
    gain = proposals.gains(accuracy, costs, floor=0.5)
    np.testing.assert_allclose(gain, [[0.0, 1.0], [1.0, 0.0], [-1.0, -1.0], [-1.0, -1.0]])


def test_without_any_eligible_sample_gains_are_still_numbers() -> None:
    assert (proposals.gains(np.array([np.nan]), np.array([[np.nan]]), 0.0) == -1.0).all()


@pytest.mark.parametrize("dimensions", [1, 2, 3, 4])
def test_directions_are_positive_unit_vectors_and_turn(dimensions: int) -> None:
    along = proposals.directions(16, dimensions, turn=3)
    assert along.shape == (16, dimensions) and (along > 0).all()
    np.testing.assert_allclose(np.linalg.norm(along, axis=1), 1.0, atol=1e-5)
    assert dimensions == 1 or not np.allclose(along, proposals.directions(16, dimensions, turn=4))


@pytest.mark.parametrize("dimensions", [2, 3])
def test_squared_worths_averaged_over_directions_give_the_hypervolume(dimensions: int) -> None:
    # In D dimensions the dominated volume is (volume of the unit ball's orthant) x mean over
    # directions of worth ** D.
    rng = np.random.default_rng(2)
    accuracy, costs = rng.random(12), rng.random((12, dimensions - 1))
    box = Bounds(
        accuracy=(0.0, float(accuracy.max())),
        costs=tuple((float(c.min()), float(c.max())) for c in costs.T),
    )
    along = np.concatenate([proposals.directions(64, dimensions, turn) for turn in range(60)])
    best = np.maximum(
        proposals.score(proposals.gains(accuracy, costs, 0.0), along).max(axis=1), 0.0
    )
    orthant = {2: np.pi / 4, 3: np.pi / 6}[dimensions]
    assert orthant * (best**dimensions).mean() == pytest.approx(
        hypervolume(accuracy, costs, box), rel=0.03
    )


def test_explored_policies_keep_to_their_masks() -> None:
    mask = np.array([[True, True, False], [True, True, True]])
    tables = proposals.explored(policy.start(mask, 2, np.random.default_rng(0)), share=0.5)
    np.testing.assert_allclose(tables.sum(axis=2), 1.0)
    assert (tables[:, 0, 2] == 0).all()
    np.testing.assert_allclose(
        proposals.explored(policy.start(mask, 1, np.random.default_rng(0)), 1.0)[0, 0],
        [0.5, 0.5, 0],
    )


def test_an_anchored_table_keeps_its_incumbent_but_for_the_share_of_change() -> None:
    guides = np.array([[[0.2, 0.3, 0.5]]])
    table = proposals.anchored(np.array([[2]]), guides, change=0.1)
    np.testing.assert_allclose(table, [[[0.02, 0.03, 0.95]]])
