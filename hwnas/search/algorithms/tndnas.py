"""TND-NAS (Lyu & Wen, arXiv 2111.03892): REINFORCE on alpha with non-linear rewards, K policies at
once.

K policies (one per penalty exponent) share one supernet and one set of evaluated samples; K = 1 is
the paper's own search. Progressive stages: after each, every policy keeps its likeliest operations
and starts afresh, with the exponents and targets of the next stage
(hwnas.search.algorithms.reward.for_stage).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from hwnas.config import Config
from hwnas.runs.trials import Trial
from hwnas.search.algorithms import policy, scalarised_search
from hwnas.search.algorithms.algorithm import Algorithm
from hwnas.search.algorithms.archive import Archive
from hwnas.search.algorithms.policy_rows import rows
from hwnas.search.algorithms.progressive import remaining
from hwnas.search.algorithms.reward import Objective, for_stage, rewards
from hwnas.search.algorithms.searcher import PolicyRows, Searcher
from hwnas.search.diagnostic import Diagnostic
from hwnas.space.space import SPACES, Choices, Mask, Probabilities

Floats = NDArray[np.float64]


@dataclass(frozen=True, kw_only=True)
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
        """Sub-networks whose shared weights the next weight steps train, (count, edges): drawn from
        q.
        """
        return policy.sample(self.policies, count, rng)

    def mixture(self) -> Probabilities:
        """Weights of the mixture supernet, (edges, operations): the mean of the policies."""
        return np.asarray(policy.probabilities(self.policies).mean(axis=0))

    def ask(self, count: int, rng: np.random.Generator) -> Choices:
        """Sub-networks to evaluate, (count, edges)."""
        return policy.sample(self.policies, count, rng)

    def tell(self, choices: Choices, accuracy: Floats, costs: Floats) -> TndNas:
        """Learn from evaluations: choices (M, edges), accuracy (M,) in 0..1, costs (M,
        objectives)."""
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
        return tuple(
            tuple(for_stage(objective, self.stage, stages) for objective in of_policy)
            for of_policy in self.objectives
        )

    def next_stage(self, rng: np.random.Generator) -> TndNas:
        """Progressive shrinking: each policy keeps its own remaining candidates, alpha and baseline
        begin again.
        """
        keep = remaining(SPACES[self.config.space], self.stage + 1)
        return replace(self, policies=policy.shrink(self.policies, keep, rng), stage=self.stage + 1)

    def policy_rows(self) -> PolicyRows:
        """Each policy's probabilities, what the space's rule derives of them, and its entropy."""
        return rows(self.policies, SPACES[self.config.space])

    def finalists(self, archive: Archive, count: int) -> list[tuple[Choices, Probabilities]]:
        """Each policy's derived genotype and its best samples, ``count`` per policy, each with that
        policy's probabilities (edges, operations), which decide its projection.

        Best is by the reward of the last stage on the mean accuracy; a genotype is taken once.
        """
        now = self.policy_rows()
        earned = rewards(archive.accuracy, archive.costs, self.current_objectives())
        chosen: list[tuple[Choices, Probabilities]] = []
        taken: set[bytes] = set()
        for table, derived, reward in zip(now.probabilities, now.derived, earned, strict=True):
            ranked = [derived, *archive.choices[np.argsort(-reward, kind="stable")]]
            fresh = [choices for choices in ranked if choices.tobytes() not in taken][:count]
            taken.update(choices.tobytes() for choices in fresh)
            chosen += [(choices, table) for choices in fresh]
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
    """A fresh search with one policy per exponent, or in the scalarised form as many directions."""
    if config.alpha_step.form == "directed":
        return scalarised_search.start(config, rng)
    space = SPACES[config.space]
    return TndNas(
        config=config,
        objectives=objectives,
        policies=policy.start(space.mask, len(config.exponents), rng),
    )


LAG = 1.0
"""A baseline lags when the accuracy outruns it by more than this many standard deviations of a
batch.
"""


def lagging(config: Config, trials: Sequence[Trial]) -> list[Diagnostic]:
    """Accuracy that outruns REINFORCE's running baseline: drift per update times the baseline's
    memory.
    """
    size = config.alpha_step.samples
    if len(trials) < 20 * size:
        return []
    batches = np.array([trial.accuracy for trial in trials])[: len(trials) // size * size].reshape(
        -1, size
    )
    drift = float(np.polyfit(np.arange(len(batches)), batches.mean(axis=1), 1)[0])
    memory = config.alpha_step.baseline_decay / (1 - config.alpha_step.baseline_decay)
    spread = float(batches.std(axis=1).mean())
    if abs(drift) * memory <= LAG * max(spread, 1e-9):
        return []
    return [
        Diagnostic(
            stage=trials[0].stage,
            kind="baseline",
            text=(
                "accuracy rises faster than the mean reward that policies compare with"
                f" ({drift:+.4f} per update): for a while every network looks good to them"
            ),
            advice=(
                "[alpha_step] baseline_decay = 0.8, or more frozen_epochs in [[stages]], in a"
                " --config file"
            ),
        )
    ]


ALGORITHM = Algorithm(
    name="tndnas",
    start=start,
    policy_names=lambda config: [f"penalty exponent {exponent:g}" for exponent in config.exponents],
    accuracy_policy=lambda config: int(np.argmax(config.exponents)),
    diagnose=lagging,
)
