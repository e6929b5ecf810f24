"""Which validation images score the finalists: all of them, or some to choose by and others to
print."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from hwnas.config import Config
from hwnas.search.seeds import FINAL
from hwnas.training.data import Batch, Dataset, equal_batches, size

SCORING_BATCH = 256
CHOOSING = 1 / 3
"""The share of the images that chooses. The others are more: what is printed decides what a person
can tell apart, and candidates are scored three times on their way to the front."""
FEWEST = 64
"""Images that choose, at the least: of fewer the standard error is several points, so all choose
and are printed from."""


@dataclass(frozen=True, kw_only=True)
class ScoringImages:
    """The images that score the finalists of a search: first those that choose, then the others,
    which are printed from.

    ``choosing``, ``printing``: how many those are; ``choosing`` is 0 where all do both.
    """

    config: Config
    dataset: Dataset
    choosing: int
    printing: int

    def to_choose(self) -> Iterable[Batch]:
        """The images that choose, one batch at a time."""
        return self._batches(0, self.choosing or self.printing)

    def to_print(self) -> Iterable[Batch]:
        """The images that accuracies are printed from, one batch at a time."""
        return self._batches(self.choosing, self.printing)

    def _batches(self, start: int, count: int) -> Iterable[Batch]:
        """Shuffled, in equal batches.

        Sub-networks normalise by the statistics of their batch, and images lie class by class: a
        batch of one class would lose what tells it from the others, and a batch of few images has
        poor statistics.
        """
        words = (self.config.seed, FINAL)
        return equal_batches(self.dataset, "policy", SCORING_BATCH, words, count, start)


def scoring_images(config: Config, dataset: Dataset) -> ScoringImages:
    """The validation half, or as many of its images as the config says; in two parts where the
    front is to cover the costs and there are enough."""
    there = size(dataset, "policy")
    count = there if config.scoring_images is None else min(there, config.scoring_images)
    choosing = int(count * CHOOSING) if covers(config) else 0
    choosing = choosing if choosing >= FEWEST else 0
    return ScoringImages(
        config=config, dataset=dataset, choosing=choosing, printing=count - choosing
    )


def covers(config: Config) -> bool:
    """Whether the front is to cover the costs (hwnas.search.finalists.cover): there must be one."""
    return config.finalists_by == "cover" and bool(config.objectives)
