"""Recipes: the published settings, schedules with their ends, and what is refused."""

from __future__ import annotations

import math
from dataclasses import replace
from itertools import pairwise

import pytest

from hwnas.training.recipe import (
    RECIPES,
    Recipe,
    drop_path_probability,
    is_tested,
    late_tests,
    learning_rate,
    recipe_named,
)
from profilers.errors import InputError

PLAIN = Recipe(name="plain", epochs=10, batch=64, learning_rate=0.1)


def test_the_presets_are_those_of_p_darts() -> None:
    cifar, imagenet = RECIPES["cifar"], RECIPES["imagenet"]
    assert (cifar.epochs, cifar.batch, cifar.learning_rate, cifar.momentum) == (
        600,
        128,
        0.025,
        0.9,
    )
    assert (cifar.weight_decay, cifar.auxiliary_weight, cifar.cutout) == (3e-4, 0.4, 16)
    assert (cifar.drop_path, cifar.clip, cifar.schedule) == (0.3, 5.0, "cosine")
    assert (imagenet.epochs, imagenet.batch, imagenet.learning_rate) == (250, 1024, 0.5)
    assert (imagenet.label_smoothing, imagenet.auxiliary_weight, imagenet.schedule) == (
        0.1,
        0.4,
        "linear",
    )
    assert imagenet.warmup_epochs > 0


def test_cosine_goes_from_first_to_last_with_half_the_way_in_the_middle() -> None:
    assert learning_rate(PLAIN, 0, 0, 8) == pytest.approx(0.1)
    assert learning_rate(PLAIN, 5, 0, 8) == pytest.approx(0.05)
    assert learning_rate(PLAIN, 2, 4, 8) == pytest.approx(0.05 * (1 + math.cos(math.pi / 4)))
    ended = replace(PLAIN, final_learning_rate=0.02)
    assert learning_rate(ended, 10, 0, 8) == pytest.approx(0.02)


def test_linear_falls_by_the_same_amount_in_every_step() -> None:
    linear = replace(PLAIN, schedule="linear")
    rates = [learning_rate(linear, step // 4, step % 4, 4) for step in range(40)]
    falls = {round(before - after, 9) for before, after in pairwise(rates)}
    assert falls == {round(0.1 / 40, 9)}


def test_the_warm_up_rises_to_the_first_rate_and_never_starts_at_zero() -> None:
    warm = replace(PLAIN, warmup_epochs=2)
    rates = [learning_rate(warm, step // 4, step % 4, 4) for step in range(9)]
    assert rates[0] > 0 and rates == sorted(rates) and rates[8] == pytest.approx(0.1)


def test_drop_path_rises_linearly_from_nothing() -> None:
    dropping = replace(PLAIN, drop_path=0.3)
    assert [drop_path_probability(dropping, epoch) for epoch in (0, 5)] == pytest.approx(
        [0.0, 0.15]
    )


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"epochs": 0}, "epochs must be within"),
        ({"batch": 1}, "batch must be within"),
        ({"learning_rate": float("nan")}, "learning_rate must be within"),
        ({"schedule": "cosin"}, "did you mean 'cosine'"),
        ({"precision": "fp16"}, "unknown precision"),
        ({"hold_out": 0.9}, "hold_out must be within"),
    ],
)
def test_settings_that_make_no_sense_are_refused(changes: dict[str, object], message: str) -> None:
    with pytest.raises(InputError, match=message):
        replace(PLAIN, **changes)  # type: ignore[arg-type]


def test_an_unknown_recipe_is_refused_with_the_nearest_one() -> None:
    with pytest.raises(InputError, match="did you mean 'cifar'"):
        recipe_named("cifar10")


def test_few_epochs_of_inherited_weights_are_tested_at_their_end_and_one_before() -> None:
    tune = RECIPES["tune"]
    for epochs, tested in ((1, [1]), (2, [1, 2]), (3, [2, 3]), (4, [1, 2, 3, 4])):
        recipe = replace(tune, epochs=epochs)
        late = late_tests(recipe)
        assert [n for n in range(1, epochs + 1) if is_tested(recipe, n, late)] == tested
    quick = replace(RECIPES["quick"], epochs=7)
    assert [n for n in range(1, 8) if is_tested(quick, n, False)] == [5, 7]
    assert not late_tests(replace(tune, epochs=3, hold_out=0.1))
