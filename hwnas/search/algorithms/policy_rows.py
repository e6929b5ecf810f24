"""What the history keeps of REINFORCE's or a mixture's policies."""

from __future__ import annotations

from hwnas.search.algorithms import policy
from hwnas.search.algorithms.searcher import PolicyRows
from hwnas.space.space import Space, by_rule


def rows(policies: policy.Policies, space: Space) -> PolicyRows:
    """Probabilities, what the space's rule derives of them, and entropies, of each policy."""
    probabilities = policy.probabilities(policies)
    return PolicyRows(
        probabilities=probabilities,
        derived=tuple(by_rule(space, table) for table in probabilities),
        entropies=tuple(float(value) for value in policy.entropy(policies)),
    )
