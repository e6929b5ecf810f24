"""What a regression predicts round the best of every cost bin: so a front reaches from the cheapest
networks to the most expensive."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

from hwnas.search.algorithms.archive import Archive
from hwnas.search.costs import CostModel, CostRange
from hwnas.search.finalists.regression import Regression, best_of_bins, changed, predict
from hwnas.space.encoding import distinct_rows
from hwnas.space.space import Choices, Mask

Floats = NDArray[np.float64]

ROUNDS = 6
"""Of changes to one decision of the best: more change nothing on elastic spaces."""
PARENTS = 6
"""Of each bin, that are changed."""
KEPT = 48
"""Of each bin, that are remembered from round to round."""


def around_bins(
    model: Regression,
    evaluated: Archive,
    costs: Sequence[CostModel],
    ranges: Mapping[str, CostRange],
    mask: Mask,
    bins: int,
) -> Archive:
    """What was evaluated, the first and last choice of every decision alike, and what single
    changes to the best of each bin of each cost lead to; with predicted scores.

    ``mask``: (decisions, operations) that remain.
    """
    found = np.concatenate([evaluated.choices, alike(mask)])
    found = found[distinct_rows(found)]
    for _ in range(ROUNDS):
        parents = found[_best(model, found, costs, ranges, bins, PARENTS)]
        both = np.concatenate([found, changed(parents, mask)])
        both = both[distinct_rows(both)]
        kept = np.concatenate(
            [_best(model, both, costs, ranges, bins, KEPT), np.arange(len(evaluated.choices))]
        )
        found = both[np.unique(kept)]
    return Archive(
        choices=found,
        accuracy=predict(model, found),
        costs=_costs(costs, found),
        seen=np.zeros(len(found), dtype=np.int64),
    )


def alike(mask: Mask) -> Choices:
    """Samples (operations, decisions) in which every decision takes its n-th remaining operation,
    or its last: of an elastic space, all blocks equally narrow."""
    columns = [np.flatnonzero(row) for row in mask]
    most = max(len(some) for some in columns)
    rows = [[int(some[min(n, len(some) - 1)]) for some in columns] for n in range(most)]
    return np.array(rows, dtype=np.int64)


def _best(
    model: Regression,
    choices: Choices,
    costs: Sequence[CostModel],
    ranges: Mapping[str, CostRange],
    bins: int,
    each: int,
) -> NDArray[np.int64]:
    """Rows of the ``each`` best of every bin of every cost."""
    predicted, paid = predict(model, choices), _costs(costs, choices)
    rows = [
        best_of_bins(predicted, paid[:, column], ranges[cost.name].bounds, bins, each)
        for column, cost in enumerate(costs)
    ]
    return np.unique(np.concatenate(rows))


def _costs(costs: Sequence[CostModel], choices: Choices) -> Floats:
    values = [cost.of(choices) for cost in costs]
    return np.array(values, dtype=np.float64).reshape(len(costs), len(choices)).T
