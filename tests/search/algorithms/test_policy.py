"""The policy gradient against enumeration, Adam against torch's, and what the policies promise
each other."""

import itertools
from dataclasses import replace

import numpy as np
import pytest
import torch

from hwnas.search.algorithms import policy
from hwnas.search.algorithms.policy import Learning, Policies

SLOTS, OPERATIONS = 3, 3
EVERY = np.array(
    list(itertools.product(range(OPERATIONS), repeat=SLOTS)), dtype=np.int64
)  # 27 genotypes


def make(count: int, seed: int = 0, masked: bool = False) -> Policies:
    """Policies with logits far from uniform and a baseline that is not 0."""
    rng = np.random.default_rng(seed)
    policies = policy.start(np.ones((SLOTS, OPERATIONS), dtype=bool), count, rng, scale=1.0)
    baseline = rng.normal(size=count)
    policies = replace(policies, baseline=baseline, baseline_weight=np.ones(count))
    return drop(policies) if masked else policies


def drop(policies: Policies) -> Policies:
    """Policy 0 loses operation 2 of slot 1, the last policy operation 0 of slot 0."""
    mask = policies.mask.copy()
    mask[0, 1, 2] = mask[-1, 0, 0] = False
    return replace(policies, mask=mask, alpha=np.where(mask, policies.alpha, 0.0))


def exact_gradient(policies: Policies, reward: np.ndarray) -> np.ndarray:
    """d/d alpha of sum_N pi_k(N) R_k(N) over all 27 genotypes, by automatic differentiation."""
    alpha = torch.tensor(policies.alpha, requires_grad=True)
    logits = alpha.masked_fill(~torch.tensor(policies.mask), float("-inf"))
    log_p = torch.log_softmax(logits, dim=2)
    pi = log_p[:, torch.arange(SLOTS), torch.tensor(EVERY)].sum(dim=2).exp()  # (K, 27)
    (pi * torch.tensor(reward)).sum().backward()
    return alpha.grad.numpy()


def expectation_of_estimator(policies: Policies, reward: np.ndarray) -> np.ndarray:
    """sum_N q(N) times the gradient that a batch of N alone gives."""
    q = np.exp(policy.log_mixture(policy.log_prob(policies, EVERY)))
    terms = [
        policy.gradient(policies, EVERY[i : i + 1], reward[:, i : i + 1]) * q[i]
        for i in range(len(EVERY))
        if q[i]
    ]
    return np.sum(terms, axis=0)


@pytest.mark.parametrize(("count", "masked"), [(1, False), (1, True), (4, False), (4, True)])
def test_expected_gradient_equals_the_exact_one_by_enumeration(count: int, masked: bool) -> None:
    policies = make(count, masked=masked)
    reward = np.random.default_rng(1).normal(
        size=(count, len(EVERY))
    )  # a different reward for every policy
    np.testing.assert_allclose(
        expectation_of_estimator(policies, reward), exact_gradient(policies, reward), atol=1e-12
    )


def test_gradient_of_fresh_batches_averages_to_the_exact_one() -> None:
    policies, rng = make(3), np.random.default_rng(2)
    reward = np.random.default_rng(1).normal(size=(3, len(EVERY)))
    code = np.array([9, 3, 1])
    mean = np.zeros_like(policies.alpha)
    for _ in range(4000):
        choices = policy.sample(policies, 10, rng)
        mean += policy.gradient(policies, choices, reward[:, choices @ code]) / 4000
    np.testing.assert_allclose(mean, exact_gradient(policies, reward), atol=0.03)


def test_one_policy_weighs_every_sample_with_one() -> None:
    np.testing.assert_allclose(policy.importance(make(1), EVERY), 1.0)


def test_importance_weights_lie_between_0_and_k_and_sum_to_k() -> None:
    policies = make(5, masked=True)
    reachable = np.isfinite(policy.log_prob(policies, EVERY)).any(axis=0)
    weights = policy.importance(policies, EVERY[reachable])
    assert weights.min() >= 0 and weights.max() <= 5 + 1e-12
    np.testing.assert_allclose(weights.sum(axis=0), 5.0)


