"""The front-widening search: the policies of `scalarised` in the one loop, instead of the paper's form.

`alpha_step.form = "directed"` chooses it. Directions take the place of penalty exponents, so there are as many
policies as exponents, and their values, targets and reward forms play no part. Accuracies with shared weights are
noisy and grow while the weights train: evaluations are forgotten with each stage, and a genotype may come again, so
that its accuracy becomes a mean.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from hwnas.config import Config
from hwnas.search.algorithms import policy, proposals
from hwnas.search.algorithms import scalarised as directed
from hwnas.search.algorithms.archive import Archive
from hwnas.search.algorithms.progressive import kept
from hwnas.space.space import SPACES, Choices, Mask, Probabilities

Floats = NDArray[np.float64]


@dataclass(frozen=True)
class DirectedSearch:
    """The searcher: the state of the directed policies in this stage."""

    config: Config
    state: directed.Directed
    stage: int = 0

    def mask(self) -> Mask:
        """What the shared supernet of this stage must hold, (edges, operations)."""
        return policy.union_mask(self.state.policies)

    def paths(self, count: int, rng: np.random.Generator) -> Choices:
        """Sub-networks whose shared weights the next weight steps train, (count, edges): drawn from q."""
        return policy.sample(self.state.policies, count, rng)

    def mixture(self) -> Probabilities:
        """Weights of the mixture supernet, (edges, operations): the mean of the policies."""
        return np.asarray(self.tables().mean(axis=0))

    def ask(self, count: int, rng: np.random.Generator) -> Choices:
        """Sub-networks to evaluate, (count, edges)."""
        return directed.ask(self.state, count, rng)

    def tell(self, choices: Choices, accuracy: Floats, costs: Floats) -> DirectedSearch:
        """Learn from evaluations: choices (M, edges), accuracy (M,) in 0..1, costs (M, objectives)."""
        return replace(self, state=directed.tell(self.state, choices, accuracy, costs))

    def next_stage(self, rng: np.random.Generator) -> DirectedSearch:
        """Progressive shrinking: each policy keeps its own survivors; alpha and evaluations begin again."""
        space, old = SPACES[self.config.space], self.state
        shrunken = policy.shrink(old.policies, kept(space, self.stage + 1), rng)
        fresh = directed.start(old.settings, space.mask, old.costs.shape[1], rng)
        return replace(self, state=replace(fresh, policies=shrunken), stage=self.stage + 1)

    def entropies(self) -> list[float]:
        """Entropy of each policy in nats."""
        return [float(value) for value in policy.entropy(self.state.policies)]

    def tables(self) -> Floats:
        """softmax(alpha) of every policy, (K, edges, operations)."""
        return policy.probabilities(self.state.policies)

    def derived(self) -> list[Choices]:
        """What each policy's probabilities derive by the space's rule, (edges,) each."""
        space = SPACES[self.config.space]
        return [space.rule(space, table) for table in self.tables()]

    def finalists(self, archive: Archive, count: int) -> list[tuple[Choices, Probabilities]]:
        """Each policy's derived genotype and what is worth most along its part of the directions, ``count`` per policy.

        Each comes with that policy's probabilities (edges, operations), which decide its projection.
        """
        tables = self.tables()
        gain = proposals.gains(archive.accuracy, archive.costs, *directed.corner(self.state))
        chosen: list[tuple[Choices, Probabilities]] = []
        taken: set[bytes] = set()
        parts = _parts(len(tables), count, gain.shape[1])
        for table, own, along in zip(tables, self.derived(), parts, strict=True):
            worth = proposals.worth(gain, along)
            best = np.argsort(-worth, axis=1, kind="stable")[:, : 1 + len(tables) * count]
            # The best of each direction, then the second best: a policy's part of the front is covered first.
            ranked = [own, *archive.choices[best.T.ravel()]]
            fresh = list({one.tobytes(): one for one in ranked if one.tobytes() not in taken}.values())[
                :count
            ]
            taken.update(one.tobytes() for one in fresh)
            chosen += [(one, table) for one in fresh]
        return chosen

    def to_arrays(self) -> dict[str, NDArray[Any]]:
        """The state that a checkpoint holds."""
        return {**directed.to_arrays(self.state), "stage": np.array([self.stage])}

    def with_arrays(self, arrays: Mapping[str, NDArray[Any]]) -> DirectedSearch:
        """The searcher with the state of a checkpoint."""
        return replace(self, state=directed.with_arrays(self.state, arrays), stage=int(arrays["stage"][0]))


def _parts(policies: int, count: int, dimensions: int) -> Floats:
    """Directions of each policy's finalists, (K, about count, dimensions): neighbours belong to one policy.

    With several costs they lie in the planes of accuracy and one cost each: those are the fronts that people look at.
    """
    if dimensions < 3:
        return proposals.aims(policies * count, dimensions, turn=0).reshape(policies, count, dimensions)
    costs = dimensions - 1
    share = -(-count // costs)
    flat = proposals.aims(policies * share, 2, turn=0).reshape(policies, share, 2)
    planes = np.full((policies, share, costs, dimensions), 1e-6)
    planes[..., 0] = flat[:, :, None, 0]
    for cost in range(costs):
        planes[:, :, cost, 1 + cost] = flat[..., 1]
    return planes.reshape(policies, share * costs, dimensions)


def start(config: Config, rng: np.random.Generator) -> DirectedSearch:
    """A fresh search with one policy per exponent."""
    settings = directed.Settings(policies=len(config.exponents))
    mask = SPACES[config.space].mask
    return DirectedSearch(config, directed.start(settings, mask, len(config.objectives), rng))
