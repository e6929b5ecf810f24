"""Paths over the whole range of costs."""

from __future__ import annotations

import numpy as np

from hwnas.space.encoding import sample
from hwnas.space.spread import relative_costs, spread_path
from tests.space.elastic_macros import tiny_family


def test_costs_of_options_are_shares_of_their_node_and_nothing_costs_nothing() -> None:
    of = tiny_family()
    found = relative_costs(of.space, of.graphs[(0,)])
    for row, decision in enumerate(of.space.decisions):
        shares = dict(zip(decision.operations, found[row].tolist(), strict=False))
        if decision.of_size:
            assert set(shares.values()) == {0.0}
            continue
        assert shares[decision.operations[0]] == 1.0
        assert shares.get("none", 0.0) == 0.0
        assert all(0 < share <= 1 for name, share in shares.items() if name != "none")


def test_spread_paths_reach_further_than_even_ones_and_take_only_what_remains() -> None:
    of = tiny_family()
    costs = relative_costs(of.space, of.graphs[(0,)])
    mask = of.space.mask.copy()
    mask[1, 1:3] = False
    rng = np.random.default_rng(2)
    drawn = np.stack([spread_path(of.space, costs, mask, rng) for _ in range(800)])
    even = np.stack([sample(of.space, rng, mask) for _ in range(800)])
    rows = np.arange(len(of.space.decisions))
    assert mask[rows, drawn].all()
    totals = [np.take_along_axis(costs, one.T, axis=1).sum(axis=0) for one in (drawn, even)]
    assert totals[0].std() > 1.3 * totals[1].std()
    assert abs(totals[0].mean() - totals[1].mean()) < 0.15 * totals[1].mean()


def test_absence_and_size_keep_their_even_shares() -> None:
    space = tiny_family().space
    costs = np.where(space.is_none, 0.0, 0.5) * space.mask
    costs[list(space.size_rows)] = 0.0
    rng = np.random.default_rng(4)
    drawn = np.stack([spread_path(space, costs, space.mask, rng) for _ in range(3000)])
    absent = space.is_none[np.arange(drawn.shape[1]), drawn].mean(axis=0)
    for row, decision in enumerate(space.decisions):
        if "none" in decision.operations:
            assert abs(absent[row] - 1 / len(decision.operations)) < 0.03
    (size,) = space.size_rows
    assert abs((drawn[:, size] == 0).mean() - 0.5) < 0.04