def test_probabilities_of_all_genotypes_sum_to_one() -> None:
    np.testing.assert_allclose(
        np.exp(policy.log_prob(make(3, masked=True), EVERY)).sum(axis=1), 1.0
    )


def test_samples_follow_the_mixture() -> None:
    policies = make(2, masked=True)
    choices = policy.sample(policies, 40_000, np.random.default_rng(3))
    frequency = np.bincount(choices @ np.array([9, 3, 1]), minlength=27) / 40_000
    q = np.exp(policy.log_mixture(policy.log_prob(policies, EVERY)))
    np.testing.assert_allclose(frequency, q, atol=0.01)


def test_a_policy_never_draws_a_masked_operation() -> None:
    policies = drop(make(1))
    choices = policy.sample(policies, 2000, np.random.default_rng(0))
    assert not (choices[:, 1] == 2).any() and not (choices[:, 0] == 0).any()
    assert policy.probabilities(policies)[0, 1, 2] == 0.0


def test_masked_logits_stay_zero_through_updates() -> None:
    policies, rng = make(3, masked=True), np.random.default_rng(0)
    for _ in range(5):
        choices = policy.sample(policies, 10, rng)
        policies = policy.update(policies, choices, rng.normal(size=(3, 10)), Learning(entropy=0.1))
    assert (policies.alpha[~policies.mask] == 0).all()


def test_a_policy_learns_nothing_from_what_lies_outside_its_mask() -> None:
    policies = drop(make(2))
    outside = np.array([[1, 2, 0]])  # operation 2 of slot 1 is gone from policy 0
    after = policy.update(
        policies, outside, np.array([[5.0], [1.0]]), replace(policy.PLAIN, weight_decay=0.0)
    )
    np.testing.assert_array_equal(after.alpha[0], policies.alpha[0])
    assert policy.baselines(after)[0] == policy.baselines(policies)[0]
    assert policy.baselines(after)[1] != policy.baselines(policies)[1]


def test_adam_takes_the_steps_of_torch() -> None:
    policies, rng = make(1), np.random.default_rng(4)
    alpha = torch.tensor(policies.alpha, requires_grad=True)
    optimiser = torch.optim.Adam([alpha], lr=6e-3, betas=(0.5, 0.999), weight_decay=1e-3)
    for size in (1.0, 100.0, 0.01):  # the second is clipped
        ascent = size * rng.normal(size=policies.alpha.shape)
        alpha.grad = torch.tensor(-ascent)
        torch.nn.utils.clip_grad_norm_([alpha], 5.0)
        optimiser.step()
        policies = policy.adam(policies, ascent, policy.PLAIN)
    np.testing.assert_allclose(policies.alpha, alpha.detach().numpy(), rtol=0, atol=1e-12)


def test_each_policy_is_clipped_by_its_own_norm() -> None:
    ascent = np.stack([np.full((SLOTS, OPERATIONS), 1e3), np.full((SLOTS, OPERATIONS), 1e-3)])
    first = policy.adam(make(2), ascent, replace(policy.PLAIN, weight_decay=0.0)).first
    assert np.sqrt((first[0] ** 2).sum()) == pytest.approx(0.5 * 5.0)  # (1 - beta1) * clip
    np.testing.assert_allclose(first[1], -0.5 * ascent[1])


def test_the_first_step_uses_baseline_0_and_the_second_the_debiased_mean() -> None:
    policies = policy.start(np.ones((SLOTS, OPERATIONS), dtype=bool), 1, np.random.default_rng(0))
    assert policy.baselines(policies)[0] == 0.0
    ones = np.ones((1, 2))
    policies = policy.observe(policies, 3.0 * ones, ones, 0.95)
    assert policy.baselines(policies)[0] == pytest.approx(3.0)  # 0.05 * 3 / 0.05
    policies = policy.observe(policies, 5.0 * ones, ones, 0.95)
    assert policy.baselines(policies)[0] == pytest.approx(
        (0.95 * 0.05 * 3 + 0.05 * 5) / (1 - 0.95**2)
    )


