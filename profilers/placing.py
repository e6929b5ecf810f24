"""Place a device among known ones by a few measured networks: prior, design, intervals.

The design does not depend on a measured value, so all networks to measure are known beforehand.
How wide intervals must be is seen on the known devices, each as if it were new. Meta-learned
relatives: HELP (arXiv 2106.08630), NASFLAT (arXiv 2403.02446).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from profilers.covariance import Array, Part, Rows
from profilers.posterior import HALF_WIDTH, LIKELY, likenesses, posterior
from profilers.prior import KnownDevice, Pretended, Prior, learn_prior

GOAL_PERCENT = 10.0
"""Networks are enough where half of the intervals reach no farther than this to either side."""
_MOST = 100  # networks that are worth a thought
_TRIED_ON = 400  # candidates on which intervals are tried
_NARROWEST, _WIDEST = 0.95, 4.0


def prior_for(
    features: Sequence[Part], known: Sequence[KnownDevice], seen: Rows, count: int
) -> Prior:
    """What known devices say of a new one of which ``count`` networks will be measured.

    Only the networks ``seen`` (m,) of the known devices are used. ``features``: parts of all
    networks (n,).
    """
    found, pretended = learn_prior(features, known, seen)
    return replace(found, widened=widened(pretended, seen, count))


def choose(of: Prior, candidates: Rows, count: int) -> Rows:
    """The networks to measure, the most telling first: each takes the most variance from all
    candidates together."""
    left = of.between(candidates, candidates) + 1.0
    chosen: list[int] = []
    for _ in range(min(count, len(candidates))):
        gain = (left**2).sum(axis=0) / (np.diag(left) + of.noise)
        gain[chosen] = -1.0
        best = int(gain.argmax())
        chosen.append(best)
        left = left - np.outer(left[:, best], left[best]) / (left[best, best] + of.noise)
    return candidates[chosen]


def needed(of: Prior, measured: Rows, candidates: Rows, half_percent: float) -> tuple[int, float]:
    """How many networks it takes until half of the intervals reach at most GOAL_PERCENT to either
    side, and how far they reach then, in %.

    ``half_percent``: how far they reach now. Where even the most are not enough, that is their
    number.
    """
    if half_percent <= GOAL_PERCENT:
        return len(measured), half_percent
    both = np.concatenate([measured, candidates])
    left = of.between(both, both) + 1.0
    middle: dict[int, float] = {}
    taken: set[int] = set()
    for number in range(1, _MOST + 1):
        if number <= len(measured):
            best = number - 1
        else:
            gain = (left**2).sum(axis=0) / (np.diag(left) + of.noise)
            gain[list(taken)] = -1.0
            best = int(gain.argmax())
        taken.add(best)
        left = left - np.outer(left[:, best], left[best]) / (left[best, best] + of.noise)
        middle[number] = float(np.sqrt(np.median(np.diag(left)[len(measured) :]) + of.noise))
    for number in (*range(len(measured) + 10, _MOST, 10), _MOST):
        reached = half_percent * middle[number] / middle[len(measured)]
        if reached <= GOAL_PERCENT:
            break
    return number, reached


def widened(pretended: Sequence[Pretended], rows: Rows, count: int) -> float:
    """The factor with which intervals hold as many of the known devices' networks as they should,
    after ``count`` of the networks ``rows`` were measured.

    The amplitudes were learned from the same devices, so it is hardly ever below 1; it is 1 where
    no two devices are known.
    """
    off: list[Array] = []
    for each in pretended:
        there = rows[np.isfinite(each.values[rows])][:_TRIED_ON]
        measured = choose(each.prior, there, count)
        rest = np.setdiff1d(there, measured)
        values = each.values[measured]
        mean, square = posterior(
            likenesses(each.prior, rest, measured), values - values.mean(), each.prior.noise
        )
        error = np.abs(each.values[rest] - values.mean() - mean)
        off.append(error / np.sqrt(square) / HALF_WIDTH)
    if not off:
        return 1.0
    return float(np.clip(np.quantile(np.concatenate(off), LIKELY), _NARROWEST, _WIDEST))
