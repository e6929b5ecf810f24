"""What tells two networks of a space apart, for a device of which few networks are measured.

Beside operations and their places stand sums of work (hwnas.costs.sized) and, for cells, what a
device executes (hwnas.costs.features). ``profilers.placing`` learns which of these matter.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np

from hwnas.costs.counts import additive
from hwnas.costs.features import Execution, designs
from hwnas.costs.sized import WORK
from hwnas.costs.sized import design as sized_design
from hwnas.space.family import Family
from hwnas.space.space import Choices, Space
from profilers.covariance import Array, Part, part

_BETWEEN: Execution = "reached"
"""The way to execute whose counts tell how near two networks are: between the two others."""
_NEAR = 0.7
_NEAR_CHAINS = 1.0


def likeness(of: Family, choices: Choices) -> tuple[Part, ...]:
    """The parts of a covariance between networks, ``choices`` (count, decisions)."""
    found = [
        part(name, np.asarray(features, dtype=np.float64), length)
        for name, features, length in _features(of, choices)
    ]
    return tuple(each for each in found if each is not None)


def _features(of: Family, choices: Choices) -> Iterator[tuple[str, Array, float | None]]:
    """(name, features (count, d), length of the part, None where it is linear)."""
    space = of.space
    places = _places(space, choices)
    yield "operations", places, None
    if space.size_rows:
        work = sized_design(of, choices).counts
        yield "work", work, None
    else:
        by_decision = _work(of, choices)
        work = _summed(by_decision, [one.group for one in space.decisions])
        yield "work", by_decision.sum(axis=1), None
    if space.depth is None:
        yield from _of_cells(of, choices)
        return
    counts, by_stage = _counts(space, choices)
    yield "work by stage", work, None
    yield "counts", counts, None
    yield "counts by stage", by_stage, None
    yield "near in counts", counts, _NEAR_CHAINS
    yield "near in work", work, _NEAR_CHAINS
    yield "near in operations", places, _NEAR_CHAINS


def _of_cells(of: Family, choices: Choices) -> Iterator[tuple[str, Array, float | None]]:
    for design in designs(of.space, choices, of.size.cells):
        folded = (design.share < 1)[:, None]
        counts = np.column_stack([design.counts * design.share[:, None], folded])
        detail = np.column_stack([design.detail * design.share[:, None], folded])
        yield f"counts ({design.name})", counts, None
        yield f"operations ({design.name})", detail, None
        if design.name == _BETWEEN:
            yield "near in counts", counts, _NEAR
            yield "near in operations", detail, _NEAR


def _places(space: Space, choices: Choices) -> Array:
    """(count, decisions x operations): which operation stands where."""
    columns = [choices == column for column in range(space.width)]
    return np.concatenate(columns, axis=1).astype(np.float64)


def _work(of: Family, choices: Choices) -> Array:
    """(count, decisions, kinds of work): what the chosen operations do, of a space of one size."""
    (graph,) = of.graphs.values()
    decisions = np.arange(len(of.space.decisions))
    tables = [additive(graph, of.space.mask.shape, work).table for work in WORK.values()]
    return np.stack([table[decisions, choices] for table in tables], axis=2)


def _counts(space: Space, choices: Choices) -> tuple[Array, Array]:
    """(count, names) how often each operation stands in a network, and the same by group of
    decisions."""
    names = sorted({name for one in space.decisions for name in one.operations})
    # A column that a decision has no operation for, is an operation of its own.
    numbers = np.full(space.mask.shape, len(names))
    for row, decision in enumerate(space.decisions):
        numbers[row, : len(decision.operations)] = [names.index(op) for op in decision.operations]
    chosen = numbers[np.arange(len(space.decisions)), choices]
    each = (chosen[:, :, None] == np.arange(len(names) + 1)).astype(np.float64)
    return each.sum(axis=1), _summed(each, [one.group for one in space.decisions])


def _summed(each: Array, groups: Sequence[str]) -> Array:
    """(count, groups x features): features (count, decisions, features) summed over groups."""
    sums = [
        each[:, [row for row, own in enumerate(groups) if own == group]].sum(axis=1)
        for group in dict.fromkeys(groups)
    ]
    return np.concatenate(sums, axis=1)