def test_the_baseline_follows_the_mean_under_the_policy_not_under_the_mixture() -> None:
    policies = policy.start(np.ones((SLOTS, OPERATIONS), dtype=bool), 1, np.random.default_rng(0))
    after = policy.observe(policies, np.array([[1.0, 4.0]]), np.array([[3.0, 1.0]]), 0.95)
    assert policy.baselines(after)[0] == pytest.approx((3 * 1 + 1 * 4) / 4)


def test_a_policy_finds_the_planted_genotype() -> None:
    policies = policy.start(np.ones((SLOTS, OPERATIONS), dtype=bool), 2, np.random.default_rng(0))
    goals, rng = np.array([[0, 1, 2], [2, 2, 0]]), np.random.default_rng(1)
    for _ in range(400):
        choices = policy.sample(policies, 10, rng)
        reward = (choices[None] == goals[:, None]).mean(axis=2)
        policies = policy.update(policies, choices, reward, Learning(lr=3e-2))
    np.testing.assert_array_equal(policies.alpha.argmax(axis=2), goals)


def test_entropy_is_log_of_the_survivors_at_the_start_and_its_gradient_is_exact() -> None:
    uniform = policy.start(
        np.ones((SLOTS, OPERATIONS), dtype=bool), 1, np.random.default_rng(0), scale=0.0
    )
    assert policy.entropy(uniform)[0] == pytest.approx(SLOTS * np.log(OPERATIONS))
    policies, step = make(2, masked=True), 1e-6
    nudged = policies.alpha.copy()
    nudged[0, 2, 1] += step
    slope = (policy.entropy(replace(policies, alpha=nudged)) - policy.entropy(policies))[0] / step
    assert policy.entropy_gradient(policies)[0, 2, 1] == pytest.approx(slope, abs=1e-5)


def test_shrinking_keeps_each_policys_own_likeliest_operations_and_starts_afresh() -> None:
    policies = make(2, masked=True)
    after = policy.shrink(policies, np.array([1, 2, 3]), np.random.default_rng(0))
    np.testing.assert_array_equal(after.mask.sum(axis=2), [[1, 2, 3], [1, 2, 3]])
    for k in range(2):
        best = np.where(policies.mask[k, 0], policies.alpha[k, 0], -np.inf).argmax()
        assert after.mask[k, 0, best]
    assert not (after.mask & ~policies.mask).any()
    assert (policy.baselines(after) == 0).all() and (after.steps == 0).all()
    np.testing.assert_array_equal(policy.union_mask(after), after.mask[0] | after.mask[1])


def test_shrinking_leaves_a_slot_that_is_already_smaller() -> None:
    after = policy.shrink(drop(make(1)), 2, np.random.default_rng(0))
    np.testing.assert_array_equal(after.mask[0].sum(axis=1), [2, 2, 2])


def test_expected_cost_equals_the_sum_over_all_genotypes() -> None:
    policies = make(3, masked=True)
    table = np.random.default_rng(5).random((SLOTS, OPERATIONS))
    costs = table[np.arange(SLOTS), EVERY].sum(axis=1)
    by_hand = np.exp(policy.log_prob(policies, EVERY)) @ costs
    np.testing.assert_allclose(policy.expected(policies, table), by_hand)


def test_the_same_seed_gives_the_same_policies_and_samples() -> None:
    def once() -> tuple[np.ndarray, np.ndarray]:
        rng = np.random.default_rng(7)
        policies = policy.start(np.ones((SLOTS, OPERATIONS), dtype=bool), 3, rng)
        choices = policy.sample(policies, 10, rng)
        return choices, policy.update(policies, choices, rng.random((3, 10))).alpha

    for first, second in zip(once(), once(), strict=True):
        np.testing.assert_array_equal(first, second)


def test_a_slot_without_operations_is_refused() -> None:
    with pytest.raises(ValueError, match="at least one"):
        policy.start(np.zeros((2, 2), dtype=bool), 1, np.random.default_rng(0))


def test_the_state_survives_as_plain_arrays() -> None:
    policies = make(2, masked=True)
    restored = policy.from_arrays({**policy.to_arrays(policies), "other": np.zeros(1)})
    for name, array in policy.to_arrays(policies).items():
        np.testing.assert_array_equal(array, policy.to_arrays(restored)[name])
        assert array.dtype == policy.to_arrays(restored)[name].dtype
