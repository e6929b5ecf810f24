"""Random search: uniform sub-networks, on a supernet that uniform paths trained. The baseline to beat."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from hwnas.config import Config
from hwnas.search.algorithms.archive import Archive, by_rank
from hwnas.space.encoding import sample
from hwnas.space.space import SPACES, Choices, Mask, Probabilities


@dataclass(frozen=True)
class RandomSearch:
    """A searcher that learns nothing; ``finalists`` in all, so that it is judged on as many as the others."""

    config: Config

    def mask(self) -> Mask:
        """All operations, in every stage."""
        return SPACES[self.config.space].mask

    def paths(self, count: int, rng: np.random.Generator) -> Choices:
        """Uniform paths, (count, edges)."""
        return uniform(self.mask(), self.config.space, count, rng)

    def mixture(self) -> Probabilities:
        """Equal weights, (edges, operations)."""
        return equal(self.mask())

    def ask(self, count: int, rng: np.random.Generator) -> Choices:
        """Uniform sub-networks, (count, edges)."""
        return self.paths(count, rng)

    def tell(
        self, choices: Choices, accuracy: NDArray[np.float64], costs: NDArray[np.float64]
    ) -> RandomSearch:
        """Nothing is learnt."""
        return self

    def next_stage(self, rng: np.random.Generator) -> RandomSearch:
        """A deeper supernet of the same operations."""
        return self

    def entropies(self) -> list[float]:
        """There is no policy."""
        return []

    def tables(self) -> NDArray[np.float64]:
        """There is no policy, (0, edges, operations)."""
        return np.zeros((0, *self.mask().shape))

    def derived(self) -> list[Choices]:
        """There is no policy."""
        return []

    def finalists(self, archive: Archive, count: int) -> list[tuple[Choices, Probabilities]]:
        """The best by non-dominated sorting of what was seen in the last stage."""
        return projected_at_random(self.config, by_rank(archive, count * len(self.config.exponents)))

    def to_arrays(self) -> dict[str, NDArray[Any]]:
        """There is no state."""
        return {}

    def with_arrays(self, arrays: Mapping[str, NDArray[Any]]) -> RandomSearch:
        """There is no state."""
        return self


def uniform(mask: Mask, space: str, count: int, rng: np.random.Generator) -> Choices:
    """``count`` uniform samples of the operations in ``mask``, (count, edges)."""
    return np.stack([sample(SPACES[space], rng, mask) for _ in range(count)])


def equal(mask: Mask) -> Probabilities:
    """The same probability for all operations of an edge, (edges, operations)."""
    return np.asarray(mask / mask.sum(axis=1, keepdims=True), dtype=np.float64)


def projected_at_random(config: Config, chosen: Choices) -> list[tuple[Choices, Probabilities]]:
    """Finalists without a policy: which of the drawn edges a derivation rule keeps is left to chance."""
    rng = np.random.default_rng([config.seed, len(chosen)])
    shape = SPACES[config.space].mask.shape
    return [(one, rng.random(shape)) for one in chosen]
