"""hwnas.search.algorithms.regression: all evaluations together rank better than each alone."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hwnas.search.algorithms import regression
from hwnas.space import SPACES
from profilers.agreement import kendall_tau

CELL = SPACES["nasbench201"]
EDGES, OPERATIONS = CELL.mask.shape


def uniform(count: int, seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).integers(OPERATIONS, size=(count, EDGES))


def truth(choices: np.ndarray, seed: int = 0) -> np.ndarray:
    """Accuracies in which operations, and two of them on neighbouring edges together, play a
    part."""
    rng = np.random.default_rng(seed)
    alone, pairs = (
        rng.normal(size=(EDGES, OPERATIONS)),
        rng.normal(size=(EDGES, OPERATIONS, OPERATIONS)),
    )
    total = alone[np.arange(EDGES), choices].sum(axis=1)
    total += 0.5 * pairs[np.arange(EDGES - 1), choices[:, :-1], choices[:, 1:]].sum(axis=1)
    return 0.4 + 0.02 * total


def written_out(choices: np.ndarray) -> np.ndarray:
    """The features that the kernel never writes down."""
    hot = np.eye(OPERATIONS)[choices]
    pairs = [
        (hot[:, i, :, None] * hot[:, j, None, :]).reshape(len(choices), -1)
        for i in range(EDGES)
        for j in range(i)
    ]
    count = EDGES + EDGES * (EDGES - 1) / 2
    return np.concatenate([hot.reshape(len(choices), -1), *pairs], axis=1) / np.sqrt(count)


@settings(max_examples=25, deadline=None)
@given(st.integers(0, 2**20))
def test_the_kernel_is_the_product_of_the_features_written_out(seed: int) -> None:
    left, right = uniform(7, seed), uniform(5, seed + 1)
    found = regression.kernel(left, right)
    assert found == pytest.approx(written_out(left) @ written_out(right).T)
    assert np.diag(regression.kernel(left, left)) == pytest.approx(np.ones(7))


def test_the_dual_solution_is_ridge_regression_on_features_and_offsets() -> None:
    choices = uniform(60)
    batch = np.repeat(np.arange(6), 10)
    accuracy = truth(choices) + np.random.default_rng(1).normal(0, 0.05, 6)[batch]
    model = regression.fit(choices, accuracy, batch)
    features = np.concatenate(
        [written_out(choices), np.sqrt(regression.OFFSET) * np.eye(6)[batch]], axis=1
    )
    gram = features.T @ features + model.ridge * np.eye(features.shape[1])
    weights = np.linalg.solve(gram, features.T @ (accuracy - accuracy.mean()))
    others = uniform(20, 9)
    expected = accuracy.mean() + written_out(others) @ weights[: -batch[-1] - 1]
    assert regression.predict(model, others) == pytest.approx(expected)


def test_the_ridge_is_the_one_that_leaving_each_evaluation_out_prefers() -> None:
    choices, batch = uniform(40), np.repeat(np.arange(4), 10)
    accuracy = truth(choices) + np.random.default_rng(2).normal(0, 0.03, 40)
    errors = {}
    for ridge in regression.RIDGES:
        left_out = []
        for one in range(40):
            rest = np.arange(40) != one
            known = regression.kernel(choices[rest], choices[rest]) + regression.OFFSET * (
                batch[rest][:, None] == batch[rest]
            )
            dual = np.linalg.solve(known + ridge * np.eye(39), accuracy[rest] - accuracy.mean())
            own = regression.kernel(choices[one][None], choices[rest])[0] + regression.OFFSET * (
                batch[rest] == batch[one]
            )
            left_out.append(accuracy[one] - accuracy.mean() - own @ dual)
        errors[ridge] = float(np.square(left_out).sum())
    assert regression.fit(choices, accuracy, batch).ridge == min(errors, key=errors.__getitem__)


def test_it_ranks_better_than_what_was_seen_of_each_genotype() -> None:
    rng = np.random.default_rng(3)
    choices, batch = uniform(600), np.repeat(np.arange(60), 10)
    real = truth(choices)
    seen = real + rng.normal(0, 0.06, 600) + rng.normal(0, 0.05, 60)[batch]
    believed = regression.predict(regression.fit(choices, seen, batch), choices)
    assert kendall_tau(believed, real) > kendall_tau(seen, real) + 0.2
    unseen = uniform(600, 50)
    assert (
        kendall_tau(regression.predict(regression.fit(choices, seen, batch), unseen), truth(unseen))
        > 0.5
    )


def test_only_the_latest_evaluations_count(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(regression, "LATEST", 300)  # of 4,000 a fit takes seconds
    choices = uniform(regression.LATEST + 50)
    seen = truth(choices)
    spoilt = seen.copy()
    spoilt[:50] = 0.0
    batch = np.arange(len(choices)) // 10
    keep = slice(50, None)
    assert regression.fit(choices, spoilt, batch).mean == pytest.approx(seen[keep].mean())


def test_a_small_space_is_looked_at_as_a_whole_and_only_what_survives() -> None:
    model = regression.fit(uniform(30), truth(uniform(30)), np.zeros(30, dtype=int))
    whole = regression.candidates(model, uniform(30), CELL.mask)
    assert len(np.unique(whole, axis=0)) == len(whole) == OPERATIONS**EDGES
    mask = CELL.mask.copy()
    mask[:, 1] = False
    some = regression.candidates(model, uniform(30), mask)
    assert len(some) == (OPERATIONS - 1) ** EDGES and not (some == 1).any()


def test_in_a_large_space_the_best_neighbours_join_what_was_seen() -> None:
    space = SPACES["darts"]
    rng = np.random.default_rng(0)
    operations = space.mask.sum(axis=1)
    seen = rng.integers(1, operations, size=(400, len(operations)))
    liked = np.array([(row == 3).mean() for row in seen])  # every 3 is good
    model = regression.fit(seen, liked, np.zeros(400, dtype=int))
    mask = space.mask.copy()
    mask[:, 0] = False
    found = regression.candidates(model, seen, mask, best=8)
    assert (found[:400] == seen).all()
    assert not (found == 0).any() and len(np.unique(found, axis=0)) == len(found)
    best = found[regression.predict(model, found).argmax()]
    assert (best == 3).mean() >= liked.max() + 2 / len(operations)


def test_each_band_of_cost_hands_back_its_best() -> None:
    rng = np.random.default_rng(0)
    believed, cost = rng.random(500), np.exp(rng.uniform(0, 3, 500))
    rows = regression.best_of_bins(believed, cost, (1.0, np.exp(3)), 6)
    assert len(rows) == 6 and (np.diff(cost[rows]) > 0).all()
    for number, row in enumerate(rows):
        inside = (cost >= np.exp(number / 2)) & (cost < np.exp((number + 1) / 2))
        assert believed[row] == believed[inside].max()


def test_a_band_without_a_network_gives_none_and_the_ends_belong_to_the_outer_bands() -> None:
    cost = np.array([1.0, 1.1, 8.0])
    assert regression.best_of_bins(np.array([0.1, 0.2, 0.3]), cost, (1.0, 8.0), 3).tolist() == [
        1,
        2,
    ]
    # A cost may be zero (parameters of what has none), then bands have equal widths.
    assert regression.best_of_bins(
        np.ones(3), np.array([0.0, 4.0, 8.0]), (0.0, 8.0), 2
    ).tolist() == [0, 1]
