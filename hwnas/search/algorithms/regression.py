"""What all evaluations of a search predict together: a regression of accuracy on the operations of
a genotype.

One evaluation with shared weights is noisy: few images, and weights that happen to suit one path.
Most of what makes a genotype good it shares with its neighbours, though, so all trials together say
more about one genotype than its own mean does. The model is ridge regression on the operation of
each edge and on each pair of operations of two edges, with an offset per batch of images, because
the weights go on training and no two batches are equally hard. It is solved in its dual form
(Saunders et al., ICML 1998): two genotypes that agree on m of E edges have m main effects and m (m
- 1) / 2 pairs in common, and no feature is ever written down, however many operations there are.
The ridge is the one with the least squared leave-one-out residual, which has a closed form.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from hwnas.runs.trials import Trial
from hwnas.search.algorithms.archive import Archive
from hwnas.space.build import OfSamples
from hwnas.space.encoding import distinct_rows, every
from hwnas.space.space import Choices, Mask

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]

LATEST = 4000
"""Trials that are used at the most, the latest: solving takes their number cubed, and the oldest
saw other weights."""
RIDGES = (0.03, 0.1, 0.3, 1.0, 3.0)
"""Variances of the noise of one evaluation, in units of the variance that the operations
explain."""
OFFSET = 1.0
"""Variance of a batch's offset in the same units."""
WHOLE = 20_000
"""Genotypes up to which all of a space are looked at."""
NEIGHBOURHOODS = 3
"""Rounds of one-edge changes to the best, where the space is larger than that."""


@dataclass(frozen=True, kw_only=True)
class Regression:
    """Choices (N, edges) that were evaluated, their dual weights (N,), and the mean accuracy."""

    choices: Choices
    dual: Floats
    mean: float
    ridge: float


def fit_trials(trials: Sequence[Trial]) -> Regression:
    """Learn from the trials of one stage; those of one step saw the same images and weights."""
    steps: dict[tuple[int, int], int] = {}
    return fit(
        np.array([trial.choices for trial in trials], dtype=np.int64),
        np.array([trial.score for trial in trials]),
        np.array([steps.setdefault((trial.epoch, trial.step), len(steps)) for trial in trials]),
    )


def predicted(
    model: Regression, evaluated: Archive, costs: Sequence[OfSamples], mask: Mask
) -> Archive:
    """What a search could have evaluated, with predicted accuracies: ``candidates`` in place of
    what was evaluated."""
    choices = candidates(model, evaluated.choices, mask)
    values = [cost.of(choices) for cost in costs]
    return Archive(
        choices=choices,
        accuracy=predict(model, choices),
        costs=np.array(values, dtype=np.float64).reshape(len(costs), len(choices)).T,
        seen=np.zeros(len(choices), dtype=np.int64),
    )


def best_of_bins(
    predicted: Floats, cost: Floats, bounds: tuple[float, float], count: int, each: int = 1
) -> Ints:
    """Rows of the ``each`` best accuracies in each of ``count`` cost bins, cheapest first; empty
    bins give none.

    Bins have equal ratios between the ``bounds`` of the space. Not the front of what is predicted:
    networks share few training steps, which flatters the small and shallow, so the best large one
    is often predicted to be dominated. It is compared with its like instead. predicted, cost: (N,).
    """
    low, high = bounds
    edges = (
        np.geomspace(low, high, count + 1) if 0 < low < high else np.linspace(low, high, count + 1)
    )
    bins = np.clip(np.searchsorted(edges, cost, side="right") - 1, 0, count - 1)
    inside = (np.flatnonzero(bins == number) for number in range(count))
    best = [rows[np.argsort(-predicted[rows], kind="stable")[:each]] for rows in inside]
    return np.concatenate(best).astype(np.int64)


def fit(choices: Choices, accuracy: Floats, batch: Ints) -> Regression:
    """Learn from N evaluations: choices (N, edges), accuracy (N,) in 0..1, batch (N,): which
    were made together."""
    choices, accuracy, batch = choices[-LATEST:], accuracy[-LATEST:], batch[-LATEST:]
    mean = float(accuracy.mean())
    known = kernel(choices, choices) + OFFSET * (batch[:, None] == batch)
    best: tuple[float, Floats, float] | None = None
    for ridge in RIDGES:
        inverse = np.linalg.inv(known + ridge * np.eye(len(known)))
        dual = inverse @ (accuracy - mean)
        error = float(
            np.square(dual / np.diag(inverse)).sum()
        )  # the residuals that leaving each one out would give
        if best is None or error < best[0]:
            best = error, dual, ridge
    assert best is not None
    return Regression(choices=choices, dual=best[1], mean=mean, ridge=best[2])


def predict(model: Regression, choices: Choices) -> Floats:
    """The accuracy of choices (M, edges) on an average batch, (M,): for ranking, not for
    printing."""
    return np.concatenate(
        [
            model.mean + kernel(some, model.choices) @ model.dual
            for some in np.array_split(choices, 1 + len(choices) // 4096)
        ]
    )


def kernel(left: Choices, right: Choices) -> Floats:
    """Effects that genotypes have in common, main ones and pairs, as a share of all; (N, E), (M,
    E) -> (N, M)."""
    edges = left.shape[1]
    same = np.zeros((len(left), len(right)))
    for one, other in zip(left.T, right.T, strict=True):
        same += one[:, None] == other
    return np.asarray((same + same * (same - 1) / 2) / (edges + edges * (edges - 1) / 2))


def candidates(model: Regression, evaluated: Choices, mask: Mask, best: int = 64) -> Choices:
    """Genotypes worth a prediction, (M, edges): all of a small space, else what was evaluated and
    around its best.

    ``mask``: (edges, operations) that remain.
    """
    if mask.sum(axis=1).prod(dtype=float) <= WHOLE:
        return every(mask)
    found = evaluated[distinct_rows(evaluated)]
    for _ in range(NEIGHBOURHOODS):
        top = found[np.argsort(-predict(model, found), kind="stable")[:best]]
        both = np.concatenate([found, changed(top, mask)])
        found = both[distinct_rows(both)]
    return found


def changed(choices: Choices, mask: Mask) -> Choices:
    """Every genotype with one edge's operation exchanged for another that remains."""
    rows = [choices]
    for edge, operation in zip(*np.nonzero(mask), strict=True):
        moved = choices.copy()
        moved[:, edge] = operation
        rows.append(moved)
    return np.concatenate(rows)
