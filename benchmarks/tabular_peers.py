"""The peers of the tabular self-test: random search, NSGA-II as pymoo ships it, regularised
evolution.

Each takes `evaluate`, which looks samples up, and a seed, and goes on until `evaluate` raises
`Spent`. Nobody is charged for asking again about a genotype that was evaluated before.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray
from pymoo.algorithms.moo.nsga2 import NSGA2
from pymoo.core.crossover import Crossover
from pymoo.core.mutation import Mutation
from pymoo.core.problem import Problem
from pymoo.operators.crossover.pntx import TwoPointCrossover
from pymoo.operators.crossover.sbx import SBX
from pymoo.operators.crossover.ux import UX
from pymoo.operators.repair.rounding import RoundingRepair
from pymoo.operators.sampling.rnd import IntegerRandomSampling

from hwnas.runs.front import to_minimise

Ints = NDArray[np.int64]
Floats = NDArray[np.float64]
Evaluate = Callable[[Ints], tuple[Floats, Floats]]  # (M, E) -> accuracy (M,), costs (M, 1)

# Chosen by `python -m benchmarks.tabular_tuning` (docs/evidence/tabular.md).
POPULATION = 20
MUTATION = 0.1
CROSSOVER = "uniform"
CROSSOVERS: dict[str, Callable[[], Crossover]] = {
    "uniform": lambda: UX(prob=0.9),
    "two-point": lambda: TwoPointCrossover(prob=0.9),
    "simulated binary": lambda: SBX(prob=0.9, eta=3, vtype=float, repair=RoundingRepair()),
}


class Spent(Exception):
    """All evaluations of the budget are used."""


def random_search(evaluate: Evaluate, mask: NDArray[np.bool_], seed: int) -> None:
    """Uniform samples."""
    rng = np.random.default_rng(seed)
    while True:
        evaluate(rng.integers(mask.shape[1], size=(100, mask.shape[0])))


class Redraw(Mutation):  # type: ignore[misc]  # pymoo ships no types
    """Each slot takes another operation, any of them alike, with probability `rate`."""

    def __init__(self, rate: float) -> None:
        super().__init__(prob=1.0)
        self.rate = rate

    def _do(
        self,
        problem: Problem,
        X: Ints,
        *args: object,
        random_state: np.random.Generator,
        **_: object,
    ) -> Ints:
        count = int(problem.xu[0]) + 1
        other = (X + random_state.integers(1, count, X.shape)) % count
        return np.where(random_state.random(X.shape) < self.rate, other, X)


def nsga2(
    evaluate: Evaluate,
    mask: NDArray[np.bool_],
    seed: int,
    population: int = POPULATION,
    mutation: float = MUTATION,
    crossover: str = CROSSOVER,
) -> None:
    """pymoo's NSGA-II on the operation indices; what is not eligible is the worst of all."""
    slots, operations = mask.shape
    problem = Problem(n_var=slots, n_obj=2, xl=0, xu=operations - 1, vtype=int)
    algorithm = NSGA2(
        pop_size=population,
        sampling=IntegerRandomSampling(),
        crossover=CROSSOVERS[crossover](),
        mutation=Redraw(mutation),
        eliminate_duplicates=True,
    )
    algorithm.setup(problem, termination=("n_gen", 10**6), seed=seed)
    while True:
        asked = algorithm.ask()
        values = to_minimise(*evaluate(asked.get("X").astype(np.int64)))
        values[np.isnan(values).any(axis=1)] = 1e9
        asked.set("F", values)
        algorithm.tell(infills=asked)


def evolution(
    evaluate: Evaluate,
    mask: NDArray[np.bool_],
    seed: int,
    population: int = 40,
    tournament: int = 10,
) -> None:
    """Regularised evolution (arXiv 1802.01548): the oldest dies; each tournament has a random
    weight of both aims."""
    rng = np.random.default_rng(seed)
    slots, operations = mask.shape
    alive: deque[tuple[Ints, Floats]] = deque(maxlen=population)
    best, worst = np.full(2, np.inf), np.full(2, -np.inf)
    while True:
        child: Ints
        if len(alive) < population:
            child = np.asarray(rng.integers(operations, size=slots))
        else:
            rivals = [alive[i] for i in rng.choice(population, tournament, replace=False)]
            weight = rng.random()
            scaled = (np.array([values for _, values in rivals]) - best) / np.maximum(
                worst - best, 1e-9
            )
            child = rivals[int((scaled @ [weight, 1 - weight]).argmin())][0].copy()
            slot = rng.integers(slots)
            child[slot] = (child[slot] + rng.integers(1, operations)) % operations
        values = to_minimise(*evaluate(child[None]))[0]
        if np.isnan(values).any():
            values = worst if np.isfinite(worst).all() else np.zeros(2)
        best, worst = np.minimum(best, values), np.maximum(worst, values)
        alive.append((child, values))
