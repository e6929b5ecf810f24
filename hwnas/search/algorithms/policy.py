"""REINFORCE on architecture logits (TND-NAS, arXiv 2111.03892, eqs. 4-7), K policies that share
samples.

Policy k draws one operation per decision from softmax(alpha_k). A batch comes from the mixture q =
(1/K) sum_k pi_k, every genotype in it is evaluated once, and policy k learns from all of them
through w_km = pi_k(N_m) / q(N_m). K = 1 is the paper's own search (w = 1). The gradient of log
softmax is written out, so nothing here needs automatic differentiation.
"""

from collections.abc import Mapping
from dataclasses import dataclass, fields, replace

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
Bools = NDArray[np.bool_]
Ints = NDArray[np.int64]


@dataclass(frozen=True, kw_only=True)
class Policies:
    """K policies over E decisions of at most O operations, with everything that one learning
    step changes."""

    alpha: Floats  # (K, E, O) logits; 0 where masked
    mask: Bools  # (K, E, O) the operations that survive in this policy
    first: Floats  # (K, E, O) Adam's running mean of the gradient
    second: Floats  # (K, E, O) Adam's running mean of its square
    steps: Ints  # (K,) Adam steps taken
    baseline: Floats  # (K,) running reward, not yet divided by baseline_weight
    baseline_weight: (
        Floats  # (K,) what the running reward of a constant 1 would be; 0 before the first step
    )


@dataclass(frozen=True, kw_only=True)
class Learning:
    """The constants of the alpha step: the published ones, except entropy, which the paper does
    not use."""

    lr: float = 6e-3
    beta1: float = 0.5
    beta2: float = 0.999
    epsilon: float = 1e-8
    weight_decay: float = 1e-3
    clip: float = 5.0  # of each policy's gradient norm, as if it searched alone
    baseline_decay: float = 0.95
    entropy: float = 0.0  # weight of the policy's entropy (nats) in what it maximises


PLAIN = Learning()


def start(space_mask: Bools, count: int, rng: np.random.Generator, scale: float = 1e-3) -> Policies:
    """`count` fresh policies with logits scale * N(0, 1) on the operations that space_mask (E,
    O) allows."""
    mask = np.repeat(np.asarray(space_mask, dtype=np.bool_)[None], count, axis=0)
    if not mask.any(axis=2).all():
        raise ValueError("every decision needs at least one operation")
    return _fresh(mask, rng, scale)


def _fresh(mask: Bools, rng: np.random.Generator, scale: float) -> Policies:
    alpha = np.where(mask, scale * rng.standard_normal(mask.shape), 0.0)
    zeros, per_policy = np.zeros(mask.shape), np.zeros(len(mask))
    steps = np.zeros(len(mask), dtype=np.int64)
    return Policies(
        alpha=alpha,
        mask=mask,
        first=zeros,
        second=zeros.copy(),
        steps=steps,
        baseline=per_policy,
        baseline_weight=per_policy.copy(),
    )


def log_probabilities(policies: Policies) -> Floats:
    """Log softmax of alpha over the remaining candidates, (K, E, O); -inf where masked."""
    logits = np.where(policies.mask, policies.alpha, -np.inf)
    logits = logits - logits.max(axis=2, keepdims=True)
    normaliser: Floats = np.log(np.exp(logits).sum(axis=2, keepdims=True))
    return np.asarray(logits - normaliser)


def probabilities(policies: Policies) -> Floats:
    """Softmax of alpha over the remaining candidates, (K, E, O); 0 where masked."""
    return np.asarray(np.exp(log_probabilities(policies)))


def sample(policies: Policies, count: int, rng: np.random.Generator) -> Ints:
    """`count` genotypes from q = (1/K) sum_k pi_k, as operation indices (count, E).

    The policies take turns from a random start (systematic sampling): a batch holds each equally
    often up to one, which leaves every expectation under q as it is and lowers its variance.
    """
    number = len(policies.alpha)
    turns = (rng.random() + np.arange(count)) * number / count
    owner = rng.permutation(turns.astype(np.int64) % number)
    return draw(probabilities(policies)[owner], rng)


