"""Between genotypes and choice vectors: sample, mutate, encode, derive, project and count a
space."""

from __future__ import annotations

import heapq
import math

import numpy as np
import numpy.typing as npt

from hwnas.space.genotype import Cell, Edge, Genotype
from hwnas.space.space import NONE, SPACES, CellKind, Choices, Mask, Probabilities, Space, by_rule
from profilers.errors import InputError

LOOKS = 1000
"""Choices that ``likeliest`` looks at for every genotype wanted: many derive the same one where
a rule drops edges."""


def sample(space: Space, rng: np.random.Generator, mask: Mask | None = None) -> Choices:
    """One operation per edge, uniformly among the survivors in ``mask`` (default: all), shape
    (edges,)."""
    allowed = space.mask if mask is None else mask
    keys = np.where(allowed, rng.random(allowed.shape), -1.0)
    return np.asarray(keys.argmax(axis=1), dtype=np.int64)


def mutate(
    space: Space, choices: Choices, rng: np.random.Generator, mask: Mask | None = None
) -> Choices:
    """A copy with another surviving operation on one edge, edge and operation drawn uniformly.

    Returns an unchanged copy where no edge has a second survivor.
    """
    allowed = (space.mask if mask is None else mask).copy()
    allowed[np.arange(len(choices)), choices] = False
    free = np.flatnonzero(allowed.any(axis=1))
    changed = choices.copy()
    if len(free):
        row = int(rng.choice(free))
        changed[row] = int(rng.choice(np.flatnonzero(allowed[row])))
    return changed


def every(mask: Mask) -> Choices:
    """All choices of the operations in ``mask`` (edges, operations), the last edge's changing
    fastest, (N, edges)."""
    grids = np.meshgrid(*(np.flatnonzero(row) for row in mask), indexing="ij")
    return np.stack([grid.ravel() for grid in grids], axis=1).astype(np.int64)


def distinct_rows(choices: Choices) -> npt.NDArray[np.int64]:
    """Where each different row of ``choices`` (N, edges) is met first, rising."""
    return np.sort(np.unique(choices, axis=0, return_index=True)[1])


def to_genotype(space: Space, choices: Choices) -> Genotype:
    """The genotype of a sample: all drawn edges; ``none`` is left out unless the space writes
    it."""
    if not space.slots:
        drawn = zip(space.decisions, choices, strict=True)
        return Genotype(
            space.name, operations=tuple(one.operations[int(choice)] for one, choice in drawn)
        )
    cells: dict[CellKind, Cell] = {"normal": (), "reduce": ()}
    for cell in space.cells:
        nodes: list[list[Edge]] = [[] for _ in range(space.nodes)]
        for row in space.rows(cell):
            slot = space.slots[row]
            op = slot.ops[int(choices[row])]
            if op != NONE or space.written == "arch_str":
                nodes[slot.node - space.inputs].append(Edge(op, slot.source))
        cells[cell] = tuple(tuple(node) for node in nodes)
    return Genotype(space.name, cells["normal"], cells["reduce"])


def to_choices(genotype: Genotype) -> Choices:
    """The sample whose genotype this is, shape (edges,); edges that are not written become
    ``none``.

    Raises InputError where the space has no edge for one of the genotype's.
    """
    space = SPACES[genotype.space]
    if not space.slots:
        pairs = zip(space.decisions, genotype.operations, strict=True)
        return np.array([one.operations.index(op) for one, op in pairs], dtype=np.int64)
    drawn = {
        (cell, node, edge.source): edge.op
        for cell in space.cells
        for node, edges in enumerate(genotype.cell(cell), start=space.inputs)
        for edge in edges
    }
    choices = [
        slot.ops.index(drawn.pop((slot.cell, slot.node, slot.source), NONE)) for slot in space.slots
    ]
    if drawn:
        raise InputError(f"{space.name} has no edge for {sorted(drawn)[0]}")
    return np.array(choices, dtype=np.int64)


def one_hot(space: Space, choices: Choices) -> npt.NDArray[np.float64]:
    """(edges, operations) with 1 at the drawn operation of each edge: the encoding that
    predictors read."""
    return np.eye(space.width)[choices]


def derive(space: Space, probabilities: Probabilities) -> Genotype:
    """The genotype that the space's own rule reads off softmax(alpha), shape (edges,
    operations)."""
    return to_genotype(space, by_rule(space, probabilities))


def project(space: Space, choices: Choices, probabilities: Probabilities) -> Choices:
    """The nearest sample that obeys the space's derivation rule: a finalist must be publishable.

    Drawn operations always outrank the others; among them, and where too few real ones were drawn,
    ``probabilities`` (edges, operations) decide. A sample that already obeys the rule is returned
    unchanged.
    """
    # Any drawn operation (> 1) outranks any other; an undrawn one only serves where nothing real
    # was drawn.
    preference = np.where(space.mask, probabilities, -1.0)
    preference[np.arange(len(choices)), choices] += 2.0
    return by_rule(space, np.maximum(preference, 0.0))


def likeliest(space: Space, strength: Probabilities, count: int) -> list[Choices]:
    """Up to ``count`` different genotypes that the rule can derive, by falling product of their
    operations' strengths.

    ``strength``: (edges, operations), 0 where an operation may not be chosen. Best first over the
    ranks of each edge's operations; each choice is projected, and a genotype that is met again does
    not count again.
    """
    order = np.argsort(-strength, axis=1, kind="stable")
    with np.errstate(divide="ignore"):
        logs = np.log(np.take_along_axis(strength, order, axis=1))
    rows = np.arange(len(strength))
    start = (0,) * len(strength)
    waiting, met = [(0.0, start)], {start}
    found: dict[bytes, Choices] = {}
    for _ in range(LOOKS * count):
        if not waiting or len(found) == count:
            break
        behind, ranks = heapq.heappop(waiting)
        one = project(space, order[rows, list(ranks)], strength)
        found.setdefault(one.tobytes(), one)
        for row, rank in enumerate(ranks):
            after = (*ranks[:row], rank + 1, *ranks[row + 1 :])
            if (
                rank + 1 < strength.shape[1]
                and np.isfinite(logs[row, rank + 1])
                and after not in met
            ):
                met.add(after)
                heapq.heappush(
                    waiting, (behind + float(logs[row, rank] - logs[row, rank + 1]), after)
                )
    return list(found.values())


def size_sampled(space: Space, mask: Mask | None = None) -> int:
    """How many samples the space holds: the product of the survivors over its edges."""
    counts = (space.mask if mask is None else mask).sum(axis=1)
    return math.prod(int(count) for count in counts)


def size_derived(space: Space) -> int:
    """How many genotypes the derivation rule can give (before the skip_connect limit of DARTS).

    DARTS: per node two of its inputs and one of 7 operations on each, so (prod_n C(n, 2) 7^2)^2.
    TND: all samples whose every node keeps an input. NAS-Bench-201: 5^6.
    """
    if space.written != "edges":
        return size_sampled(space)
    total = 1
    for cell in space.cells:
        real = len(space.ops(cell)) - 1
        for node in range(space.inputs, space.inputs + space.nodes):
            kept = space.in_degree
            total *= (real + 1) ** node - 1 if kept is None else math.comb(node, kept) * real**kept
    return total
