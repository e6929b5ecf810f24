"""A front that covers the costs: chosen by one part of the scoring images, printed from the other.

On some hundred images shared weights seldom tell a network from one that is a little smaller: of
the strictly best, a front of few members is left by chance, and flattered by having been chosen. So
the best of every bin of costs stays, unless a cheaper one is surely better; and what is printed
comes from images that did not choose among the candidates.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from hwnas.config import Config
from hwnas.runs.paired import standard_errors_lost
from hwnas.search.candidates import BINS, cheapest_and_best, listed, objective_costs, right_images
from hwnas.search.costs import CostModel
from hwnas.search.finalists.scored import Scored
from hwnas.search.loop import Searched
from hwnas.search.scoring_images import ScoringImages
from hwnas.space.space import Choices

Floats = NDArray[np.float64]

ERRORS = 3.0
"""A network that is so many standard errors less accurate than a cheaper one is left out. Each is
compared with all cheaper ones: fewer would leave out good ones by chance."""
APART = 0.5
"""Members differ in their cost by so much of a bin, at the least: of two alike one is enough."""


@dataclass(frozen=True, kw_only=True)
class ScoredToChoose:
    """Finalists (N, decisions), and what each scores on each of the images that choose, (N,
    images)."""

    choices: Choices
    right: Floats


def covering(
    config: Config, costs: tuple[CostModel, ...], searched: Searched, images: ScoringImages
) -> ScoredToChoose:
    """The finalists of a search whose front is to cover the costs: its candidates; where it trained
    none, the best of every bin and the cheapest. All ranks call this together."""
    ranks = searched.ranks
    if searched.candidates is not None:
        found = searched.candidates.choices
    else:
        found = ranks.broadcast(
            lambda: listed(config, costs, searched.searcher, list(searched.trials))
        )
    right = right_images(searched.net, ranks, found, images.to_choose())
    if searched.candidates is not None:
        return ScoredToChoose(choices=found, right=right)
    paid = objective_costs(config, costs, found)
    rows = ranks.broadcast(lambda: cheapest_and_best(right.mean(axis=1), paid, 1))
    return ScoredToChoose(choices=found[rows], right=right[rows])


def front_rows(chosen: ScoredToChoose, scored: Scored, objectives: int) -> list[int]:
    """Rows of the front, by rising first cost: all but those that are worse than a cheaper one by
    more than ``ERRORS``, and those that cost nearly the same as a better one.

    ``scored``: what the finalists cost, measured or not; one without a cost never stays.
    """
    low, high = scored.low[:, :objectives], scored.high[:, :objectives]
    costs, right = scored.costs[:, :objectives], chosen.right > 0.5
    accuracy = chosen.right.mean(axis=1)
    usable = np.flatnonzero(~np.isnan(costs).any(axis=1)).tolist()
    spread = costs[usable].max(axis=0) / np.maximum(costs[usable].min(axis=0), 1e-100)
    apart = spread ** (APART / -(-BINS // objectives))
    kept: list[int] = []
    for row in sorted(usable, key=lambda row: (-accuracy[row], *costs[row], row)):
        ratios = [
            np.maximum(costs[row] / costs[other], costs[other] / costs[row]) for other in kept
        ]
        if all((ratio >= apart).any() for ratio in ratios):
            kept.append(row)

    def is_beaten(row: int) -> bool:
        return any(
            other != row
            and (high[other] <= low[row]).all()
            and standard_errors_lost(right[other], right[row]) > ERRORS
            for other in kept
        )

    return sorted((row for row in kept if not is_beaten(row)), key=lambda row: (*costs[row], row))
