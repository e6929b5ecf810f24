"""NDARTS's searcher as a value: softmax(alpha), what is derived of it, and what the collapse
monitor saw.

Pure NumPy; the steps that change it stand in hwnas.search.bilevel.ndarts.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from hwnas.search.algorithms import policy
from hwnas.search.algorithms.progressive import remaining
from hwnas.search.algorithms.searcher import PolicyRows
from hwnas.search.bilevel.collapse import WINDOW, Health, first_alarm
from hwnas.search.diagnostic import Diagnostic
from hwnas.space.encoding import likeliest
from hwnas.space.space import SPACES, Choices, Mask, Probabilities, by_rule

if TYPE_CHECKING:
    from hwnas.config import Config
    from hwnas.search.algorithms.archive import Archive

Floats = NDArray[np.float64]


@dataclass(frozen=True, kw_only=True)
class NDarts:
    """The searcher: one policy, and what the monitor saw in this stage.

    ``trace`` (epochs, 4) holds a Health per row, ``alphas`` (epochs, edges, operations) alpha at
    those moments, ``steps`` (3,) the alpha steps since the last row, how many of them diverged, and
    the stage. ``before`` (edges, operations): the sum of ln softmax(alpha) at the ends of earlier
    stages, where they are averaged.
    """

    config: Config
    policies: policy.Policies
    trace: Floats
    alphas: Floats
    steps: NDArray[np.int64]
    before: Floats

    def mask(self) -> Mask:
        """What the supernet of this stage must hold, (edges, operations)."""
        return policy.union_mask(self.policies)

    def mixture(self) -> Probabilities:
        """softmax(alpha), (edges, operations)."""
        return np.asarray(policy.probabilities(self.policies)[0])

    def paths(self, count: int, rng: np.random.Generator) -> Choices:
        """Sub-networks drawn from softmax(alpha), (count, edges)."""
        return policy.sample(self.policies, count, rng)

    def ask(self, count: int, rng: np.random.Generator) -> Choices:
        """The derived network, then draws from softmax(alpha), (count, edges): what fills the
        archive.
        """
        return np.concatenate([self.derived()[None], self.paths(count, rng)])[:count]

    def tell(self, choices: Choices, accuracy: Floats, costs: Floats) -> NDarts:
        """Nothing: alpha learns from gradients (``alpha_step``), not from evaluated samples."""
        return self

    def next_stage(self, rng: np.random.Generator) -> NDarts:
        """Progressive shrinking, where a config has several stages: remaining candidates stay,
        alpha begins again.
        """
        space, stage = SPACES[self.config.space], int(self.steps[2]) + 1
        keep = remaining(space, stage)
        before = self.before
        if self.config.ndarts.pooled:
            with np.errstate(
                divide="ignore"
            ):  # what didn't survive has no share, and won't be asked for
                before = before + np.log(self.mixture())
        return fresh(self.config, policy.shrink(self.policies, keep, rng), stage, before)

    def policy_rows(self) -> PolicyRows:
        """softmax(alpha), the network derived of it, and its entropy: one policy."""
        entropies = tuple(float(value) for value in policy.entropy(self.policies))
        table = policy.probabilities(self.policies)
        return PolicyRows(probabilities=table, derived=(self.derived(),), entropies=entropies)

    def diagnostics(self) -> list[Diagnostic]:
        """The alarm of this stage, where there was one."""
        if self.healthy() == len(self.trace):
            return []
        kept_before = "the network derived before the alarm is among the finalists; "
        return [
            Diagnostic(
                stage=int(self.steps[2]),
                kind="curvature",
                text=(
                    "the validation loss has become sharp in alpha, which goes before a collapse"
                    " (Zela et al.)"
                ),
                advice=("" if self.config.finalists_synflow else kept_before)
                + "try fewer epochs or more weight decay",
            )
        ]

    def health(self) -> list[Health]:
        """The monitor's findings, one per epoch of this stage."""
        return [
            Health(skip_share=skips, entropy=entropy, curvature=curvature, diverged=diverged)
            for skips, entropy, curvature, diverged in self.trace.tolist()
        ]

    def healthy(self) -> int:
        """How many epochs of this stage ended before the first alarm; all of them where there was
        none.
        """
        found = first_alarm(self.health())
        return len(self.trace) if found is None else max(0, found - WINDOW)

    def derived(self) -> Choices:
        """What the space's rule makes of the present alpha where it may keep no edge empty,
        (edges,).
        """
        return self._rule(self._averaged(self.mixture()))

    def _averaged(self, shares: Probabilities) -> Probabilities:
        """The geometric mean of these shares and of those that earlier stages ended with, (edges,
        operations).
        """
        if not self.before.any():
            return shares
        mask = self.mask()
        logs = np.log(shares, where=mask, out=np.full(shares.shape, -np.inf))
        mean = np.where(mask, self.before + logs, -np.inf) / (1 + self.steps[2])
        weights = np.exp(mean - mean.max(axis=1, keepdims=True))
        return np.asarray(weights / weights.sum(axis=1, keepdims=True))

    def _rule(self, shares: Probabilities) -> Choices:
        space = SPACES[self.config.space]
        return by_rule(space, self._real(shares))

    def _real(self, shares: Probabilities) -> Probabilities:
        """A mixture's share of ``none`` only scales what the other edges bring to a node, which
        batch normalisation undoes, so it says nothing about whether the edge is worth having
        (DARTS, arXiv 1806.09055, 2.4)."""
        return np.where(SPACES[self.config.space].is_none, 0.0, shares)

    def finalists(self, archive: Archive, count: int) -> list[tuple[Choices, Probabilities]]:
        """The derived network, the one derived before an alarm, and the next likeliest by alpha,
        ``count`` in all.

        Not the archive's most accurate: a mixture's weights were never trained to serve one path
        alone.
        """
        table = self._averaged(self.mixture())
        chosen = [(self._rule(table), table)]
        if self.healthy() < len(self.trace):
            earlier = replace(self.policies, alpha=self.alphas[None, self.healthy()])
            before = self._averaged(np.asarray(policy.probabilities(earlier)[0]))
            chosen.append((self._rule(before), before))
        likely = likeliest(SPACES[self.config.space], self._real(table), count)
        chosen += [(choices, table) for choices in likely]
        different: dict[bytes, tuple[Choices, Probabilities]] = {}
        for choices, by in chosen:
            different.setdefault(choices.tobytes(), (choices, by))
        return list(different.values())[:count]

    def to_arrays(self) -> dict[str, NDArray[Any]]:
        """The state that a checkpoint holds."""
        own = {
            "trace": self.trace,
            "alphas": self.alphas,
            "alpha_steps": self.steps,
            "before": self.before,
        }
        return {**policy.to_arrays(self.policies), **own}

    def with_arrays(self, arrays: Mapping[str, NDArray[Any]]) -> NDarts:
        """The searcher with the state of a checkpoint."""
        known = {"before": self.before, **arrays}  # an earlier version wrote none
        return NDarts(
            config=self.config,
            policies=policy.from_arrays(arrays),
            trace=np.array(known["trace"]),
            alphas=np.array(known["alphas"]),
            steps=np.array(known["alpha_steps"]),
            before=np.array(known["before"]),
        )


def fresh(config: Config, policies: policy.Policies, stage: int, before: Floats) -> NDarts:
    """The searcher at the beginning of a stage, with nothing seen yet."""
    empty = np.zeros((0, *policies.alpha.shape[1:]))
    return NDarts(
        config=config,
        policies=policies,
        trace=np.zeros((0, 4)),
        alphas=empty,
        steps=np.array([0, 0, stage]),
        before=before,
    )
