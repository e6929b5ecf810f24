"""How far apart two networks are in accuracy, from the images that only one of them got right."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Literal

from scipy.special import betaincinv

from hwnas.runs.right_images import Bools
from hwnas.space.task import CLASSIFICATION

Outcome = Literal["better", "worse", "open"]
CONFIDENCE = 0.95


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

    Of the m images that only one got right, the first had k: k is binomial, and the exact interval
    of its share s (Clopper and Pearson) gives that of the difference, (2 s - 1) m / images. It
    holds 0 where the exact McNemar test finds nothing.
    """
    only_first, only_second = int((first & ~second).sum()), int((second & ~first).sum())
    discordant, images = only_first + only_second, len(first)
    low, high = _share(only_first, discordant)
    scale = discordant / images
    return Difference(
        value=(only_first - only_second) / images,
        low=(2 * low - 1) * scale,
        high=(2 * high - 1) * scale,
        images=images,
        paired=True,
    )


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
