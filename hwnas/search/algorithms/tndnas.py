"""TND-NAS (Lyu & Wen, arXiv 2111.03892): REINFORCE on alpha with non-linear rewards, K policies at once.

K policies (one per penalty exponent) share one supernet and one set of evaluated samples; K = 1 is the paper's
own search. Progressive stages: after each, every policy keeps its likeliest operations and starts afresh, with
the exponents and targets of the next stage (hwnas.search.algorithms.reward.for_stage).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from hwnas.config import Config
from hwnas.search.algorithms import policy
from hwnas.search.algorithms import scalarised_search as directed_search
from hwnas.search.algorithms.archive import Archive
from hwnas.search.algorithms.progressive import kept
from hwnas.search.algorithms.reward import Objective, for_stage, rewards
from hwnas.search.algorithms.searcher import Searcher
from hwnas.space.space import SPACES, Choices, Mask, Probabilities

Floats = NDArray[np.float64]


@dataclass(frozen=True)
class TndNas:
    """The searcher: what to evaluate next (ask), and what was learnt from it (tell)."""

    config: Config
    objectives: tuple[tuple[Objective, ...], ...]
    policies: policy.Policies
    stage: int = 0

    def mask(self) -> Mask:
        """What the shared supernet of this stage must hold, (edges, operations)."""
        return policy.union_mask(self.policies)

    def paths(self, count: int, rng: np.random.Generator) -> Choices:
        """Sub-networks whose shared weights the next weight steps train, (count, edges): drawn from q."""
        return policy.sample(self.policies, count, rng)

    def mixture(self) -> Probabilities:
        """Weights of the mixture supernet, (edges, operations): the mean of the policies."""
        return np.asarray(policy.probabilities(self.policies).mean(axis=0))

    def ask(self, count: int, rng: np.random.Generator) -> Choices:
        """Sub-networks to evaluate, (count, edges)."""
        return policy.sample(self.policies, count, rng)

    def tell(self, choices: Choices, accuracy: Floats, costs: Floats) -> TndNas:
        """Learn from evaluations: choices (M, edges), accuracy (M,) in 0..1, costs (M, objectives)."""
        step = self.config.alpha_step
        learning = policy.Learning(
            lr=step.lr,
            weight_decay=step.weight_decay,
            clip=step.clip,
            baseline_decay=step.baseline_decay,
            entropy=step.entropy,
        )
        earned = rewards(accuracy, costs, self.current_objectives())
        return replace(self, policies=policy.update(self.policies, choices, earned, learning))

    def current_objectives(self) -> tuple[tuple[Objective, ...], ...]:
        """Each policy's objectives with the exponents and targets of the present stage."""
        stages = len(self.config.stages)
        return tuple(tuple(for_stage(one, self.stage, stages) for one in mine) for mine in self.objectives)

    def next_stage(self, rng: np.random.Generator) -> TndNas:
        """Progressive shrinking: each policy keeps its own survivors, alpha and baseline begin again."""
        keep = kept(SPACES[self.config.space], self.stage + 1)
        return replace(self, policies=policy.shrink(self.policies, keep, rng), stage=self.stage + 1)

    def entropies(self) -> list[float]:
        """Entropy of each policy in nats."""
        return [float(value) for value in policy.entropy(self.policies)]

    def tables(self) -> Floats:
        """softmax(alpha) of every policy, (K, edges, operations)."""
        return policy.probabilities(self.policies)

    def derived(self) -> list[Choices]:
        """What each policy's probabilities derive by the space's rule, (edges,) each."""
        space = SPACES[self.config.space]
        return [space.rule(space, table) for table in self.tables()]

    def finalists(self, archive: Archive, count: int) -> list[tuple[Choices, Probabilities]]:
        """Each policy's derived genotype and its best samples, ``count`` per policy, each with that policy's
        probabilities (edges, operations), which decide its projection.

        Best is by the reward of the last stage on the mean accuracy seen; a genotype is taken once.
        """
        tables = self.tables()
        earned = rewards(archive.accuracy, archive.costs, self.current_objectives())
        chosen: list[tuple[Choices, Probabilities]] = []
        taken: set[bytes] = set()
        for table, own, reward in zip(tables, self.derived(), earned, strict=True):
            ranked = [own, *archive.choices[np.argsort(-reward, kind="stable")]]
            fresh = [one for one in ranked if one.tobytes() not in taken][:count]
            taken.update(one.tobytes() for one in fresh)
            chosen += [(one, table) for one in fresh]
        return chosen

    def to_arrays(self) -> dict[str, NDArray[Any]]:
        """The state that a checkpoint holds."""
        return {**policy.to_arrays(self.policies), "stage": np.array([self.stage])}

    def with_arrays(self, arrays: Mapping[str, NDArray[Any]]) -> TndNas:
        """The searcher with the state of a checkpoint."""
        return replace(self, policies=policy.from_arrays(arrays), stage=int(arrays["stage"][0]))


def start(
    config: Config, objectives: tuple[tuple[Objective, ...], ...], rng: np.random.Generator
) -> Searcher:
    """A fresh search with one policy per exponent, or in the directed form as many directions."""
    if config.alpha_step.form == "directed":
        return directed_search.start(config, rng)
    space = SPACES[config.space]
    return TndNas(config, objectives, policy.start(space.mask, len(config.exponents), rng))
