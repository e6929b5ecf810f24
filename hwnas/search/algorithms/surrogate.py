"""A surrogate: a regression over all evaluations says what to evaluate next, over the whole range
of costs.

Random samples and equally narrow networks come first. Then each round takes, in every bin of cost,
the network that the regression (hwnas.search.algorithms.regression) puts first and that was not
evaluated yet. What networks cost is learnt as well, by the same kind of regression: counts and
latency tables are sums of parts at each size.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from hwnas.config import Config
from hwnas.search.algorithms.algorithm import Algorithm
from hwnas.search.algorithms.archive import Archive, by_rank
from hwnas.search.algorithms.around_bins import Bins, alike, around_bins
from hwnas.search.algorithms.random_search import projected_at_random
from hwnas.search.algorithms.regression import best_of_bins, fit, kernel, predict
from hwnas.space.encoding import sample
from hwnas.space.space import SPACES, Choices, Mask, Probabilities

Floats = NDArray[np.float64]

FIRST = 40
"""Evaluations before the regression is asked."""
LATEST = 400
"""Evaluations that the regressions learn from, the latest: solving takes their number cubed."""
RIDGE = 1e-3
"""Of the regression of a cost, in units of the variance that the operations explain."""


@dataclass(frozen=True, kw_only=True)
class Surrogate:
    """The searcher: what was evaluated on the present weights.

    ``choices`` (N, decisions), ``scores`` (N,) in 0..1, ``costs`` (N, objectives), ``rounds`` (N,):
    evaluations of one round saw the same images.
    """

    config: Config
    choices: Choices
    scores: Floats
    costs: Floats
    rounds: NDArray[np.int64]

    def ask(self, count: int, rng: np.random.Generator) -> Choices:
        """What to evaluate next, (count, decisions)."""
        space = SPACES[self.config.space]
        mask, seen = space.mask, {tuple(row) for row in self.choices.tolist()}
        asked: list[tuple[int, ...]] = []
        proposed = alike(mask) if len(self.choices) < FIRST else self._promising(mask, count, seen)
        for row in (tuple(row) for row in proposed.tolist()):
            if len(asked) < count and row not in seen:
                asked.append(row)
                seen.add(row)
        while len(asked) < count:
            asked.append(tuple(sample(space, rng, mask).tolist()))
        return np.array(asked, dtype=np.int64)

    def tell(self, choices: Choices, accuracy: Floats, costs: Floats) -> Surrogate:
        """Remember."""
        number = int(self.rounds.max()) + 1 if len(self.rounds) else 0
        return replace(
            self,
            choices=np.concatenate([self.choices, choices]),
            scores=np.concatenate([self.scores, accuracy]),
            costs=np.concatenate([self.costs, costs]),
            rounds=np.concatenate([self.rounds, np.full(len(choices), number, dtype=np.int64)]),
        )

    def next_stage(self, rng: np.random.Generator) -> Surrogate:
        """Other weights: what was seen on the last ones is forgotten."""
        return start(self.config)

    def finalists(self, archive: Archive, count: int) -> list[tuple[Choices, Probabilities]]:
        """The best by non-dominated sorting of what was evaluated in the last stage."""
        return projected_at_random(
            self.config, by_rank(archive, count * len(self.config.exponents))
        )

    def to_arrays(self) -> dict[str, NDArray[Any]]:
        """The state that a checkpoint holds."""
        return {
            "choices": self.choices,
            "scores": self.scores,
            "costs": self.costs,
            "rounds": self.rounds,
        }

    def with_arrays(self, arrays: Mapping[str, NDArray[Any]]) -> Surrogate:
        """The searcher with the state of a checkpoint."""
        return Surrogate(
            config=self.config,
            choices=arrays["choices"],
            scores=arrays["scores"],
            costs=arrays["costs"],
            rounds=arrays["rounds"],
        )

    def _promising(self, mask: Mask, count: int, seen: set[tuple[int, ...]]) -> Choices:
        """In every bin of cost the best that is not evaluated yet, then the second best, and so
        on."""
        known = self.choices[-LATEST:]
        model = fit(known, self.scores[-LATEST:], self.rounds[-LATEST:])
        cost = _cost_of(known, self.costs[-LATEST:])
        ends = cost(alike(mask)) if self.costs.shape[1] else np.zeros((1, 0))
        both = np.concatenate([ends, self.costs])
        bounds = list(zip(both.min(0).tolist(), both.max(0).tolist(), strict=True))
        bins = Bins(cost=cost, bounds=bounds, count=max(1, count // max(1, len(bounds))))
        found = around_bins(model, known, bins, mask)
        fresh = found[[tuple(row) not in seen for row in found.tolist()]]
        predicted = predict(model, fresh)
        if not bounds:
            return fresh[np.argsort(-predicted, kind="stable")]
        paid = cost(fresh)
        rows: list[int] = []
        for each in range(1, count + 1):
            for column, bound in enumerate(bounds):
                best = best_of_bins(predicted, paid[:, column], bound, bins.count, each)
                rows += [row for row in best.tolist() if row not in rows]
        return fresh[rows]


def _cost_of(choices: Choices, costs: Floats) -> Callable[[Choices], Floats]:
    """What networks are expected to cost, choices (M, decisions) -> (M, objectives)."""
    mean = costs.mean(0)
    known = kernel(choices, choices) + RIDGE * np.eye(len(choices))
    dual = np.linalg.solve(known, costs - mean)
    return lambda some: np.asarray(mean + kernel(some, choices) @ dual)


def start(config: Config) -> Surrogate:
    """A searcher that has seen nothing."""
    decisions, objectives = len(SPACES[config.space].decisions), len(config.objectives)
    return Surrogate(
        config=config,
        choices=np.zeros((0, decisions), dtype=np.int64),
        scores=np.zeros(0),
        costs=np.zeros((0, objectives)),
        rounds=np.zeros(0, dtype=np.int64),
    )


ALGORITHM = Algorithm(name="surrogate", start=lambda config, objectives, rng: start(config))
