"""How far apart two networks are in accuracy, from the images that only one of them got right."""

from __future__ import annotations

import math
from dataclasses import dataclass
from statistics import NormalDist
from typing import Literal

from scipy.optimize import brentq
from scipy.special import betaincinv

from hwnas.runs.right_images import Bools
from hwnas.space.task import CLASSIFICATION

Outcome = Literal["better", "worse", "open"]
CONFIDENCE = 0.95
Z = NormalDist().inv_cdf((1 + CONFIDENCE) / 2)
"""Standard errors on either side that hold 95 % of a normal distribution."""
EDGE = 1e-9
"""How near to -1 and 1 the ends of an interval are looked for."""


@dataclass(frozen=True, kw_only=True)
class Difference:
    """Accuracy of one network minus that of another on the same number of images, in -1..1, with
    its 95 % interval.

    ``paired``: from the same images, one by one; else only the two accuracies are known.
    """

    value: float
    low: float
    high: float
    images: int
    paired: bool

    @property
    def outcome(self) -> Outcome:
        """What can be told: "open" where the interval holds 0."""
        if self.low > 0:
            return "better"
        return "worse" if self.high < 0 else "open"


def paired_difference(first: Bools, second: Bools) -> Difference:
    """The first minus the second, both (images,).

    Two intervals, and of both the wider end on each side. Of the m images that only one got right,
    the first had k: k is binomial, and the exact interval of its share s (Clopper and Pearson)
    gives (2 s - 1) m / images, which holds 0 where the exact McNemar test finds nothing. It takes m
    as given. The score interval does not: with m = 0 it tells how rare such images may be.
    """
    only_first, only_second = int((first & ~second).sum()), int((second & ~first).sum())
    discordant, images = only_first + only_second, len(first)
    exact = [(2 * share - 1) * discordant / images for share in _share(only_first, discordant)]
    score = _score_interval(only_first, only_second, images)
    return Difference(
        value=(only_first - only_second) / images,
        low=min(exact[0], score[0]),
        high=max(exact[1], score[1]),
        images=images,
        paired=True,
    )


def _score_interval(only_first: int, only_second: int, images: int) -> tuple[float, float]:
    """The 95 % interval of the difference of two shares of the same images (Tango, Statistics in
    Medicine 17, 1998): every difference that lies within Z standard errors of what was seen, the
    error being that of the likeliest shares with this difference.
    """

    def errors_away(difference: float) -> float:
        # The likeliest share q of images that only the second has right solves a q^2 + b q + c = 0.
        a = 2 * images
        b = (a - only_first + only_second) * difference - only_first - only_second
        c = -only_second * difference * (1 - difference)
        q = (math.sqrt(max(b * b - 4 * a * c, 0.0)) - b) / (2 * a)
        variance = images * max(2 * q + difference * (1 - difference), 1e-300)
        return (only_first - only_second - images * difference) / math.sqrt(variance)

    def beyond(difference: float, side: int) -> float:
        return side * errors_away(difference) - Z

    def end(side: int) -> float:
        edge = -side * (1 - EDGE)
        if side * (seen - edge) <= 0 or beyond(edge, side) <= 0:
            return float(-side)
        return float(brentq(beyond, edge, seen, args=(side,)))

    seen = (only_first - only_second) / images
    return end(1), end(-1)


def standard_errors_lost(first: Bools, second: Bools) -> float:
    """By how many standard errors the second is less accurate than the first, both (images,); 0
    where it is not.

    The error is that of the difference of two shares of the same images: of the images that only
    one of them got right.
    """
    only_first, only_second = int((first & ~second).sum()), int((second & ~first).sum())
    lost, images = only_first - only_second, len(first)
    if lost <= 0:
        return 0.0
    variance = only_first + only_second - lost**2 / images
    return lost / math.sqrt(variance) if variance > 0 else math.inf


def unpaired_difference(first: float, second: float, images: int) -> Difference:
    """The same from two accuracies in 0..1 of so many images each: wider (Newcombe's interval)."""
    value = first - second
    (low_1, high_1), (low_2, high_2) = (
        CLASSIFICATION.interval(share, images) for share in (first, second)
    )
    return Difference(
        value=value,
        low=value - math.hypot(first - low_1, high_2 - second),
        high=value + math.hypot(high_1 - first, second - low_2),
        images=images,
        paired=False,
    )


def _share(count: int, total: int) -> tuple[float, float]:
    """The exact interval of a binomial share."""
    tail = (1 - CONFIDENCE) / 2
    low = 0.0 if count == 0 else float(betaincinv(count, total - count + 1, tail))
    high = 1.0 if count == total else float(betaincinv(count + 1, total - count, 1 - tail))
    return low, high
