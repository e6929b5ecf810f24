"""How many epochs a call makes: laws of the arithmetic, against counting them out."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hwnas.training.checkpoint import StoredTraining
from hwnas.training.epochs import (
    LEAST_STEPS,
    MARGIN,
    PARTS_TIMES,
    Pace,
    clock,
    enough,
    kept_or,
    times_of_part,
    within_time,
)
from hwnas.training.recipe import RECIPES
from profilers.errors import InputError

QUICK = RECIPES["quick"]


def stored(epochs: int, done: int) -> StoredTraining:
    return StoredTraining(recipe="quick", epochs=epochs, done=done, ended=done >= epochs)


def test_many_images_keep_the_epochs_of_the_recipe_without_a_word() -> None:
    assert enough(QUICK, 1438) == (10, None)  # 22 steps an epoch, 220 in all
    assert enough(RECIPES["cifar"], 10) == (600, None)


@pytest.mark.parametrize("name", sorted(LEAST_STEPS))
def test_few_images_get_the_least_steps_and_a_line_says_why(name: str) -> None:
    recipe = RECIPES[name]
    images = 10 * recipe.batch + 1
    epochs, line = enough(recipe, images)
    assert 10 * epochs >= LEAST_STEPS[name] > 10 * (epochs - 1)
    assert line is None or (f"{epochs} epochs instead of" in line and "10 steps an epoch" in line)
    few, _ = enough(recipe, 3)  # one step an epoch
    assert few == min(LEAST_STEPS[name], 20 * recipe.epochs)


def test_what_is_planned_keeps_its_epochs_unless_others_are_typed() -> None:
    there = {"new": None, "old": stored(20, 20)}
    plan = kept_or(10, there, typed=False, line="why")
    assert plan.epochs == {"new": 10, "old": 20}
    assert plan.lines == (
        "why",
        "1 network keeps the 20 epochs that an earlier call planned (--epochs)",
    )
    assert kept_or(30, there, typed=True).epochs == {"new": 30, "old": 30}
    assert kept_or(20, {"old": stored(20, 3)}, typed=False).lines == ()
    assert plan.recipe("old", QUICK).epochs == 20 and plan.recipe("new", QUICK) == QUICK


plans = st.one_of(
    st.none(),
    st.tuples(st.integers(1, 12), st.integers(0, 12)).map(
        lambda pair: stored(max(pair), min(pair)) if max(pair) else None
    ),
)


@settings(max_examples=150, deadline=None)
@given(
    st.lists(st.tuples(plans, st.integers(1, 9), st.integers(0, 3)), min_size=1, max_size=5),
    st.integers(1, 12),
    st.integers(1, 400),
)
def test_a_call_makes_the_most_epochs_that_fit_and_ends_what_was_begun(
    rows: list[tuple[StoredTraining | None, int, int]], wanted: int, time_s: int
) -> None:
    there = {str(number): one for number, (one, _, _) in enumerate(rows)}
    paces = {str(number): Pace(epoch_s=e, once_s=o) for number, (_, e, o) in enumerate(rows)}

    def seconds(epochs: dict[str, int]) -> float:
        more = {
            name: number - (there[name].done if there[name] else 0)
            for name, number in epochs.items()
        }
        return sum(
            count * paces[name].epoch_s + paces[name].once_s
            for name, count in more.items()
            if count > 0
        )

    def goals(number: int) -> dict[str, int]:
        found = {}
        for name, one in there.items():
            least = 0 if one is None else one.done if one.ended else one.epochs
            found[name] = max(least, number)
        return found

    try:
        plan = dict(within_time(time_s, time_s, wanted, there, paces).epochs)
    except InputError as error:
        assert "too short" in str(error)
        # Not even one more epoch of each that can have one fits.
        least = 1 if None in there.values() else min(one.done for one in there.values() if one) + 1
        assert seconds(goals(min(least, wanted))) > MARGIN * time_s
        return
    for name, one in there.items():
        assert plan[name] >= 1
        if one is not None:
            assert plan[name] >= (one.done if one.ended else one.epochs)
    begun = any(one is not None and not one.ended for one in there.values())
    assert seconds(plan) <= MARGIN * time_s or begun
    # One more epoch would not fit, or is not wanted.
    number = min(plan.values())
    if number < wanted:
        assert seconds(goals(number + 1)) > MARGIN * time_s


def test_the_same_epochs_are_made_of_networks_that_begin_together() -> None:
    paces = {"small": Pace(epoch_s=1.0), "large": Pace(epoch_s=9.0)}
    plan = within_time(100, 100, 50, {"small": None, "large": None}, paces)
    assert plan.epochs == {"small": 9, "large": 9}
    assert plan.lines == (
        "--time: 9 of 50 epochs of each of 2 networks fit into 100 s, in about 90 s; the learning"
        " rate's schedule is cut to them",
    )


def test_too_short_a_time_is_refused_with_the_time_that_is_enough() -> None:
    paces = {"a": Pace(epoch_s=50.0, once_s=4.0)}
    with pytest.raises(InputError, match=r"too short for one epoch of 1 network.* say --time 63s"):
        # 54 s of work leave a tenth of 60 s free; planning took 3 s of the 30.
        within_time(30, 27, 5, {"a": None}, paces)
    assert within_time(63, 60, 5, {"a": None}, paces).epochs == {"a": 1}
    with pytest.raises(InputError, match="too short for epoch 4"):
        within_time(30, 30, 5, {"a": stored(3, 3)}, paces)


def test_what_was_begun_is_ended_even_where_it_takes_longer() -> None:
    plan = within_time(30, 30, 9, {"a": stored(9, 1)}, {"a": Pace(epoch_s=10.0)})
    assert plan.epochs == {"a": 9} and "more than 30 s" in plan.lines[0]
    ended = within_time(30, 30, 9, {"a": stored(9, 9)}, {"a": Pace(epoch_s=10.0)})
    assert ended.epochs == {"a": 9} and "more epochs (--epochs)" in ended.lines[0]


def test_times_are_said_as_people_do() -> None:
    said = [clock(seconds) for seconds in (5.24, 100, 390, 3000, 9000)]
    assert said == ["5.2 s", "100 s", "6.5 min", "50 min", "2.5 h"]


def test_small_parts_of_a_network_are_trained_longer_unless_epochs_were_typed() -> None:
    there = {"small": None, "middle": None, "large": None, "begun": stored(4, 1)}
    times = {"small": 3, "middle": 2, "large": 1, "begun": 3}
    plan = kept_or(1, there, typed=False, times=times)
    assert plan.epochs == {"small": 3, "middle": 2, "large": 1, "begun": 4}
    assert len(plan.lines) == 2
    assert "1 for 3 epochs, 1 for 2 epochs, instead of 1 " in plan.lines[0]
    assert kept_or(1, there, typed=False).epochs["small"] == 1


def test_the_smaller_a_part_the_longer_it_is_trained() -> None:
    times = [times_of_part(share) for share in np.linspace(0.01, 1.0, 100)]
    assert times == sorted(times, reverse=True)
    assert (times[0], times[-1]) == (PARTS_TIMES[0][1], 1)
    assert tuple(sorted(PARTS_TIMES)) == PARTS_TIMES, "the first that fits is taken"
