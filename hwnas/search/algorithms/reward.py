"""What a policy is paid: accuracy and costs as one number (MnasNet 1807.11626, TuNAS 2008.06120 on
arXiv).

Accuracies are fractions in 0..1, costs are in the unit of their objective. An exponent is per
metric: -0.07 was derived for latency and means something else for parameters.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from profilers.errors import InputError, nearest

Floats = NDArray[np.float64]

FORMS = ("power", "hard", "absolute")
STAGE_EXPONENTS = (1.8, 0.8, 1.0)  # penalise hardest first (the published -0.45, -0.20, -0.25)
STAGE_TARGETS = (
    1.45,
    1.23,
    1.0,
)  # and aim down in steps (the published 6.4, 5.4, 4.4 M parameters)
LEAST_SHARE = 1e-6
"""Of its target, what a cost counts as at least: one that is predicted to be 0 would be worth an
infinite reward, and a policy that is paid infinity has no probabilities left."""


@dataclass(frozen=True, kw_only=True)
class Objective:
    """One cost as one policy sees it: what it is, what to aim for (in `unit`), how hard, in
    which form."""

    metric: str
    unit: str
    target: float
    exponent: float
    form: str = "power"

    def __post_init__(self) -> None:
        """Reject what no reward can be made of."""
        if self.form not in FORMS:
            raise InputError(f"reward {self.form!r} is unknown{nearest(self.form, FORMS)}")
        if not (math.isfinite(self.target) and self.target > 0):
            raise InputError(
                f"target of {self.metric} must be above 0 {self.unit}, not {self.target:g}"
            )
        if not (math.isfinite(self.exponent) and self.exponent <= 0):
            raise InputError(f"exponent of {self.metric} must be 0 or below, not {self.exponent:g}")


def power(cost: Floats, target: float, exponent: float) -> Floats:
    """MnasNet's soft factor (cost / target) ** exponent, one law on both sides of the target."""
    return np.asarray(np.maximum(cost / target, LEAST_SHARE) ** exponent)


def hard(cost: Floats, target: float, exponent: float) -> Floats:
    """MnasNet's hard factor: 1 within the target, the power law beyond it."""
    return np.where(cost <= target, 1.0, power(cost, target, exponent))


def absolute(cost: Floats, target: float, exponent: float) -> Floats:
    """TuNAS's summand exponent * |cost / target - 1|: it lands on the target, as -0.10 does for
    latency."""
    return np.asarray(exponent * np.abs(cost / target - 1.0))


def reward(accuracy: Floats, costs: Floats, objectives: Sequence[Objective]) -> Floats:
    """R = accuracy * (product of power and hard factors) + (sum of absolute terms), (M,).

    accuracy (M,) in 0..1; costs (M, C) in the order and units of the C objectives.
    """
    factor, summand = np.ones_like(accuracy), np.zeros_like(accuracy)
    for column, objective in enumerate(objectives):
        law = {"power": power, "hard": hard, "absolute": absolute}[objective.form]
        term = law(costs[:, column], objective.target, objective.exponent)
        if objective.form == "absolute":
            summand = summand + term
        else:
            factor = factor * term
    return np.asarray(accuracy * factor + summand)


def rewards(accuracy: Floats, costs: Floats, policies: Sequence[Sequence[Objective]]) -> Floats:
    """The reward of M genotypes for each of K policies, (K, M): `policies` holds each one's
    objectives."""
    return np.stack([reward(accuracy, costs, objectives) for objectives in policies])


def for_exponents(
    objectives: Sequence[Objective], exponents: Sequence[float]
) -> tuple[tuple[Objective, ...], ...]:
    """One policy per exponent, which replaces that of every objective; targets and forms stay."""
    return tuple(
        tuple(replace(objective, exponent=float(e)) for objective in objectives) for e in exponents
    )


def for_stage(objective: Objective, stage: int, stages: int = 3) -> Objective:
    """The objective in stage 0, 1, ... of `stages`: the published multipliers for three, unchanged
    for one.

    Any other number of stages uses the last ones, so that the final stage always pursues what was
    asked for.
    """
    index = stage + len(STAGE_EXPONENTS) - stages
    if index < 0:
        return for_stage(objective, 0)
    exponent, target = (
        objective.exponent * STAGE_EXPONENTS[index],
        objective.target * STAGE_TARGETS[index],
    )
    return replace(
        objective,
        exponent=exponent,
        target=target if objective.form == "power" else objective.target,
    )