def draw(tables: Floats, rng: np.random.Generator) -> Ints:
    """One operation per decision from each row of probabilities (M, E, O), as indices (M, E)."""
    cumulative = np.cumsum(tables, axis=2)
    cumulative /= cumulative[
        :, :, -1:
    ]  # the last candidate ends at exactly 1, so no draw falls beyond it
    uniform = rng.random(cumulative.shape[:2])[:, :, None]
    return np.asarray((uniform >= cumulative).sum(axis=2), dtype=np.int64)


def log_prob(policies: Policies, choices: Ints) -> Floats:
    """log pi_k(N_m) = sum_e log p_ke[choice] for choices (M, E), as (K, M); -inf outside k's
    mask."""
    decisions = np.arange(choices.shape[1])
    return np.asarray(log_probabilities(policies)[:, decisions, choices].sum(axis=2))


def log_mixture(log_probs: Floats) -> Floats:
    """log q(N_m) of the equal mixture of the rows of log_probs (K, M), as (M,); -inf where every
    row is."""
    top = log_probs.max(axis=0)
    safe = np.where(np.isfinite(top), top, 0.0)
    with np.errstate(divide="ignore"):
        return np.asarray(safe + np.log(np.exp(log_probs - safe).mean(axis=0)))


def importance(policies: Policies, choices: Ints) -> Floats:
    """w_km = pi_k(N_m) / q(N_m), (K, M): between 0 and K, and sum_k w_km = K."""
    log_probs = log_prob(policies, choices)
    return np.asarray(np.exp(log_probs - log_mixture(log_probs)))


def baselines(policies: Policies) -> Floats:
    """b_k, the zero-debiased running reward (K,); 0 before the first step."""
    weight = policies.baseline_weight
    return np.asarray(
        np.where(weight > 0, policies.baseline / np.where(weight > 0, weight, 1.0), 0.0)
    )


def gradient(
    policies: Policies, choices: Ints, rewards: Floats, weights: Floats | None = None
) -> Floats:
    """(1/M) sum_m w_km (R_km - b_k) grad log pi_k(N_m), the ascent direction of E_k[R_k], (K, E,
    O).

    Unbiased when choices are a fresh batch from q and weights are left to `importance`, since b_k
    is older than the batch.
    """
    weights = importance(policies, choices) if weights is None else weights
    return score(
        policies, choices, weights * (rewards - baselines(policies)[:, None]) / choices.shape[0]
    )


def score(policies: Policies, choices: Ints, factors: Floats) -> Floats:
    """sum_m factors_km grad log pi_k(N_m), with grad log p[g] = onehot(g) - p for a softmax, (K,
    E, O)."""
    drawn = (factors @ one_hot(choices, policies.alpha.shape[2])).reshape(policies.alpha.shape)
    grad = drawn - factors.sum(axis=1)[:, None, None] * probabilities(policies)
    return np.where(policies.mask, grad, 0.0)


def one_hot(choices: Ints, operations: int) -> Floats:
    """Samples (M, E) as rows of 0 and 1, (M, E * operations)."""
    drawn = choices[:, :, None] == np.arange(operations)
    flat: Floats = drawn.reshape(len(choices), choices.shape[1] * operations).astype(np.float64)
    return flat


def entropy(policies: Policies) -> Floats:
    """The entropy of each policy in nats, (K,): the sum over its decisions."""
    log_p = np.where(policies.mask, log_probabilities(policies), 0.0)
    return np.asarray(-(np.exp(log_p) * log_p * policies.mask).sum(axis=(1, 2)))


def entropy_gradient(policies: Policies) -> Floats:
    """d entropy / d alpha = -p (log p + H_decision), (K, E, O)."""
    log_p = np.where(policies.mask, log_probabilities(policies), 0.0)
    p = np.exp(log_p) * policies.mask
    per_decision = -(p * log_p).sum(axis=2, keepdims=True)
    return np.asarray(-p * (log_p + per_decision))


