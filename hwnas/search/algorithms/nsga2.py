"""NSGA-II (Deb et al., 2002): evolution of a population, survival by pymoo's ranking and crowding.

As in pymoo's defaults parents are picked by binary tournaments; genotypes are crossed edge by edge
and one edge in the mean takes another operation. Each call of ``tell`` is one (population +
offspring) generation.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray
from pymoo.core.population import Population
from pymoo.core.problem import Problem
from pymoo.operators.survival.rank_and_crowding import RankAndCrowding

from hwnas.config import Config
from hwnas.runs.front import to_minimise
from hwnas.search.algorithms.algorithm import Algorithm
from hwnas.search.algorithms.archive import Archive, by_rank
from hwnas.search.algorithms.random_search import projected_at_random
from hwnas.space.encoding import mutate, sample
from hwnas.space.space import SPACES, Choices, Probabilities

Floats = NDArray[np.float64]
POPULATION = 40


@dataclass(frozen=True, kw_only=True)
class Nsga2:
    """The searcher: the population, best first, with what it scored, and who has to be scored
    again.

    ``population`` (P, edges), ``values`` (P, 1 + objectives) to minimise. A new stage has other
    weights, so its first generation is the old population, evaluated again (``again``). Weight
    steps train uniform paths: any offspring may come to inherit any weight.
    """

    config: Config
    population: Choices
    values: Floats
    again: Choices

    def ask(self, count: int, rng: np.random.Generator) -> Choices:
        """The rest of the first population, then offspring, (count, edges)."""
        asked = list(self.again[:count])
        while len(asked) < count:
            if len(self.population) + len(asked) < POPULATION:
                asked.append(sample(SPACES[self.config.space], rng))
            else:
                asked.append(self._offspring(rng))
        return np.stack(asked)

    def tell(self, choices: Choices, accuracy: Floats, costs: Floats) -> Nsga2:
        """Survival of the fittest among population and offspring."""
        pool = np.concatenate([self.population, choices])
        values = np.concatenate([self.values, to_minimise(accuracy, costs)])
        best = survivors(values, POPULATION)
        return replace(
            self, population=pool[best], values=values[best], again=self.again[len(choices) :]
        )

    def next_stage(self, rng: np.random.Generator) -> Nsga2:
        """The same population, to be evaluated on the weights of the next supernet."""
        nobody = start(self.config)
        return replace(nobody, again=np.concatenate([self.population, self.again]))

    def finalists(self, archive: Archive, count: int) -> list[tuple[Choices, Probabilities]]:
        """The best by non-dominated sorting of what was seen in the last stage."""
        return projected_at_random(
            self.config, by_rank(archive, count * len(self.config.exponents))
        )

    def to_arrays(self) -> dict[str, NDArray[Any]]:
        """The state that a checkpoint holds."""
        return {"population": self.population, "values": self.values, "again": self.again}

    def with_arrays(self, arrays: Mapping[str, NDArray[Any]]) -> Nsga2:
        """The searcher with the state of a checkpoint."""
        return replace(
            self, population=arrays["population"], values=arrays["values"], again=arrays["again"]
        )

    def _offspring(self, rng: np.random.Generator) -> Choices:
        mother, father = (self.population[_tournament(len(self.population), rng)] for _ in range(2))
        child: Choices = np.where(rng.random(len(mother)) < 0.5, mother, father)
        for _ in range(rng.binomial(len(child), 1 / len(child))):
            child = mutate(SPACES[self.config.space], child, rng)
        return child


def start(config: Config) -> Nsga2:
    """An empty population."""
    nobody = np.zeros((0, len(SPACES[config.space].decisions)), dtype=np.int64)
    return Nsga2(
        config=config,
        population=nobody,
        values=np.zeros((0, 1 + len(config.objectives))),
        again=nobody,
    )


ALGORITHM = Algorithm(name="nsga2", start=lambda config, objectives, rng: start(config))


def survivors(values: Floats, count: int) -> NDArray[np.int64]:
    """Indices of the ``count`` best rows of values (N, D), all minimised, best rank and widest
    gap first."""
    pool = Population.new("X", np.arange(len(values))[:, None], "F", values)
    problem = Problem(n_var=1, n_obj=values.shape[1])
    kept = RankAndCrowding().do(
        problem, pool, n_survive=min(count, len(values)), random_state=np.random.RandomState(0)
    )
    order = sorted(kept, key=lambda one: (one.get("rank"), -one.get("crowding"), int(one.X[0])))
    return np.array([int(one.X[0]) for one in order], dtype=np.int64)


def _tournament(count: int, rng: np.random.Generator) -> int:
    """The better of two random places in a population that is ordered best first."""
    return int(rng.integers(count, size=2).min())
