"""What a network is for: how it ends, what it can score, and how sure a score is. No torch here.

`Task` is the value that everything asks. Its kind says how; classification is the one kind so far.
What needs torch, the loss and the score of a batch, stands in hwnas.nets.task under the same name.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass

from hwnas.space.layers import Layer, Size

Interval = tuple[float, float]


@dataclass(frozen=True, kw_only=True)
class TaskKind:
    """A kind of task by name.

    ``head(classes, width, size)``: the layers behind a network's last map of (width, size).
    ``score_range(classes)``: what a guess scores, and the best. ``interval(score, images)``: the 95
    % interval of a score seen on so many images.
    """

    name: str
    head: Callable[[int, int, Size], tuple[Layer, ...]]
    score_range: Callable[[int], Interval]
    interval: Callable[[float, int], Interval]


def wilson(share: float, count: int) -> Interval:
    """The 95 % interval of a share seen in ``count`` draws (E. B. Wilson, 1927)."""
    z = 1.96  # standard normal quantile of a 95 % interval
    shrunk = 1 + z**2 / count
    centre = (share + z**2 / (2 * count)) / shrunk
    half = z * math.sqrt(share * (1 - share) / count + z**2 / (4 * count**2)) / shrunk
    return max(0.0, centre - half), min(1.0, centre + half)


def _classifier(classes: int, width: int, size: Size) -> tuple[Layer, ...]:
    return (Layer("global_pool", width, width, size), Layer("linear", width, classes, (1, 1)))


def _share_range(classes: int) -> Interval:
    return 1.0 / classes, 1.0


CLASSIFICATION = TaskKind(
    name="classification",
    head=_classifier,
    score_range=_share_range,
    interval=wilson,
)
"""One class per image; the score is accuracy, the share of images whose class is found."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Task:
    """What a network is for: images of (channels, height, width), and how many classes it tells
    apart in them."""

    classes: int
    image: tuple[int, int, int]
    kind: TaskKind = CLASSIFICATION

    def head(self, width: int, size: Size) -> tuple[Layer, ...]:
        """The layers behind the last map, of ``width`` channels and ``size`` pixels."""
        return self.kind.head(self.classes, width, size)

    @property
    def score_range(self) -> Interval:
        """What a guess scores, and the best."""
        return self.kind.score_range(self.classes)

    def interval(self, score: float, images: int) -> Interval:
        """The 95 % interval of a score that was seen on so many images."""
        return self.kind.interval(score, images)
