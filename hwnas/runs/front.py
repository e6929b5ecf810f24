"""Pareto fronts of accuracy against costs: filter and hypervolume by pymoo, with a stored reference
point.

Above `to_minimise` accuracy is better when higher; below it everything is minimised. pymoo keeps
both of two equal points and lets a NaN row spoil the rest, so both are removed first.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray
from pymoo.indicators.hv import HV
from pymoo.util.nds.non_dominated_sorting import NonDominatedSorting

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]


@dataclass(frozen=True, kw_only=True)
class Point:
    """One architecture by its key: accuracy in 0..1 (higher is better), costs (lower is better) in
    order.

    ``intervals``: (low, high) of every cost where costs were measured; without them costs are
    exact. ``accuracy_error``: by how much the accuracy may be too high or too low.
    """

    key: str
    accuracy: float
    costs: tuple[float, ...]
    intervals: tuple[tuple[float, float], ...] = ()
    accuracy_error: float = 0.0

    @property
    def ends(self) -> tuple[tuple[float, float], ...]:
        """(low, high) of every cost."""
        return self.intervals or tuple((cost, cost) for cost in self.costs)


@dataclass(frozen=True, kw_only=True)
class Bounds:
    """The box that a hypervolume is normalised by: 0 is the best and 1 the worst side of every
    axis."""

    accuracy: tuple[float, float]  # (min, max)
    costs: tuple[tuple[float, float], ...]  # (min, max) of each

    def to_dict(self, names: Sequence[str]) -> dict[str, list[float]]:
        """{"accuracy": [min, max], <cost>: [min, max], ...}."""
        pairs = zip(("accuracy", *names), (self.accuracy, *self.costs), strict=True)
        return {name: [float(low), float(high)] for name, (low, high) in pairs}


@dataclass(frozen=True, kw_only=True)
class ParetoFront:
    """Non-dominated points by rising first cost, and the hypervolume they span."""

    names: tuple[str, ...]  # of the costs
    points: tuple[Point, ...]
    bounds: Bounds
    hypervolume: float  # of the box, in 0..1

    @property
    def reference_point(self) -> dict[str, float]:
        """The corner the hypervolume is measured from: lowest accuracy, highest costs, in their
        own units."""
        worst = {
            name: float(high) for name, (_, high) in zip(self.names, self.bounds.costs, strict=True)
        }
        return {"accuracy": float(self.bounds.accuracy[0]), **worst}


def to_minimise(accuracy: Floats, costs: Floats) -> Floats:
    """The one place where the sign flips: accuracy (N,), costs (N, C) to rows (N, 1 + C) to
    minimise."""
    return np.column_stack(
        [-np.asarray(accuracy, dtype=np.float64), np.asarray(costs, dtype=np.float64)]
    )


def non_dominated(values: Floats) -> Ints:
    """Indices, rising, of the rows of values (N, D) that no other row dominates; all is minimised.

    Of equal rows the first stays; a row with a NaN never does.
    """
    usable = np.flatnonzero(~np.isnan(values).any(axis=1))
    if not len(usable):
        return np.zeros(0, dtype=np.int64)
    _, first = np.unique(values[usable], axis=0, return_index=True)
    usable = usable[np.sort(first)]
    kept = NonDominatedSorting().do(values[usable], only_non_dominated_front=True)
    return np.sort(usable[kept]).astype(np.int64)


def unbeaten(best: Floats, worst: Floats) -> Ints:
    """Indices, rising, of the rows that no other row beats beyond the intervals; all is minimised.

    best, worst: (N, D), the two ends of every value. A row is beaten by one whose worst is nowhere
    above its best and somewhere below: their intervals do not overlap on any axis but in an equal
    value. Without intervals this is ``non_dominated``.
    """
    if np.array_equal(best, worst, equal_nan=True):
        return non_dominated(best)
    usable = np.flatnonzero(~(np.isnan(best) | np.isnan(worst)).any(axis=1))
    low, high = best[usable], worst[usable]
    nowhere_above = (high[:, None] <= low[None]).all(axis=2)
    beaten = (nowhere_above & (high[:, None] < low[None]).any(axis=2)).any(axis=0)
    return usable[~beaten].astype(np.int64)


def bounds_of(accuracy: Floats, costs: Floats) -> Bounds:
    """The smallest box that holds all N points, NaN rows left out.

    Raises ValueError when none is left.
    """
    values = np.column_stack([accuracy, costs])
    values = values[~np.isnan(values).any(axis=1)]
    if not len(values):
        raise ValueError("no complete point to take bounds from")
    low, high = values.min(axis=0), values.max(axis=0)
    pairs = [(float(a), float(b)) for a, b in zip(low, high, strict=True)]
    return Bounds(accuracy=pairs[0], costs=tuple(pairs[1:]))


def normalise(values: Floats, bounds: Bounds) -> Floats:
    """Rows of `to_minimise` in units of the box: 0 at its best corner, 1 at the reference point.

    An axis on which the box has no extent becomes 0 at or better than it, 2 (out of the box) when
    worse.
    """
    low = np.array([-bounds.accuracy[1], *(pair[0] for pair in bounds.costs)])
    high = np.array([-bounds.accuracy[0], *(pair[1] for pair in bounds.costs)])
    extent = high - low
    flat = np.where(values > high, 2.0, 0.0)
    return np.where(extent > 0, (values - low) / np.where(extent > 0, extent, 1.0), flat)


def hypervolume(accuracy: Floats, costs: Floats, bounds: Bounds) -> float:
    """The share of the box that N points dominate, 0..1; what lies outside of it adds nothing more.

    accuracy (N,), costs (N, C). A point better than the box counts as on its edge.
    """
    unit = np.clip(normalise(to_minimise(accuracy, costs), bounds), 0.0, None)
    unit = unit[(unit < 1.0).all(axis=1)]  # a NaN row compares false and goes with them
    if not len(unit):
        return 0.0
    return float(HV(ref_point=np.ones(unit.shape[1]))(unit[non_dominated(unit)]))


def pareto_front(
    points: Sequence[Point], names: Sequence[str], bounds: Bounds | None = None
) -> ParetoFront:
    """The front of `points`, with costs called `names`; bounds default to the box of all the
    points.

    A point whose costs or accuracy have intervals is dropped only when it is beaten beyond them.
    Raises ValueError when no point is complete.
    """
    accuracy, costs = _columns(points, len(names))
    box = bounds_of(accuracy, costs) if bounds is None else bounds
    error = np.array([point.accuracy_error for point in points])
    best, worst = (
        to_minimise(
            accuracy + sign * error,
            _array([[pair[side] for pair in point.ends] for point in points], costs.shape),
        )
        for side, sign in ((0, 1), (1, -1))
    )
    kept = [points[i] for i in unbeaten(best, worst)]
    ordered = tuple(sorted(kept, key=lambda p: (p.costs, -p.accuracy, p.key)))
    return ParetoFront(
        names=tuple(names),
        points=ordered,
        bounds=box,
        hypervolume=hypervolume(accuracy, costs, box),
    )


def thinned(front: ParetoFront, ratio: float) -> ParetoFront:
    """The front without members that differ too little from a more accurate one to be a choice:
    whose first costs are not a factor of ``ratio`` apart. Its hypervolume stays that of all."""
    kept: list[Point] = []
    for point in sorted(front.points, key=lambda p: (-p.accuracy, p.costs, p.key)):
        pairs = ((point.costs[0], other.costs[0]) for other in kept)
        if all(max(pair) >= ratio * min(pair) for pair in pairs):
            kept.append(point)
    ordered = tuple(sorted(kept, key=lambda p: (p.costs, -p.accuracy, p.key)))
    return replace(front, points=ordered)


def _columns(points: Sequence[Point], costs: int) -> tuple[Floats, Floats]:
    accuracy = np.array([point.accuracy for point in points], dtype=np.float64)
    return accuracy, _array([point.costs for point in points], (len(points), costs))


def _array(rows: Sequence[Sequence[float]], shape: tuple[int, ...]) -> Floats:
    return np.array(rows, dtype=np.float64).reshape(shape)


def knee(front: ParetoFront, targets: Mapping[str, float] | None = None) -> Point:
    """The point nearest to the ideal one: smallest sum of axes, each scaled by the front's own
    extent.

    With one cost that is the largest distance from the chord between both ends. Of equals, such as
    the only two of a front, the one with the smaller product of error and costs. ``targets``: of
    the members that meet them all; where none does, the one that misses them least. What the front
    has no cost for is not looked at.
    """
    known = known_targets(front, targets or {})
    met = {point.key for point in within_target(front, known)}
    if not met:
        return min(front.points, key=lambda point: (_excess(front, point, known), -point.accuracy))
    return knee_of([point for point in front.points if point.key in met], front.points)


def knee_of(points: Sequence[Point], scale: Sequence[Point]) -> Point:
    """Of ``points`` the one with the smallest sum of axes, each in units of the extent of
    ``scale``; of equals the one with the smallest product of error and costs, then the first."""
    box = bounds_of(*_columns(scale, len(scale[0].costs)))
    values = to_minimise(*_columns(points, len(points[0].costs)))
    sums = normalise(values, box).sum(axis=1)
    equals = [point for point, one in zip(points, sums, strict=True) if one <= sums.min() + 1e-9]
    if not equals:  # a sum that is no number
        return points[int(np.argmin(sums))]
    return min(equals, key=lambda point: (1 - point.accuracy) * float(np.prod(point.costs)))


def known_targets(front: ParetoFront, targets: Mapping[str, float]) -> dict[str, float]:
    """The targets whose costs the front has."""
    return {name: limit for name, limit in targets.items() if name in front.names}


def _excess(front: ParetoFront, point: Point, targets: Mapping[str, float]) -> tuple[float, float]:
    """By how much a point misses the targets, to be compared."""
    return largest_and_all(
        [(point.costs[front.names.index(name)], limit) for name, limit in targets.items()]
    )


def largest_and_all(pairs: Sequence[tuple[float, float]]) -> tuple[float, float]:
    """Of (cost, limit) the largest share that a cost is of its limit, and the sum of the shares
    that are over; the second decides between equals of the first."""
    # A target of 0 stands in nobody's config, but may in somebody's file.
    shares = [cost / max(limit, 1e-100) for cost, limit in pairs]
    return max(shares, default=0.0), sum(max(share - 1, 0.0) for share in shares)


def within_target(front: ParetoFront, targets: Mapping[str, float]) -> tuple[Point, ...]:
    """The members whose named costs are all at most their targets, best accuracy first."""
    columns = [(front.names.index(name), limit) for name, limit in targets.items()]
    met = [p for p in front.points if all(p.costs[column] <= limit for column, limit in columns)]
    return tuple(sorted(met, key=lambda p: (-p.accuracy, p.costs)))
