"""A cell-based search space as a pure value: which edges a cell has, which operations each may take."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from functools import cached_property
from typing import Literal

import numpy as np
import numpy.typing as npt

CellKind = Literal["normal", "reduce"]
Choices = npt.NDArray[np.int64]
"""One operation index per slot, shape (edges,): a sampled sub-network before it is written as a genotype."""
Mask = npt.NDArray[np.bool_]
"""Which operations survive, shape (edges, operations); columns past a slot's own operations are False."""
Probabilities = npt.NDArray[np.float64]
"""softmax(alpha), shape (edges, operations)."""

NONE = "none"
SKIP = "skip_connect"


@dataclass(frozen=True, slots=True)
class Slot:
    """One edge of one kind of cell: where it leads from and to, and what may stand on it.

    ``source`` and ``node`` count the cell's inputs first (DARTS: 0 = c_{k-2}, 1 = c_{k-1}, nodes 2..5).
    """

    cell: CellKind
    node: int
    source: int
    ops: tuple[str, ...]


@dataclass(frozen=True)
class Space:
    """What can be built.

    ``survivors`` gives, per kind of cell, how many candidates each edge holds at the start of each stage
    (progressive shrinking, P-DARTS, arXiv 1904.12760). ``rule`` turns strengths of shape (edges, operations)
    into the choices that the space's derivation keeps, dropped edges becoming ``none``.
    ``stacking`` names the macro structure: two stride-2 cells ("reduction_cells", arXiv 1806.09055) or
    residual blocks between three groups of equal cells ("residual_blocks", arXiv 2001.00326).
    """

    name: str
    inputs: int
    nodes: int
    slots: tuple[Slot, ...]
    survivors: dict[CellKind, tuple[int, ...]] = field(hash=False)
    rule: Callable[[Space, Probabilities], Choices] = field(hash=False, compare=False)
    stacking: Literal["reduction_cells", "residual_blocks"] = "reduction_cells"
    none_is_written: bool = False
    in_degree: int | None = None
    """How many inputs the derivation rule leaves each node; None where it varies."""

    @cached_property
    def cells(self) -> tuple[CellKind, ...]:
        """The kinds of cell that are searched, in slot order."""
        return tuple(dict.fromkeys(slot.cell for slot in self.slots))

    @cached_property
    def width(self) -> int:
        """The largest number of operations on any edge: the second axis of alpha."""
        return max(len(slot.ops) for slot in self.slots)

    @cached_property
    def mask(self) -> Mask:
        """All operations of every edge, before any shrinking."""
        return np.array([[o < len(slot.ops) for o in range(self.width)] for slot in self.slots])

    @cached_property
    def is_none(self) -> Mask:
        """Where ``none`` stands, (edges, operations)."""
        return np.array([[slot.ops[o : o + 1] == (NONE,) for o in range(self.width)] for slot in self.slots])

    def ops(self, cell: CellKind) -> tuple[str, ...]:
        """The primitives of one kind of cell."""
        return next(slot.ops for slot in self.slots if slot.cell == cell)

    def rows(self, cell: CellKind) -> tuple[int, ...]:
        """The slots (rows of alpha) of one kind of cell."""
        return tuple(row for row, slot in enumerate(self.slots) if slot.cell == cell)


SPACES: dict[str, Space] = {}
"""Every known space by name. The one registry: a user's own space is one more entry (see the guide)."""


def dense_slots(cell: CellKind, inputs: int, nodes: int, ops: tuple[str, ...]) -> tuple[Slot, ...]:
    """Every edge from an earlier state to every node, ordered by node, then by predecessor."""
    return tuple(
        Slot(cell, node, source, ops) for node in range(inputs, inputs + nodes) for source in range(node)
    )
