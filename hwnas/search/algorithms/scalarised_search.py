"""The front-widening search: the policies of `scalarised` in the one loop, instead of the paper's
form.

`alpha_step.form = "directed"` chooses it. Directions take the place of penalty exponents, so there
are as many policies as exponents, and their values, targets and reward forms play no part.
Accuracies with shared weights are noisy and grow while the weights train: evaluations are forgotten
with each stage, and a genotype may come again, so that its accuracy becomes a mean.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from hwnas.config import Config
from hwnas.search.algorithms import policy, proposals, scalarised
from hwnas.search.algorithms.archive import Archive
from hwnas.search.algorithms.policy_rows import rows
from hwnas.search.algorithms.progressive import remaining
from hwnas.search.algorithms.searcher import PolicyRows
from hwnas.space.space import SPACES, Choices, Mask, Probabilities

Floats = NDArray[np.float64]


@dataclass(frozen=True, kw_only=True)
class ScalarisedSearch:
    """The searcher: the state of the scalarised policies in this stage."""

    config: Config
    state: scalarised.Scalarised
    stage: int = 0

    def mask(self) -> Mask:
        """What the shared supernet of this stage must hold, (edges, operations)."""
        return policy.union_mask(self.state.policies)

    def paths(self, count: int, rng: np.random.Generator) -> Choices:
        """Sub-networks whose shared weights the next weight steps train, (count, edges): drawn
        from q."""
        return policy.sample(self.state.policies, count, rng)

    def mixture(self) -> Probabilities:
        """Weights of the mixture supernet, (edges, operations): the mean of the policies."""
        return np.asarray(policy.probabilities(self.state.policies).mean(axis=0))

    def ask(self, count: int, rng: np.random.Generator) -> Choices:
        """Sub-networks to evaluate, (count, edges)."""
        return scalarised.ask(self.state, count, rng)

    def tell(self, choices: Choices, accuracy: Floats, costs: Floats) -> ScalarisedSearch:
        """Learn from evaluations: choices (M, edges), accuracy (M,) in 0..1, costs (M,
        objectives)."""
        return replace(self, state=scalarised.tell(self.state, choices, accuracy, costs))

    def next_stage(self, rng: np.random.Generator) -> ScalarisedSearch:
        """Progressive shrinking: each policy keeps its own remaining candidates; alpha and
        evaluations begin again."""
        space, old = SPACES[self.config.space], self.state
        shrunken = policy.shrink(old.policies, remaining(space, self.stage + 1), rng)
        fresh = scalarised.start(old.settings, space.mask, old.costs.shape[1], rng)
        return replace(self, state=replace(fresh, policies=shrunken), stage=self.stage + 1)

    def policy_rows(self) -> PolicyRows:
        """Each policy's probabilities, what the space's rule derives of them, and its entropy."""
        return rows(self.state.policies, SPACES[self.config.space])

    def finalists(self, archive: Archive, count: int) -> list[tuple[Choices, Probabilities]]:
        """Each policy's derived genotype and what scores best along its part of the directions,
        ``count`` per policy.

        Each comes with that policy's probabilities (edges, operations), which decide its
        projection.
        """
        now = self.policy_rows()
        policies = len(now.probabilities)
        gain = proposals.gains(archive.accuracy, archive.costs, *scalarised.corner(self.state))
        chosen: list[tuple[Choices, Probabilities]] = []
        taken: set[bytes] = set()
        parts = _parts(policies, count, gain.shape[1])
        for table, derived, along in zip(now.probabilities, now.derived, parts, strict=True):
            score = proposals.score(gain, along)
            best = np.argsort(-score, axis=1, kind="stable")[:, : 1 + policies * count]
            # The best of each direction, then the second best: a policy's part of the front is
            # covered first.
            ranked = {
                choices.tobytes(): choices
                for choices in (derived, *archive.choices[best.T.ravel()])
            }
            fresh = [choices for key, choices in ranked.items() if key not in taken][:count]
            taken.update(choices.tobytes() for choices in fresh)
            chosen += [(choices, table) for choices in fresh]
        return chosen

    def to_arrays(self) -> dict[str, NDArray[Any]]:
        """The state that a checkpoint holds."""
        return {**scalarised.to_arrays(self.state), "stage": np.array([self.stage])}

    def with_arrays(self, arrays: Mapping[str, NDArray[Any]]) -> ScalarisedSearch:
        """The searcher with the state of a checkpoint."""
        return replace(
            self, state=scalarised.with_arrays(self.state, arrays), stage=int(arrays["stage"][0])
        )


def _parts(policies: int, count: int, dimensions: int) -> Floats:
    """Directions of each policy's finalists, (K, about count, dimensions): neighbours belong to one
    policy.

    With several costs they lie in the planes of accuracy and one cost each: those are the fronts
    that people look at.
    """
    if dimensions < 3:
        return proposals.aims(policies * count, dimensions, turn=0).reshape(
            policies, count, dimensions
        )
    costs = dimensions - 1
    share = -(-count // costs)
    flat = proposals.aims(policies * share, 2, turn=0).reshape(policies, share, 2)
    planes = np.full((policies, share, costs, dimensions), 1e-6)
    planes[..., 0] = flat[:, :, None, 0]
    for cost in range(costs):
        planes[:, :, cost, 1 + cost] = flat[..., 1]
    return planes.reshape(policies, share * costs, dimensions)


def start(config: Config, rng: np.random.Generator) -> ScalarisedSearch:
    """A fresh search with one policy per exponent."""
    settings = scalarised.Settings(policies=len(config.exponents))
    mask = SPACES[config.space].mask
    return ScalarisedSearch(
        config=config, state=scalarised.start(settings, mask, len(config.objectives), rng)
    )
