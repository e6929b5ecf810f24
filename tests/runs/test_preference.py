"""The preferred network of any front against a search through all of them."""

from __future__ import annotations

from hypothesis import given, settings
from hypothesis import strategies as st

from hwnas.runs.limits import is_within
from hwnas.runs.preference import preferred
from hwnas.runs.summary import Accuracy, Cost, Member

NAMES = ("params", "latency")
UNITS = {"params": "parameters", "latency": "ms"}


def member(key: int, accuracy: int, costs: tuple[int, int]) -> Member:
    return Member.model_construct(
        key=f"k{key:02d}",
        name=None,
        accuracy=Accuracy(value=accuracy / 20, provenance="p"),
        costs={
            name: Cost(value=value, unit=UNITS[name], provenance="p")
            for name, value in zip(NAMES, costs, strict=True)
        },
    )


networks = st.lists(
    st.tuples(st.integers(0, 20), st.tuples(st.integers(1, 9), st.integers(1, 9))),
    min_size=1,
    max_size=12,
).map(lambda rows: [member(key, *row) for key, row in enumerate(rows)])


def values(one: Member) -> tuple[float, ...]:
    return (-one.accuracy.value, *(one.costs[name].value for name in NAMES))


def beats(one: Member, other: Member) -> bool:
    """As good in everything and better in something."""
    a, b = values(one), values(other)
    return a != b and all(x <= y for x, y in zip(a, b, strict=True))


@settings(max_examples=60, deadline=None)
@given(networks, st.integers(1, 9), st.sampled_from(["knee", "accuracy", *NAMES]))
def test_what_is_preferred_is_within_and_no_other_within_beats_it(
    group: list[Member], limit: int, prefer: str
) -> None:
    inside = [one for one in group if is_within(one, {"params": limit, "latency": limit})]
    if not inside:
        return
    chosen = preferred(inside, group, prefer, NAMES)
    assert chosen in inside and not any(beats(other, chosen) for other in inside)
    if prefer == "accuracy":
        assert chosen.accuracy.value == max(one.accuracy.value for one in inside)
    elif prefer != "knee":
        assert chosen.costs[prefer].value == min(one.costs[prefer].value for one in inside)


@settings(max_examples=60, deadline=None)
@given(networks, st.randoms(use_true_random=False))
def test_the_knee_is_the_smallest_sum_of_axes_and_the_order_of_networks_changes_nothing(
    group: list[Member], order: object
) -> None:
    """A second implementation: each axis in units of the extent of the front, by loops."""
    front = [one for one in group if not any(beats(other, one) for other in group)]
    columns = list(zip(*map(values, front), strict=True))

    def total(one: Member) -> float:
        pairs = zip(values(one), columns, strict=True)
        return sum((x - min(c)) / (max(c) - min(c)) if max(c) > min(c) else 0.0 for x, c in pairs)

    chosen = preferred(group, group, "knee", NAMES)
    assert total(chosen) <= min(map(total, front)) + 1e-9
    shuffled = sorted(group, key=lambda one: order.random())  # type: ignore[attr-defined]
    assert values(preferred(shuffled, shuffled, "knee", NAMES)) == values(chosen)
