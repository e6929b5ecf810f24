"""What every search algorithm is to the one loop: ask, tell, and where its supernet stands."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from hwnas.search.algorithms.archive import Archive
from hwnas.space.space import Choices, Mask, Probabilities


class Searcher(Protocol):
    """A frozen value: ``tell`` and ``next_stage`` return the searcher that knows more.

    It never measures, trains or writes; randomness is handed to it.
    """

    def mask(self) -> Mask:
        """Operations that the stage's supernet must hold, (edges, operations)."""

    def paths(self, count: int, rng: np.random.Generator) -> Choices:
        """Sub-networks that the next weight steps train, (count, edges)."""

    def mixture(self) -> Probabilities:
        """Weights of the mixture supernet, (edges, operations)."""

    def ask(self, count: int, rng: np.random.Generator) -> Choices:
        """Sub-networks to evaluate, (count, edges)."""

    def tell(self, choices: Choices, accuracy: NDArray[np.float64], costs: NDArray[np.float64]) -> Searcher:
        """Learn: choices (M, edges), accuracy (M,) in 0..1, costs (M, objectives)."""

    def next_stage(self, rng: np.random.Generator) -> Searcher:
        """Go on with the next, deeper supernet."""

    def entropies(self) -> list[float]:
        """Entropy of each policy in nats; empty where there is none."""

    def tables(self) -> NDArray[np.float64]:
        """softmax(alpha) of every policy, (K, edges, operations); K = 0 where there is none."""

    def derived(self) -> list[Choices]:
        """What each policy derives now, (edges,) each; empty where there is none."""

    def finalists(self, archive: Archive, count: int) -> list[tuple[Choices, Probabilities]]:
        """What is to be scored in the end, ``count`` per policy, with the probabilities that project it."""

    def to_arrays(self) -> dict[str, NDArray[Any]]:
        """The state that a checkpoint holds."""

    def with_arrays(self, arrays: Mapping[str, NDArray[Any]]) -> Searcher:
        """The searcher with the state of a checkpoint."""
