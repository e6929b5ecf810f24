"""Grouping: every path once, neighbours in cost together, the same window for all of its steps."""

from itertools import pairwise

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from hwnas.search.distributed.grouping import WINDOW, balanced, paths, window

costs = st.lists(st.integers(1, 1000), min_size=1, max_size=40).map(
    lambda some: np.array(some, dtype=float)
)


@given(costs, st.integers(1, 8))
def test_every_path_is_used_once_and_steps_hold_neighbours_in_cost(
    cost: np.ndarray, size: int
) -> None:
    order = balanced(cost, size)
    assert sorted(order.tolist()) == list(range(len(cost)))
    steps = [cost[order[i : i + size]] for i in range(0, len(cost), size)]
    spans = sorted((float(step.min()), float(step.max())) for step in steps)
    # Sorted by cost, the steps do not overlap: no exchange of two paths would bring their costs
    # nearer.
    assert all(one[1] <= two[0] for one, two in pairwise(spans))


@given(costs, st.integers(2, 8))
def test_waiting_is_never_longer_than_in_the_order_of_drawing(cost: np.ndarray, size: int) -> None:
    whole = cost[: len(cost) // size * size]
    if len(whole):
        slowest = whole[balanced(whole, size)].reshape(-1, size).max(axis=1)
        assert slowest.sum() <= whole.reshape(-1, size).max(axis=1).sum()


def test_one_rank_takes_the_paths_in_the_order_of_drawing() -> None:
    assert balanced(np.array([3.0, 1.0, 2.0]), 1).tolist() == [0, 1, 2]


@given(st.lists(st.booleans(), min_size=1, max_size=60))
def test_a_window_has_the_same_policies_and_is_that_of_all_its_steps(due: list[bool]) -> None:
    flags = np.array(due)
    for step in range(len(due)):
        mine = window(step, len(due), flags)
        assert step in mine and len(mine) <= WINDOW
        assert not flags[mine.start : mine.stop - 1].any()
        assert all(window(other, len(due), flags) == mine for other in mine)


@given(st.integers(1, 70), st.integers(1, 8), st.one_of(st.none(), st.integers(1, 9)))
def test_ranks_train_the_paths_of_one_process_each_once_between_two_alpha_steps(
    steps: int, size: int, every: int | None
) -> None:
    cost = np.random.default_rng(0).random(steps)
    policies = 0

    def draw(batch: int) -> np.ndarray:
        return np.array([batch, policies])

    taken: list[np.ndarray] = []
    drawn: dict[int, np.ndarray] = {}
    for first in range(0, steps, size):
        last = min(first + size, steps)
        if first not in drawn:
            drawn = paths(
                draw,
                lambda some: cost[some[:, 0]],
                first=first,
                steps=steps,
                every=every,
                size=size,
            )
        again = paths(
            draw, lambda some: cost[some[:, 0]], first=first, steps=steps, every=every, size=size
        )  # as after a resume
        for batch in range(first, last):
            assert (drawn[batch] == again[batch]).all()
            taken.append(drawn[batch])
        policies += sum(1 for step in range(first, last) if every and (step + 1) % every == 0)
    # Every path once, and drawn from the policies as they were: none was kept over an alpha step.
    assert sorted(int(path[0]) for path in taken) == list(range(steps))
    assert all(path[1] <= policies for path in taken)
    seen = [int(path[1]) for path in taken]
    assert seen == sorted(seen)


def test_an_epoch_that_was_begun_with_other_ranks_keeps_paths_with_their_batches() -> None:
    found = paths(
        lambda batch: np.array([batch]),
        lambda some: np.zeros(len(some)),
        first=3,
        steps=20,
        every=None,
        size=2,
    )
    assert {batch: int(path[0]) for batch, path in found.items()} == {3: 3, 4: 4}
