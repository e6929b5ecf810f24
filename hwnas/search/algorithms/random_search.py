"""Random search: uniform sub-networks, on a supernet that uniform paths trained. The baseline to
beat.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from hwnas.config import Config
from hwnas.search.algorithms.algorithm import Algorithm
from hwnas.search.algorithms.archive import Archive, by_rank
from hwnas.space.encoding import sample
from hwnas.space.space import SPACES, Choices, Probabilities


@dataclass(frozen=True, kw_only=True)
class RandomSearch:
    """A searcher that learns nothing; ``finalists`` in all, so that it is judged on as many as the
    others.
    """

    config: Config

    def ask(self, count: int, rng: np.random.Generator) -> Choices:
        """Uniform sub-networks, (count, edges)."""
        return np.stack([sample(SPACES[self.config.space], rng) for _ in range(count)])

    def tell(
        self, choices: Choices, accuracy: NDArray[np.float64], costs: NDArray[np.float64]
    ) -> RandomSearch:
        """Nothing is learnt."""
        return self

    def finalists(self, archive: Archive, count: int) -> list[tuple[Choices, Probabilities]]:
        """The best by non-dominated sorting of what was evaluated in the last stage."""
        return projected_at_random(
            self.config, by_rank(archive, count * len(self.config.exponents))
        )

    def to_arrays(self) -> dict[str, NDArray[Any]]:
        """There is no state."""
        return {}

    def with_arrays(self, arrays: Mapping[str, NDArray[Any]]) -> RandomSearch:
        """There is no state."""
        return self


ALGORITHM = Algorithm(
    name="random", start=lambda config, objectives, rng: RandomSearch(config=config)
)


def projected_at_random(config: Config, chosen: Choices) -> list[tuple[Choices, Probabilities]]:
    """Finalists without a policy: which of the drawn edges a derivation rule keeps is left to
    chance.
    """
    rng = np.random.default_rng([config.seed, len(chosen)])
    shape = SPACES[config.space].mask.shape
    return [(choices, rng.random(shape)) for choices in chosen]
