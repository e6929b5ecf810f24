"""The directed form: it finds a known front, its gradient is what it claims, it repeats,
restores, survives gaps."""

from dataclasses import replace

import numpy as np
import pytest
import torch

from hwnas.runs.front import Bounds, hypervolume
from hwnas.search.algorithms import policy, proposals, scalarised
from hwnas.search.algorithms.scalarised import Scalarised, Settings

MASK = np.ones((6, 4), dtype=bool)


QUALITY = np.random.default_rng(0).random((6, 4)) / 6
SIZE = np.random.default_rng(1).random((6, 4)) / 6
COST = QUALITY + 0.7 * SIZE  # what is good tends to be large


def evaluate(choices: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """A known task: quality and cost of the drawn operations add up over the slots."""
    slots = np.arange(choices.shape[1])
    return QUALITY[slots, choices].sum(axis=1), COST[slots, choices].sum(axis=1)[:, None]


def search(
    seed: int, steps: int, novel: bool = False, settings: Settings | None = None
) -> Scalarised:
    rng = np.random.default_rng(seed)
    state = scalarised.start(settings or Settings(), MASK, 1, rng)
    for _ in range(steps):
        choices = scalarised.ask(state, 10, rng, novel)
        state = scalarised.tell(state, choices, *evaluate(choices))
    return state


def test_it_finds_more_of_the_front_than_as_many_uniform_samples() -> None:
    box = Bounds(accuracy=(0.0, 1.0), costs=((0.0, 1.7),))
    rng = np.random.default_rng(0)
    uniform = [hypervolume(*evaluate(rng.integers(0, 4, (200, 6))), box) for _ in range(5)]
    found = [search(seed, 20, novel=True) for seed in range(5)]
    assert min(hypervolume(one.accuracy, one.costs, box) for one in found) > max(uniform)


def test_novel_samples_are_never_repeated_and_run_out_with_the_space() -> None:
    rng = np.random.default_rng(0)
    small = scalarised.start(replace(Settings(), first=4), np.ones((2, 3), dtype=bool), 1, rng)
    for _ in range(30):
        choices = scalarised.ask(small, 4, rng, novel=True)
        small = scalarised.tell(small, choices, *evaluate(choices))
    assert len(small.choices) == len(np.unique(small.choices, axis=0)) == 9
    assert scalarised.ask(small, 4, rng, novel=True).shape == (0, 2)


def test_a_repeated_genotype_keeps_the_mean_of_its_accuracies() -> None:
    state = scalarised.start(Settings(), MASK, 1, np.random.default_rng(0))
    same = np.zeros((3, 6), dtype=np.int64)
    state = scalarised.tell(state, same, np.array([0.1, 0.2, 0.6]), np.ones((3, 1)))
    state = scalarised.tell(state, same[:1], np.array([0.7]), np.ones((1, 1)))
    assert state.choices.shape == (1, 6) and state.seen[0] == 4
    assert state.accuracy[0] == pytest.approx(0.4)


def test_the_mass_is_the_density_of_all_proposals_so_far() -> None:
    rng = np.random.default_rng(1)
    state, came = scalarised.start(replace(Settings(), first=10), MASK, 1, rng), []
    for _ in range(4):
        came.append(scalarised.proposal(state))
        choices = scalarised.ask(state, 10, rng)
        state = scalarised.tell(state, choices, *evaluate(choices))
    by_hand = sum(10 * proposals.density(one, state.choices) for one in came)
    np.testing.assert_allclose(state.mass, by_hand)


def test_the_step_follows_the_gradient_of_the_log_of_the_mean_exponential_reward() -> None:
    state = search(0, 4, settings=replace(Settings(), trust=1.0, temperature=0.3))
    reward = proposals.score(scalarised._gains(state), scalarised._goals(state))
    alpha = torch.tensor(state.policies.alpha, requires_grad=True)
    log_p = torch.log_softmax(alpha, dim=2)
    log_pi = log_p[:, torch.arange(6), torch.tensor(state.choices)].sum(dim=2)
    log_q = torch.tensor(np.log(state.mass / state.seen.sum()))
    torch.logsumexp(log_pi - log_q + torch.tensor(reward) / 0.3, dim=1).sum().backward()
    plain = replace(state.settings.learning, entropy=0.0, clip=1e9)
    state = replace(state, settings=replace(state.settings, learning=plain))
    expected = policy.adam(state.policies, alpha.grad.numpy(), plain)
    np.testing.assert_allclose(
        scalarised._step(state, state.policies, reward).alpha, expected.alpha, atol=1e-9
    )


def test_policies_learn_different_parts_of_the_front() -> None:
    state = search(0, 30)
    costs = policy.expected(state.policies, COST)
    assert costs[0] > 1.5 * costs[-1]  # the first direction is accuracy, the last is cost


def test_samples_that_are_not_eligible_stop_nothing() -> None:
    rng = np.random.default_rng(0)
    state = scalarised.start(Settings(), MASK, 1, rng)
    for _ in range(6):
        choices = scalarised.ask(state, 10, rng)
        accuracy, costs = evaluate(choices)
        costs[choices[:, 2] == 3] = np.nan
        state = scalarised.tell(state, choices, accuracy, costs)
    assert np.isfinite(state.policies.alpha).all()
    incumbents = state.choices[
        proposals.score(scalarised._gains(state), scalarised._goals(state)).argmax(axis=1)
    ]
    assert not (incumbents[:, 2] == 3).any()


def test_samples_outside_a_policys_mask_teach_it_nothing_wrong() -> None:
    rng = np.random.default_rng(0)
    state = scalarised.start(Settings(), MASK, 1, rng)
    mask = state.policies.mask.copy()
    mask[0, :, 3] = False
    state = replace(state, policies=replace(state.policies, mask=mask))
    for _ in range(5):
        choices = scalarised.ask(state, 10, rng)
        state = scalarised.tell(state, choices, *evaluate(choices))
    assert np.isfinite(state.policies.alpha).all() and (state.policies.alpha[0, :, 3] == 0).all()


@pytest.mark.parametrize("costs", [0, 1, 2])
def test_any_number_of_costs_will_do(costs: int) -> None:
    rng = np.random.default_rng(0)
    state = scalarised.start(Settings(), MASK, costs, rng)
    for _ in range(4):
        choices = scalarised.ask(state, 10, rng)
        accuracy, cost = evaluate(choices)
        state = scalarised.tell(state, choices, accuracy, np.repeat(cost, costs, axis=1))
    assert state.costs.shape == (len(state.choices), costs)


def test_the_same_seed_gives_the_same_search_and_a_restored_one_goes_on_alike() -> None:
    first, second = search(3, 6), search(3, 6)
    np.testing.assert_array_equal(first.choices, second.choices)
    np.testing.assert_array_equal(first.policies.alpha, second.policies.alpha)
    empty = scalarised.start(Settings(), MASK, 1, np.random.default_rng(9))
    restored = scalarised.with_arrays(empty, scalarised.to_arrays(first))
    one, other = (
        scalarised.ask(state, 10, np.random.default_rng(5)) for state in (first, restored)
    )
    np.testing.assert_array_equal(one, other)


def test_old_proposals_are_forgotten_and_directions_go_on_turning() -> None:
    short = replace(Settings(), memory=3)
    state = search(0, 8, settings=short)
    assert len(state.tables) == len(state.weights) == 3 and state.turn.tolist() == [8]
    assert np.isfinite(state.policies.alpha).all() and (state.mass > 0).all()
