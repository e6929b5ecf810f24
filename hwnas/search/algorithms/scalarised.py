"""K REINFORCE policies that widen one front: each is paid along its own direction, for its best
samples.

What it adds to the paper's form (hwnas.search.algorithms.policy.update), each part an option of
`Settings`:

- every evaluated genotype is used again, weighed by pi_k / (mixture of all proposals so far),
  flattened by `trust`;
- the objective is log E_k[exp(R / temperature)] (risk-seeking, as arXiv 1912.04871): what counts on
  a front is the best sample, not the mean one. temperature -> infinity gives back E_k[R];
- the rewards are the scores along K directions (hwnas.search.algorithms.proposals), which turn a
  little with each step, so that every part of the front is somebody's goal, whatever the unit and
  the range of the cost;
- most samples redraw a few decisions of a front member from the policy that is responsible for that
  part of the front.

The estimator is biased (the proposals depended on the same samples); it is exact only in the
paper's form.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from hwnas.search.algorithms import policy, proposals
from hwnas.search.algorithms.policy import Floats, Ints, Learning, Policies
from hwnas.search.algorithms.proposals import Proposal


@dataclass(frozen=True, kw_only=True)
class Settings:
    """The constants of the scalarised form.

    Chosen on NAS-Bench-201 tables, one setting for all of them.
    """

    policies: int = 8
    anchors: int = 32  # directions per proposal
    own: float = 0.1  # share of samples drawn from the policies themselves
    change: float = 1 / 12  # chance that a sample redraws a decision of its front member
    explore: float = 0.3  # share of a redraw that is uniform
    updates: int = 3  # gradient steps per tell
    temperature: float = 0.01  # of the risk-seeking objective, in units of the front's extent
    trust: float = 0.5  # power of the importance weights: 1 unbiased, 0 plain imitation
    first: int = 10  # uniform samples before the policies learn
    floor: float = 0.05  # quantile of their accuracies that is the reference corner
    slack: float = 0.1  # how far the corner lies beyond the worst cost seen, in ranges
    memory: int = 400  # latest proposals that the density of new samples is taken from
    learning: Learning = field(
        default_factory=lambda: Learning(lr=0.5, weight_decay=0.0, entropy=0.02)
    )


@dataclass(frozen=True, kw_only=True)
class Scalarised:
    """The state: policies, every genotype that was evaluated, and every proposal that it came
    from."""

    settings: Settings
    policies: Policies
    choices: Ints  # (N, E) different genotypes in order of appearance
    accuracy: Floats  # (N,) mean of what was seen
    costs: Floats  # (N, C)
    seen: Floats  # (N,) how often
    mass: Floats  # (N,) sum over proposals of samples drawn x density of this genotype
    tables: Floats  # (S, T, E, O) of the latest S proposals
    weights: Floats  # (S, T) of their tables x samples drawn
    turn: Ints  # (1,) how many proposals there were; directions turn with it


def start(
    settings: Settings, space_mask: policy.Bools, costs: int, rng: np.random.Generator
) -> Scalarised:
    """An empty state for a space (E, O) and a number of costs."""
    policies = policy.start(space_mask, settings.policies, rng)
    decisions, operations = space_mask.shape
    parts = settings.policies + settings.anchors
    none = np.zeros(0)
    return Scalarised(
        settings=settings,
        policies=policies,
        choices=np.zeros((0, decisions), dtype=np.int64),
        accuracy=none,
        costs=np.zeros((0, costs)),
        seen=none,
        mass=none,
        tables=np.zeros((0, parts, decisions, operations)),
        weights=np.zeros((0, parts)),
        turn=np.zeros(1, dtype=np.int64),
    )


def proposal(state: Scalarised, change: float | None = None) -> Proposal:
    """Where the next samples come from: K policies, and J front members changed by the policy
    next to them."""
    use, policies = state.settings, state.policies
    change = use.change if change is None else change
    if len(state.choices) < use.first:
        even = np.repeat(
            proposals.explored(policies, 1.0).mean(axis=0)[None], use.policies + use.anchors, axis=0
        )
        return Proposal(tables=even, weights=np.full(len(even), 1 / len(even)))
    gain, turn = _gains(state), int(state.turn[0])
    along = proposals.aims(use.anchors, gain.shape[1], turn)
    incumbents = state.choices[proposals.score(gain, along).argmax(axis=1)]
    nearest = (along @ _goals(state).T).argmax(axis=1)
    guides = proposals.explored(policies, use.explore)[nearest]
    tables = np.concatenate(
        [proposals.anchored(incumbents, guides, change), proposals.explored(policies, change)]
    )
    shares = [
        np.full(use.anchors, (1 - use.own) / use.anchors),
        np.full(use.policies, use.own / use.policies),
    ]
    return Proposal(tables=tables, weights=np.concatenate(shares))


def ask(state: Scalarised, count: int, rng: np.random.Generator, novel: bool = False) -> Ints:
    """`count` samples (count, E). With `novel` none was evaluated before and none is there twice.

    Then fewer come back when the space is all but exhausted: ever more decisions are redrawn before
    that.
    """
    if not novel:
        return proposals.draw(proposal(state), count, rng)
    known = {row.tobytes() for row in state.choices}
    found: list[Ints] = []
    change = state.settings.change
    while len(found) < count:
        for row in proposals.draw(proposal(state, change), 8 * count, rng):
            if row.tobytes() not in known and len(found) < count:
                known.add(row.tobytes())
                found.append(row)
        if change >= 1.0:
            break
        change = min(1.0, 1.5 * change)
    return np.array(found, dtype=np.int64).reshape(len(found), state.choices.shape[1])


def tell(state: Scalarised, choices: Ints, accuracy: Floats, costs: Floats) -> Scalarised:
    """Learn from choices (M, E), accuracy (M,) in 0..1 and costs (M, C); a NaN marks what is not
    eligible."""
    state = _remember(state, choices, accuracy, costs)
    if len(state.choices) < state.settings.first:
        return state
    policies, reward = state.policies, proposals.score(_gains(state), _goals(state))
    for _ in range(state.settings.updates):
        policies = _step(state, policies, reward)
    return replace(state, policies=policies)


def _step(state: Scalarised, policies: Policies, reward: Floats) -> Policies:
    """One Adam step along grad log E_k[exp(R_k / t)] = sum_n share_kn grad log pi_k(N_n)."""
    use = state.settings
    log_weights = policy.log_prob(policies, state.choices) - np.log(state.mass / state.seen.sum())
    exponent = use.trust * log_weights + reward / use.temperature
    top = exponent.max(axis=1, keepdims=True)
    share = np.exp(exponent - np.where(np.isfinite(top), top, 0.0))
    total = share.sum(axis=1, keepdims=True)
    share = share / np.where(total > 0, total, 1.0)
    ascent = policy.score(policies, state.choices, share)
    return policy.adam(
        policies, ascent + use.learning.entropy * policy.entropy_gradient(policies), use.learning
    )


def _goals(state: Scalarised) -> Floats:
    """The K policies' directions at this step, (K, 1 + C)."""
    return proposals.aims(state.settings.policies, 1 + state.costs.shape[1], int(state.turn[0]))


