"""Where the next samples come from, when not from the policies alone: the thin places of the front.

Accuracy and costs become gains over a reference corner. Along a direction lambda, the score of a
genotype is min_d gain_d / lambda_d, and the hypervolume is the mean over directions of (a power of)
the best such score (Zhang & Golovin, arXiv 2006.04655): what is best along many directions holds
much of it up, and where the front is thin one genotype is the best along many of them. These
incumbents anchor the proposals.

A proposal is a mixture of T products of categoricals, `tables` (T, E, O) with `weights` (T,), so
the density of any sample under it is exact: sum_t weights_t prod_e tables[t, e, choice_e].
"""

from dataclasses import dataclass
from functools import reduce
from statistics import NormalDist

import numpy as np
from numpy.typing import NDArray

from hwnas.search.algorithms import policy
from hwnas.search.algorithms.policy import Policies

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]
Bools = NDArray[np.bool_]

GOLDEN = (5**0.5 - 1) / 2
PRIMES = (2, 3, 5, 7, 11, 13)


@dataclass(frozen=True, kw_only=True)
class Proposal:
    """A mixture of T products of categoricals over E edges and O operations."""

    tables: Floats  # (T, E, O), each row over O sums to 1
    weights: Floats  # (T,), they sum to 1


def draw(proposal: Proposal, count: int, rng: np.random.Generator) -> Ints:
    """`count` independent samples, (count, E)."""
    which = rng.choice(len(proposal.weights), count, p=proposal.weights)
    return policy.draw(proposal.tables[which], rng)


def density(proposal: Proposal, choices: Ints) -> Floats:
    """The probability of each of choices (M, E) under the proposal, (M,)."""
    with np.errstate(divide="ignore"):
        log_tables = np.log(proposal.tables)
    floor = np.where(
        np.isfinite(log_tables), log_tables, -1e3
    )  # exp() of one such edge is already 0
    operations = proposal.tables.shape[2]
    log_products = floor.reshape(len(floor), -1) @ policy.one_hot(choices, operations).T
    return np.asarray(proposal.weights @ np.exp(log_products))


def gains(accuracy: Floats, costs: Floats, floor: float, slack: float = 0.0) -> Floats:
    """Gains over the corner (accuracy `floor`, worst cost seen), (N, 1 + C): 1 is the best seen on
    that axis.

    The corner lies `slack` of the seen range beyond the worst cost, so that it is worth going
    there.

    Accuracies under `floor` have gains below 0. A row with a NaN (not eligible) has -1 everywhere.
    """
    rows = np.full((len(accuracy), 1 + costs.shape[1]), -1.0)
    whole = ~np.isnan(np.column_stack([accuracy, costs])).any(axis=1)
    if whole.any():
        upward, some = accuracy[whole] - floor, costs[whole]
        best = some.min(axis=0)
        worst = some.max(axis=0) + slack * (some.max(axis=0) - best)
        rows[whole, 0] = upward / max(upward.max(), 1e-9)
        rows[whole, 1:] = (worst - some) / np.maximum(worst - best, 1e-9)
    return rows


def directions(count: int, dimensions: int, turn: int) -> Floats:
    """`count` unit vectors, evenly spread over the positive orthant, (count, dimensions), all
    entries above 0.

    Another `turn` gives others in between, so that many turns cover every direction; nothing here
    is random.
    """
    shift = (0.5 + turn * GOLDEN) % 1.0
    even = (np.arange(count) + shift) / count
    if dimensions == 1:
        return np.ones((count, 1))
    if dimensions == 2:
        angles = even * np.pi / 2
        return np.asarray(np.maximum(np.column_stack([np.cos(angles), np.sin(angles)]), 1e-6))
    steps = (
        np.sqrt(np.array(PRIMES[: dimensions - 1])) % 1.0
    )  # a Kronecker sequence fills the other axes
    rest = (shift + (turn * count + np.arange(count))[:, None] * steps) % 1.0
    uniform = np.clip(np.column_stack([even, rest]), 1e-6, 1 - 1e-6)
    normal = NormalDist()
    rays = np.array([[normal.inv_cdf((1 + x) / 2) for x in row] for row in uniform.tolist()])
    return np.asarray(np.maximum(rays / np.linalg.norm(rays, axis=1, keepdims=True), 1e-6))


def aims(count: int, dimensions: int, turn: int) -> Floats:
    """Accuracy alone, as a penalty exponent of 0, and count - 1 `directions`, (count,
    dimensions)."""
    alone = np.full((1, dimensions), 1e-6)
    alone[0, 0] = 1.0
    return np.concatenate([alone, directions(count - 1, dimensions, turn)])


def score(gain: Floats, along: Floats) -> Floats:
    """min_d gain_d / lambda_d of N gains (N, D) along J directions (J, D), (J, N), not below -1."""
    per_axis = (g[None] / a[:, None] for g, a in zip(gain.T.copy(), along.T, strict=True))
    return np.asarray(np.maximum(reduce(np.minimum, per_axis), -1.0))


def explored(policies: Policies, share: float) -> Floats:
    """Each policy's probabilities with `share` of them spread evenly over its remaining
    candidates, (K, E, O)."""
    even = policies.mask / policies.mask.sum(axis=2, keepdims=True)
    return np.asarray((1 - share) * policy.probabilities(policies) + share * even)


def anchored(incumbents: Ints, guides: Floats, change: float) -> Floats:
    """Tables (J, E, O) that keep each edge of incumbents (J, E), or redraw it from guides (J, E,
    O).

    `change` is the chance of a redraw: 1 gives the guides, 1/E one redraw in the mean.
    """
    kept = policy.one_hot(incumbents, guides.shape[2]).reshape(guides.shape)
    return np.asarray((1 - change) * kept + change * guides)