def update(
    policies: Policies,
    choices: Ints,
    rewards: Floats,
    learning: Learning = PLAIN,
    weights: Floats | None = None,
) -> Policies:
    """One REINFORCE step from choices (M, E) with rewards (K, M): gradient, Adam, then the
    baseline.

    `weights` (K, M) replaces pi_k / q where the choices came from elsewhere than a fresh draw of q
    (re-used, mutated).
    """
    weights = importance(policies, choices) if weights is None else weights
    ascent = gradient(policies, choices, rewards, weights)
    if learning.entropy:
        ascent = ascent + learning.entropy * entropy_gradient(policies)
    return observe(adam(policies, ascent, learning), rewards, weights, learning.baseline_decay)


def adam(policies: Policies, ascent: Floats, learning: Learning) -> Policies:
    """torch.optim.Adam's step along `ascent` (K, E, O), L2 weight decay, clipped by each
    policy's norm."""
    norm = np.sqrt((ascent**2).sum(axis=(1, 2), keepdims=True))
    clipped = -ascent * np.minimum(1.0, learning.clip / (norm + 1e-6))
    descent = clipped + learning.weight_decay * policies.alpha
    first = learning.beta1 * policies.first + (1 - learning.beta1) * descent
    second = learning.beta2 * policies.second + (1 - learning.beta2) * descent**2
    steps = policies.steps + 1
    power = steps[:, None, None]
    root = np.sqrt(second / (1 - learning.beta2**power)) + learning.epsilon
    alpha = policies.alpha - learning.lr * first / (1 - learning.beta1**power) / root
    alpha = np.where(policies.mask, alpha, 0.0)
    return replace(policies, alpha=alpha, first=first, second=second, steps=steps)


def observe(policies: Policies, rewards: Floats, weights: Floats, decay: float) -> Policies:
    """Move each baseline towards sum_m(w R) / sum_m(w), the mean reward under the policy itself.

    A policy that no sample could have come from (all its weights 0) keeps its baseline.
    """
    total = weights.sum(axis=1)
    seen = total > 0
    mean = (weights * rewards).sum(axis=1) / np.where(seen, total, 1.0)
    baseline = np.where(seen, decay * policies.baseline + (1 - decay) * mean, policies.baseline)
    weight = np.where(
        seen, decay * policies.baseline_weight + (1 - decay), policies.baseline_weight
    )
    return replace(policies, baseline=baseline, baseline_weight=weight)


def shrink(
    policies: Policies, keep: Ints | int, rng: np.random.Generator, scale: float = 1e-3
) -> Policies:
    """The next stage's policies: each keeps its own `keep` (E,) likeliest per decision and starts
    afresh.

    A decision with fewer candidates than that keeps them all; of equally likely operations the
    first stays.
    """
    order = np.argsort(
        -np.where(policies.mask, probabilities(policies), -1.0), axis=2, kind="stable"
    )
    rank = np.argsort(order, axis=2, kind="stable")
    limit = np.broadcast_to(np.asarray(keep), policies.mask.shape[1:2])[None, :, None]
    return _fresh(policies.mask & (rank < limit), rng, scale)


def union_mask(policies: Policies) -> Bools:
    """The operations that some policy can still draw, (E, O): what the shared supernet must
    hold."""
    return np.asarray(policies.mask.any(axis=0))


def expected(policies: Policies, table: Floats) -> Floats:
    """E_k[cost] of a cost that adds table[decision, operation] (E, O) over the drawn operations,
    (K,)."""
    used = np.where(policies.mask, table, 0.0)  # a padded entry may hold NaN
    return np.asarray((probabilities(policies) * used).sum(axis=(1, 2)))


def to_arrays(policies: Policies) -> dict[str, NDArray[np.generic]]:
    """The whole state as named arrays, as safetensors.numpy takes them."""
    return {
        field.name: np.ascontiguousarray(getattr(policies, field.name))
        for field in fields(policies)
    }


def from_arrays(arrays: Mapping[str, NDArray[np.generic]]) -> Policies:
    """The inverse of `to_arrays`; other names in `arrays` are ignored.

    Raises KeyError for a missing one.
    """
    return Policies(**{field.name: np.array(arrays[field.name]) for field in fields(Policies)})
