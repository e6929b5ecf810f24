"""What a regression predicts round the best of every cost bin: so a front reaches from the cheapest
networks to the most expensive."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from hwnas.search.algorithms.regression import Regression, best_of_bins, changed, predict
from hwnas.space.encoding import distinct_rows
from hwnas.space.space import Choices, Mask

Floats = NDArray[np.float64]

ROUNDS = 6
"""Of changes to one decision of the best; more of them changed nothing on elastic spaces."""
PARENTS = 6
"""Of each bin, that are changed."""
KEPT = 48
"""Of each bin, that are remembered from round to round."""


@dataclass(frozen=True, kw_only=True)
class Bins:
    """Bins of equal ratios for each of some costs.

    ``cost``: choices (M, decisions) -> (M, costs). ``bounds``: of each cost, from the cheapest
    network of the space to the most expensive. ``count``: bins of each.
    """

    cost: Callable[[Choices], Floats]
    bounds: Sequence[tuple[float, float]]
    count: int


def around_bins(model: Regression, evaluated: Choices, bins: Bins, mask: Mask) -> Choices:
    """What was evaluated, (N, decisions), the samples that are ``alike``, and what single changes
    to the best of each bin lead to.

    ``mask``: (decisions, operations) that remain.
    """
    first = evaluated[distinct_rows(evaluated)]
    found = np.concatenate([first, alike(mask)])
    found = found[distinct_rows(found)]
    for _ in range(ROUNDS):
        parents = found[best_rows(model, found, bins, PARENTS)]
        both = np.concatenate([found, changed(parents, mask)])
        both = both[distinct_rows(both)]
        kept = np.concatenate([best_rows(model, both, bins, KEPT), np.arange(len(first))])
        found = both[np.unique(kept)]
    return found


def alike(mask: Mask) -> Choices:
    """Samples (operations, decisions) in which every decision takes its n-th remaining operation,
    or its last: of an elastic space, all blocks equally narrow."""
    columns = [np.flatnonzero(row) for row in mask]
    most = max(len(some) for some in columns)
    rows = [[int(some[min(n, len(some) - 1)]) for some in columns] for n in range(most)]
    return np.array(rows, dtype=np.int64)


def best_rows(model: Regression, choices: Choices, bins: Bins, each: int) -> NDArray[np.int64]:
    """Rows of the ``each`` best predicted of every bin of every cost; without a cost, of all."""
    predicted = predict(model, choices)
    if not bins.bounds:
        return np.sort(np.argsort(-predicted, kind="stable")[: each * bins.count])
    paid = bins.cost(choices)
    rows = [
        best_of_bins(predicted, paid[:, column], bounds, bins.count, each)
        for column, bounds in enumerate(bins.bounds)
    ]
    return np.unique(np.concatenate(rows))
