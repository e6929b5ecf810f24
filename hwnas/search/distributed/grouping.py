"""Which of several drawn paths go into one weight step of N ranks: those that take about as long.

A step of N ranks lasts as long as the slowest of its N paths. Between two alpha steps the policies
do not change, so it makes no difference to what is trained in which order a window of drawn paths
is used; it makes one to the waiting.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray

WINDOW = 8
"""Weight steps that are looked at together at the most: a checkpoint that is resumed draws them
again."""


def paths(
    draw: Callable[[int], Any],
    cost: Callable[[NDArray[Any]], NDArray[np.float64]],
    first: int,
    steps: int,
    every: int | None,
    size: int,
) -> dict[int, Any]:
    """The path of each batch of the weight step at batch ``first``, and of those with the same
    policies around it.

    ``draw``: a batch's own path (edges,); ``cost`` of paths (P, edges), (P,); ``steps``: batches in
    the epoch; ``every`` so many of them an alpha step changes the policies, None never; ``size``
    ranks. All of them get the same. Paths stay with their batches for one rank, and where steps do
    not begin at multiples of ``size`` because the epoch was begun with another number of ranks.
    """
    if size == 1 or first % size:
        return {batch: draw(batch) for batch in range(first, min(first + size, steps))}
    ends = np.minimum(np.arange(size, steps + size, size), steps)
    due = np.diff(ends // every, prepend=0) > 0 if every else np.zeros(len(ends), dtype=bool)
    some = window(first // size, len(ends), due)
    batches = range(some.start * size, min(some.stop * size, steps))
    drawn = [draw(batch) for batch in batches]
    order = balanced(cost(np.stack(drawn)), size)
    return {batch: drawn[number] for batch, number in zip(batches, order, strict=True)}


def window(step: int, steps: int, due: NDArray[np.bool_]) -> range:
    """The weight steps around ``step`` that see the same policies, WINDOW at the most.

    ``due`` (steps,): whether an alpha step comes after it. Every step of a window has the same
    window.
    """
    first = step - step % WINDOW
    end = min(first + WINDOW, steps)
    before, after = np.flatnonzero(due[first:step]), np.flatnonzero(due[step:end])
    start = first + int(before[-1]) + 1 if len(before) else first
    return range(start, step + int(after[0]) + 1 if len(after) else end)


def balanced(cost: NDArray[np.float64], size: int) -> NDArray[np.int64]:
    """An order of paths (P,) in which each ``size`` in a row cost about the same; the last may be
    fewer.

    Neighbours in cost form a step. Steps come in the order of the earliest path that they hold, and
    not the cheap ones first; a rest that fills no step, of the costliest, comes last.
    """
    ranked = np.argsort(cost, kind="stable")
    whole = len(cost) // size * size
    groups = ranked[:whole].reshape(-1, size)
    groups = groups[np.argsort(groups.min(axis=1), kind="stable")]
    return np.concatenate([groups.ravel(), ranked[whole:]]).astype(np.int64)
