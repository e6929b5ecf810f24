"""Dominance against a drawn table and against brute force; hypervolume, knee and targets."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hwnas.runs import front
from hwnas.runs.front import Bounds, Point
from hwnas.runs.summary import Cost

DRAWN = """
acc
 9 | . . . . B
 7 | . . C . .
 6 | . . . D .
 5 | . C . . .
 2 | A . d . .
   +----------
     1 2 3 4 5  cost"""


def drawn() -> tuple[np.ndarray, np.ndarray, str]:
    """Points of the table above: letters, accuracies and costs."""
    rows = [line.split("|") for line in DRAWN.splitlines() if "|" in line]
    found = [
        (mark, int(y), x + 1)
        for y, cells in rows
        for x, mark in enumerate(cells.split())
        if mark != "."
    ]
    names, accuracy, cost = zip(*found, strict=True)
    return np.array(accuracy, dtype=float), np.array(cost, dtype=float)[:, None], "".join(names)


def test_only_what_nothing_beats_on_both_axes_stays() -> None:
    accuracy, costs, names = drawn()
    kept = front.non_dominated(front.to_minimise(accuracy, costs))
    assert sorted(names[i] for i in kept) == ["A", "B", "C", "C"]  # D loses to C(3), d to C(2)


def test_of_equal_points_the_first_stays() -> None:
    np.testing.assert_array_equal(
        front.non_dominated(np.array([[1.0, 1.0], [1.0, 1.0], [0.0, 2.0]])), [0, 2]
    )


def test_a_nan_row_is_dropped_and_evicts_nobody() -> None:
    values = np.array([[np.nan, 0.0], [1.0, 1.0], [0.0, np.nan]])
    np.testing.assert_array_equal(front.non_dominated(values), [1])
    assert len(front.non_dominated(values[:1])) == 0


def brute_force(values: np.ndarray) -> list[int]:
    """Row i stays unless a row is nowhere worse and somewhere better, or an earlier one is
    equal."""
    kept = []
    for i, row in enumerate(values):
        beaten = any((other <= row).all() and (other < row).any() for other in values)
        if not beaten and not any((other == row).all() for other in values[:i]):
            kept.append(i)
    return kept


def test_a_point_is_dropped_only_when_it_is_beaten_beyond_its_interval() -> None:
    points = [
        Point(key="best", accuracy=0.9, costs=(1.00,), intervals=((0.98, 1.02),)),
        Point(
            key="overlaps", accuracy=0.8, costs=(1.03,), intervals=((1.01, 1.05),)
        ),  # a worse value, but it may well be the faster one
        Point(key="apart", accuracy=0.7, costs=(1.04,), intervals=((1.03, 1.05),)),
        Point(key="more accurate", accuracy=0.95, costs=(1.50,), intervals=((1.4, 1.6),)),
    ]
    found = front.pareto_front(points, ["latency"])
    assert [point.key for point in found.points] == ["best", "overlaps", "more accurate"]
    exact = front.pareto_front(
        [Point(key=p.key, accuracy=p.accuracy, costs=p.costs) for p in points], ["latency"]
    )
    assert [point.key for point in exact.points] == ["best", "more accurate"]


def test_a_cost_of_a_summary_has_its_interval_or_is_exact() -> None:
    assert Cost(value=2.0, unit="ms", low=1.9, high=2.2, provenance="measured").interval == (
        1.9,
        2.2,
    )
    assert Cost(value=7, unit="MAC", provenance="counted").interval == (7, 7)
    assert Cost(value=7, unit="MAC", provenance="counted", low=None, high=8).interval == (7, 8)


def test_a_network_that_could_not_be_measured_is_on_no_front() -> None:
    nan = float("nan")
    points = [
        Point(key="failed", accuracy=0.9, costs=(nan,), intervals=((nan, nan),)),
        Point(key="good", accuracy=0.5, costs=(1.0,), intervals=((0.9, 1.1),)),
    ]
    assert [point.key for point in front.pareto_front(points, ["latency"]).points] == ["good"]


grids = st.integers(2, 4).flatmap(
    lambda width: st.lists(
        st.lists(st.integers(0, 4), min_size=width, max_size=width), min_size=1, max_size=25
    )
)


@settings(max_examples=60, deadline=None)
@given(grids)
def test_the_filter_agrees_with_brute_force(rows: list[list[int]]) -> None:
    values = np.array(rows, dtype=float)
    assert front.non_dominated(values).tolist() == brute_force(values)


@settings(max_examples=60, deadline=None)
@given(grids, st.integers(0, 2**32 - 1))
def test_intervals_only_keep_more_and_every_loser_has_a_winner_on_the_front(
    rows: list[list[int]], seed: int
) -> None:
    values = np.array(rows, dtype=float)
    width = np.random.default_rng(seed).random(values.shape)
    best, worst = values - width, values + width
    kept = set(front.unbeaten(best, worst).tolist())
    assert set(front.non_dominated(values).tolist()) <= kept
    for loser in set(range(len(values))) - kept:
        assert any((worst[winner] < best[loser]).all() for winner in kept)
    assert front.unbeaten(values, values).tolist() == front.non_dominated(values).tolist()


@settings(max_examples=60, deadline=None)
@given(st.lists(st.tuples(st.integers(0, 5), st.integers(0, 5)), min_size=1, max_size=12))
def test_hypervolume_counts_the_dominated_cells_of_a_grid(pairs: list[tuple[int, int]]) -> None:
    accuracy, costs = (
        np.array([p[0] for p in pairs], float),
        np.array([[p[1]] for p in pairs], float),
    )
    cells = sum(any(a > i and c <= j for a, c in pairs) for i in range(5) for j in range(5))
    found = front.hypervolume(accuracy, costs, Bounds(accuracy=(0.0, 5.0), costs=((0.0, 5.0),)))
    assert found == pytest.approx(cells / 25)


def test_hypervolume_by_hand_in_the_units_of_the_box() -> None:
    box = Bounds(accuracy=(0.5, 0.9), costs=((1.0, 5.0),))
    # accuracy 0.7 is half way up, cost 2 a quarter along: it dominates 0.5 x 0.75
    assert front.hypervolume(np.array([0.7]), np.array([[2.0]]), box) == pytest.approx(0.375)


def test_points_outside_the_box_add_nothing() -> None:
    box = Bounds(accuracy=(0.5, 0.9), costs=((1.0, 5.0),))
    accuracy, costs = np.array([0.4, 0.8, np.nan]), np.array([[1.0], [6.0], [1.0]])
    assert front.hypervolume(accuracy, costs, box) == 0.0


def test_a_point_better_than_the_box_counts_as_on_its_edge() -> None:
    box = Bounds(accuracy=(0.5, 0.9), costs=((1.0, 5.0),))
    assert front.hypervolume(np.array([0.95]), np.array([[0.5]]), box) == pytest.approx(1.0)


def test_an_axis_without_extent_neither_adds_nor_divides_by_zero() -> None:
    box = Bounds(accuracy=(0.5, 0.9), costs=((1.0, 1.0),))
    assert front.hypervolume(np.array([0.7]), np.array([[1.0]]), box) == pytest.approx(0.5)


def example() -> front.ParetoFront:
    """Four members, one dominated point (e) and one incomplete one (f); b bulges most."""
    points = [
        Point(key="c", accuracy=0.80, costs=(4.0,)),
        Point(key="a", accuracy=0.50, costs=(1.0,)),
        Point(key="b", accuracy=0.75, costs=(2.0,)),
        Point(key="d", accuracy=0.90, costs=(9.0,)),
        Point(key="e", accuracy=0.70, costs=(3.0,)),
        Point(key="f", accuracy=0.99, costs=(float("nan"),)),
    ]
    return front.pareto_front(points, ["latency"])


def test_members_are_sorted_by_the_first_cost() -> None:
    assert [point.key for point in example().points] == ["a", "b", "c", "d"]


def test_bounds_and_reference_point_are_those_of_the_complete_points() -> None:
    result = example()
    assert result.bounds.to_dict(result.names) == {"accuracy": [0.5, 0.9], "latency": [1.0, 9.0]}
    assert result.reference_point == {"accuracy": 0.5, "latency": 9.0}
    # members b and c alone lie inside: (0.25 / 0.4) * (2 / 8) from cost 2 to 4, then (0.3 / 0.4) *
    # (5 / 8)
    assert result.hypervolume == pytest.approx(0.625 * 0.25 + 0.75 * 0.625)


def test_the_knee_is_farthest_from_the_chord() -> None:
    assert front.knee(example()).key == "b"


@pytest.mark.parametrize(
    ("cheap", "dear", "knee"),
    [
        # A fifth of the cost more for a quarter of the errors less; five times it for next to none.
        ((0.375, 18.5), (0.55, 22.1), "dear"),
        ((0.90, 1.0), (0.901, 5.0), "cheap"),
    ],
)
def test_of_the_only_two_the_knee_has_the_smaller_product_of_error_and_cost(
    cheap: tuple[float, float], dear: tuple[float, float], knee: str
) -> None:
    points = [
        Point(key=key, accuracy=accuracy, costs=(cost,))
        for key, (accuracy, cost) in {"cheap": cheap, "dear": dear}.items()
    ]
    assert front.knee(front.pareto_front(points, ["macs"])).key == knee


def test_the_knee_of_one_point_is_that_point() -> None:
    assert (
        front.knee(
            front.pareto_front([Point(key="a", accuracy=0.5, costs=(1.0,))], ["latency"])
        ).key
        == "a"
    )


def test_a_knee_within_the_target_stays_the_knee() -> None:
    for limit in (2.0, 4.0, 9.0, 100.0):
        assert front.knee(example(), {"latency": limit}).key == "b"


def test_the_knee_lies_within_the_target_where_a_member_does() -> None:
    assert front.knee(example(), {"latency": 1.5}).key == "a"
    points = [
        Point(key="a", accuracy=0.5, costs=(1.0, 9.0)),
        Point(key="b", accuracy=0.8, costs=(2.0, 8.0)),
        Point(key="c", accuracy=0.9, costs=(9.0, 1.0)),
    ]
    both = front.pareto_front(points, ["latency", "params"])
    assert front.knee(both, {"params": 5.0}).key == "c"
    assert front.knee(both, {"params": 8.5, "latency": 5.0}).key == "b"


def test_where_no_member_is_within_the_knee_is_the_nearest() -> None:
    assert front.knee(example(), {"latency": 0.5}).key == "a"
    points = [
        Point(key="a", accuracy=0.5, costs=(1.0, 9.0)),
        Point(key="b", accuracy=0.8, costs=(3.0, 4.0)),
        Point(key="c", accuracy=0.9, costs=(9.0, 1.0)),
    ]
    both = front.pareto_front(points, ["latency", "params"])
    # 9 / 3, 4 / 3 (and 3 / 2), 9 / 2 times too much.
    assert front.knee(both, {"latency": 2.0, "params": 3.0}).key == "b"


def test_a_target_that_the_front_has_no_cost_for_changes_nothing() -> None:
    assert front.knee(example(), {"memory": 1.0}) == front.knee(example())


@given(
    st.lists(st.tuples(st.integers(1, 9), st.integers(1, 20)), min_size=1, max_size=12),
    st.integers(0, 21),
)
def test_the_knee_is_within_whenever_anything_on_the_front_is(
    pairs: list[tuple[int, int]], limit: int
) -> None:
    points = [
        Point(key=str(i), accuracy=a / 10, costs=(float(c),)) for i, (a, c) in enumerate(pairs)
    ]
    found = front.pareto_front(points, ["params"])
    chosen = front.knee(found, {"params": limit})
    cheapest = min(point.costs[0] for point in found.points)
    assert chosen.costs[0] <= max(limit, cheapest)


def test_members_within_the_target_come_best_first() -> None:
    met = front.within_target(example(), {"latency": 4.0})
    assert [point.key for point in met] == ["c", "b", "a"]
    assert front.within_target(example(), {"latency": 0.5}) == ()


def test_an_archive_without_a_complete_point_has_no_front() -> None:
    with pytest.raises(ValueError, match="no complete point"):
        front.pareto_front([Point(key="a", accuracy=float("nan"), costs=(1.0,))], ["latency"])


def test_a_thinned_front_keeps_the_most_accurate_of_members_that_cost_alike() -> None:
    from hwnas.runs.front import pareto_front as front_of
    from hwnas.runs.front import thinned

    costs = (1.0, 1.1, 1.3, 2.0, 2.1, 2.6)
    points = [
        Point(key=f"k{number}", accuracy=0.5 + number / 20, costs=(cost,))
        for number, cost in enumerate(costs)
    ]
    front = front_of(points, ["latency"])
    found = thinned(front, 1.2)
    # 2.6; 2.1 is 1.24 away; 2.0 is too near to 2.1; 1.3; 1.1 is 1.18 away; 1.0 is 1.3 away.
    assert [point.costs[0] for point in found.points] == [1.0, 1.3, 2.1, 2.6]
    assert found.hypervolume == front.hypervolume
    assert thinned(front, 1.0).points == front.points
