"""Rewards against values worked out by hand."""

import numpy as np
import pytest

from hwnas.search.algorithms import reward
from hwnas.search.algorithms.reward import Objective
from profilers.errors import InputError

ACCURACY = np.array([0.8, 0.5])
COSTS = np.array([[4.0], [1.0]])


def objective(exponent: float, form: str = "power", target: float = 2.0) -> Objective:
    return Objective(metric="latency", unit="ms", target=target, exponent=exponent, form=form)


def test_power_law_pays_below_the_target_and_charges_above() -> None:
    # (4 / 2) ** -1 = 0.5 and (1 / 2) ** -1 = 2
    np.testing.assert_allclose(reward.reward(ACCURACY, COSTS, [objective(-1.0)]), [0.4, 1.0])


@pytest.mark.parametrize("form", reward.FORMS)
def test_a_cost_that_is_predicted_to_be_0_is_worth_no_infinite_reward(form: str) -> None:
    paid = reward.reward(np.array([0.8, 0.8]), np.array([[0.0], [1.0]]), [objective(-0.2, form)])
    assert np.isfinite(paid).all()


def test_exponent_0_is_accuracy_alone() -> None:
    np.testing.assert_allclose(reward.reward(ACCURACY, COSTS, [objective(0.0)]), ACCURACY)


def test_hard_form_is_flat_within_the_target() -> None:
    np.testing.assert_allclose(
        reward.reward(ACCURACY, COSTS, [objective(-1.0, "hard")]), [0.4, 0.5]
    )


def test_absolute_form_charges_the_distance_on_both_sides() -> None:
    # |4 / 2 - 1| = 1 and |1 / 2 - 1| = 0.5
    np.testing.assert_allclose(
        reward.reward(ACCURACY, COSTS, [objective(-0.1, "absolute")]), [0.7, 0.45]
    )


def test_several_power_costs_multiply_and_absolute_ones_add() -> None:
    costs = np.array([[4.0, 9.0, 3.0]])
    objectives = [objective(-1.0), objective(-0.5, "hard", 1.0), objective(-0.1, "absolute", 2.0)]
    # 0.8 * 0.5 * 9 ** -0.5 - 0.1 * |3 / 2 - 1|
    np.testing.assert_allclose(
        reward.reward(np.array([0.8]), costs, objectives), [0.8 * 0.5 / 3 - 0.05]
    )


def test_every_policy_is_paid_by_its_own_exponent() -> None:
    policies = reward.for_exponents([objective(-1.0)], [0.0, -1.0])
    np.testing.assert_allclose(reward.rewards(ACCURACY, COSTS, policies), [[0.8, 0.5], [0.4, 1.0]])


def test_three_stages_use_the_published_exponents_and_targets() -> None:
    last = Objective(metric="params", unit="parameters", target=4.4e6, exponent=-0.25)
    stages = [reward.for_stage(last, stage) for stage in range(3)]
    assert [s.exponent for s in stages] == pytest.approx([-0.45, -0.20, -0.25])
    assert [s.target for s in stages] == pytest.approx([6.38e6, 5.412e6, 4.4e6])


def test_one_stage_pursues_what_was_asked_for() -> None:
    assert reward.for_stage(objective(-1.0), 0, stages=1) == objective(-1.0)


def test_a_target_that_must_be_met_is_the_same_in_every_stage() -> None:
    assert reward.for_stage(objective(-0.1, "absolute"), 0).target == 2.0


@pytest.mark.parametrize(
    ("form", "target", "exponent", "word"),
    [
        ("powr", 1.0, 0.0, "power"),
        ("power", 0.0, 0.0, "target"),
        ("power", 1.0, 0.1, "exponent"),
        ("hard", 1.0, np.nan, "exponent"),
    ],
)
def test_an_impossible_objective_is_refused(
    form: str, target: float, exponent: float, word: str
) -> None:
    with pytest.raises(InputError, match=word):
        Objective(metric="latency", unit="ms", target=target, exponent=exponent, form=form)