def _gains(state: Scalarised) -> Floats:
    """Gains of all that was evaluated."""
    return proposals.gains(state.accuracy, state.costs, *corner(state))


def corner(state: Scalarised) -> tuple[float, float]:
    """What `proposals.gains` measures from: the accuracy of poor first samples, and the slack
    beyond the worst cost."""
    early = state.accuracy[: state.settings.first]
    floor = float(np.nanquantile(early, state.settings.floor)) if not np.isnan(early).all() else 0.0
    return floor, state.settings.slack


def _remember(state: Scalarised, choices: Ints, accuracy: Floats, costs: Floats) -> Scalarised:
    """Add evaluations and the proposal they came from; repeated genotypes keep the mean of their
    accuracies."""
    came = proposal(state)
    old, place = _places(state.choices, choices)
    rows = place.max(initial=len(old) - 1) + 1
    fresh = np.array(
        [np.flatnonzero(place == row)[0] for row in range(len(old), rows)], dtype=np.int64
    )
    seen = np.concatenate([state.seen, np.zeros(len(fresh))])
    total = np.concatenate([state.accuracy * state.seen, np.zeros(len(fresh))])
    np.add.at(seen, place, 1.0)
    np.add.at(total, place, accuracy)
    tables = np.concatenate([state.tables, came.tables[None]])
    weights = np.concatenate([state.weights, len(choices) * came.weights[None]])
    every = Proposal(tables=tables.reshape(-1, *tables.shape[2:]), weights=weights.reshape(-1))
    now = Proposal(tables=came.tables, weights=weights[-1])
    mass = [state.mass + proposals.density(now, old), proposals.density(every, choices[fresh])]
    return replace(
        state,
        choices=np.concatenate([old, choices[fresh]]),
        accuracy=total / seen,
        costs=np.concatenate([state.costs, costs[fresh]]),
        seen=seen,
        mass=np.concatenate(mass),
        tables=tables[-state.settings.memory :],
        weights=weights[-state.settings.memory :],
        turn=state.turn + 1,
    )


def _places(old: Ints, new: Ints) -> tuple[Ints, Ints]:
    """The archive, and the row that each new sample has or will have in it."""
    rows = {row.tobytes(): number for number, row in enumerate(old)}
    return old, np.array([rows.setdefault(row.tobytes(), len(rows)) for row in new], dtype=np.int64)


def to_arrays(state: Scalarised) -> dict[str, NDArray[Any]]:
    """The state as named arrays, for a checkpoint."""
    own = {name: getattr(state, name) for name in _ARRAYS}
    return {
        **policy.to_arrays(state.policies),
        **{f"directed.{name}": array for name, array in own.items()},
    }


def with_arrays(state: Scalarised, arrays: Mapping[str, NDArray[Any]]) -> Scalarised:
    """The state of a checkpoint, with the settings of `state`."""
    own: dict[str, Any] = {name: np.array(arrays[f"directed.{name}"]) for name in _ARRAYS}
    return replace(state, policies=policy.from_arrays(arrays), **own)


_ARRAYS = ("choices", "accuracy", "costs", "seen", "mass", "tables", "weights", "turn")
