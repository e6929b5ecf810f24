"""An algorithm that no one here has thought of: regularised evolution (arXiv 1802.01548), ageing
and in one file."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from hwnas.config import Config
from hwnas.runs.front import to_minimise
from hwnas.search.algorithms.algorithm import Algorithm
from hwnas.search.algorithms.archive import Archive, by_rank
from hwnas.space.encoding import mutate, sample
from hwnas.space.space import SPACES, Choices, Probabilities

POPULATION, CANDIDATES = 12, 4


@dataclass(frozen=True, kw_only=True)
class Ageing:
    """The youngest POPULATION sub-networks (P, edges), oldest first, and their values (P, 1 +
    costs) to minimise."""

    config: Config
    population: Choices
    values: np.ndarray

    def ask(self, count: int, rng: np.random.Generator) -> Choices:
        """Uniform samples until the population is full, then mutants of the best of a few."""
        space = SPACES[self.config.space]
        if len(self.population) < POPULATION:
            return np.stack([sample(space, rng) for _ in range(count)])
        return np.stack([mutate(space, self._parent(rng), rng) for _ in range(count)])

    def _parent(self, rng: np.random.Generator) -> Choices:
        """The best of CANDIDATES drawn ones along a drawn weighting of accuracy and costs, in
        ranges of each."""
        low, high = self.values.min(axis=0), self.values.max(axis=0)
        drawn = rng.choice(len(self.population), CANDIDATES, replace=False)
        weights = rng.dirichlet(np.ones(self.values.shape[1]))
        score = ((self.values[drawn] - low) / np.maximum(high - low, 1e-9)) @ weights
        return self.population[drawn[score.argmin()]]

    def tell(self, choices: Choices, accuracy: np.ndarray, costs: np.ndarray) -> Ageing:
        """The new ones come in, the oldest go, however good they were."""
        population = np.concatenate([self.population, choices])[-POPULATION:]
        values = np.concatenate([self.values, to_minimise(accuracy, costs)])[-POPULATION:]
        return replace(self, population=population, values=values)

    def finalists(self, archive: Archive, count: int) -> list[tuple[Choices, Probabilities]]:
        """The best by non-dominated sorting; of two edges the rule keeps the one with the later
        operation."""
        shape = SPACES[self.config.space].mask.shape
        table = np.broadcast_to(np.arange(1, shape[1] + 1) / shape[1], shape)
        return [(choices, table) for choices in by_rank(archive, count)]

    def to_arrays(self) -> dict[str, np.ndarray]:
        """The state that a checkpoint holds."""
        return {"population": self.population, "values": self.values}

    def with_arrays(self, arrays: Mapping[str, np.ndarray]) -> Ageing:
        """The searcher with the state of a checkpoint."""
        return replace(self, population=arrays["population"], values=arrays["values"])


def start(config: Config, objectives: Any, rng: np.random.Generator) -> Ageing:
    edges = len(SPACES[config.space].decisions)
    return Ageing(
        config=config,
        population=np.zeros((0, edges), dtype=np.int64),
        values=np.zeros((0, 1 + len(config.objectives))),
    )


ALGORITHM = Algorithm(
    name="ageing", start=start, finalists=lambda config: config.finalists_per_policy
)
