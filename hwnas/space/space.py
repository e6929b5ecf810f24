"""A search space as a pure value: what is decided, and how a network follows from it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any, Literal

import numpy as np
import numpy.typing as npt

from hwnas.plugins import Announced
from profilers.errors import FaultyPlugin, asking, kind_of

CellKind = Literal["normal", "reduce"]
Choices = npt.NDArray[np.int64]
"""One operation index per decision, shape (decisions,): a sampled sub-network before it is
written as a genotype."""
Mask = npt.NDArray[np.bool_]
"""Which operations remain, shape (decisions, operations); columns past a decision's own
operations are False."""
Probabilities = npt.NDArray[np.float64]
"""softmax(alpha), shape (decisions, operations)."""

NONE = "none"
SKIP = "skip_connect"


@dataclass(frozen=True, slots=True)
class Slot:
    """One edge of one kind of cell: where it leads from and to, and what may stand on it.

    ``source`` and ``node`` count the cell's inputs first (DARTS: 0 = c_{k-2}, 1 = c_{k-1}, nodes
    2..5).
    """

    cell: CellKind
    node: int
    source: int
    ops: tuple[str, ...]


@dataclass(frozen=True, kw_only=True, slots=True)
class Decision:
    """One row of alpha: what is decided, between which operations, and how many of them remain in
    each stage.

    ``group`` is what the decision is drawn and counted with. ``of_size``: it belongs to the size of
    the whole network (image side, width) and not to nodes. An operation called ``none`` is absent.
    """

    name: str
    operations: tuple[str, ...]
    remaining: tuple[int, ...]
    group: str
    of_size: bool = False


@dataclass(frozen=True, kw_only=True)
class Space:
    """What can be built: decisions, and the graph of all networks that they lead to.

    ``build(space, size, task, options)`` gives the whole supernet (hwnas.space.graph) for the named
    options of the decisions that belong to the size. ``rule`` turns scores of shape (decisions,
    operations) into the choices that the space's derivation keeps, dropped operations becoming
    ``none``.

    A space of cells is written shorter: ``inputs`` and ``nodes`` of a cell, its edges as ``slots``
    and, per kind of cell, how many candidates each edge holds at the start of each stage as
    ``survivors`` (progressive shrinking, P-DARTS, arXiv 1904.12760). ``stacking`` names the macro
    structure: two stride-2 cells ("reduction_cells", arXiv 1806.09055) or residual blocks between
    three groups of equal cells ("residual_blocks", arXiv 2001.00326).
    """

    name: str
    rule: Callable[[Space, Probabilities], Choices] = field(hash=False, compare=False)
    decisions: tuple[Decision, ...] = ()
    build: Callable[..., Any] | None = field(default=None, hash=False, compare=False)
    inputs: int = 0
    nodes: int = 0
    slots: tuple[Slot, ...] = ()
    survivors: dict[CellKind, tuple[int, ...]] = field(default_factory=dict, hash=False)
    stacking: Literal["reduction_cells", "residual_blocks"] = "reduction_cells"
    none_is_written: bool = False
    published_size: tuple[int, int] = (36, 20)
    """Initial channels and cells of the networks that this space was published with."""
    macro: Any = None
    """What `build` reads beside its arguments: the macro architecture of a chain
    (hwnas.space.macro)."""
    depth: int | None = None
    """How many blocks a network has, where the space itself says so; None where any number of
    cells can be stacked."""
    in_degree: int | None = None
    """How many inputs the derivation rule leaves each node of a cell; None where it varies."""

    def __post_init__(self) -> None:
        """Make the decisions of a space of cells from its edges."""
        plugin = f"space {self.name!r} (hwnas.spaces)"
        for slot in self.slots:
            if slot.cell not in self.survivors:
                raise FaultyPlugin(f"{plugin}: survivors: none for the cells {slot.cell!r}")
        if not self.decisions:
            edges = tuple(
                Decision(
                    name=f"{slot.cell} {slot.source} to {slot.node}",
                    operations=slot.ops,
                    remaining=self.survivors[slot.cell],
                    group=slot.cell,
                )
                for slot in self.slots
            )
            object.__setattr__(self, "decisions", edges)
        if not self.decisions:
            raise FaultyPlugin(f"{plugin}: it decides nothing; give decisions, or slots of cells")
        for one in self.decisions:
            _check_decision(plugin, one, "survivors" if self.slots else "remaining")

    @cached_property
    def groups(self) -> tuple[str, ...]:
        """The groups of decisions, in order; of a space of cells, the kinds of cell that are
        searched."""
        return tuple(dict.fromkeys(decision.group for decision in self.decisions))

    @cached_property
    def cells(self) -> tuple[CellKind, ...]:
        """The kinds of cell that are searched, in slot order; none where the space is not made
        of cells."""
        return tuple(dict.fromkeys(slot.cell for slot in self.slots))

    @property
    def written(self) -> Literal["edges", "arch_str", "operations"]:
        """How genotypes are written: edges per node, with none left out; NAS-Bench-201's string,
        with every edge; or one operation per decision."""
        if not self.slots:
            return "operations"
        return "arch_str" if self.none_is_written else "edges"

    @property
    def none_runs(self) -> bool:
        """Whether the published networks compute ``none``: they multiply a map by zero."""
        return self.none_is_written

    @property
    def shares_weights(self) -> bool:
        """Whether the options of a block are parts of its largest one (hwnas.space.sliced)."""
        return self.macro is not None and bool(self.macro.sliced)

    @property
    def parts(self) -> Literal["cells", "blocks"]:
        """What the depth of a network counts: cells, or the blocks of a chain."""
        return "cells" if self.depth is None else "blocks"

    @property
    def cells_multiple(self) -> int:
        """The cells of a network come in so many equal groups."""
        return 3 if self.stacking == "residual_blocks" else 1

    @property
    def last_node_is_output(self) -> bool:
        """Whether a cell hands on its last node alone, and not all of its nodes side by side."""
        return self.stacking == "residual_blocks"

    @property
    def benchmarked(self) -> bool:
        """Whether latencies of this space were published, of networks of one size
        (NAS-Bench-201's)."""
        return self.stacking == "residual_blocks"

    @cached_property
    def width(self) -> int:
        """The largest number of operations of any decision: the second axis of alpha."""
        return max(len(decision.operations) for decision in self.decisions)

    @cached_property
    def mask(self) -> Mask:
        """All operations of every decision, before any shrinking."""
        return np.array(
            [[o < len(one.operations) for o in range(self.width)] for one in self.decisions]
        )

    @cached_property
    def counts(self) -> npt.NDArray[np.int64]:
        """How many operations each decision has, (decisions,)."""
        return np.array([len(one.operations) for one in self.decisions], dtype=np.int64)

    @cached_property
    def is_none(self) -> Mask:
        """Where ``none`` stands, (decisions, operations)."""
        return np.array(
            [
                [one.operations[o : o + 1] == (NONE,) for o in range(self.width)]
                for one in self.decisions
            ]
        )

    @cached_property
    def size_rows(self) -> tuple[int, ...]:
        """The decisions that belong to the size of the whole network."""
        return tuple(row for row, decision in enumerate(self.decisions) if decision.of_size)

    def ops(self, cell: CellKind) -> tuple[str, ...]:
        """The primitives of one kind of cell."""
        return next(slot.ops for slot in self.slots if slot.cell == cell)

    def rows(self, group: str) -> tuple[int, ...]:
        """The decisions (rows of alpha) of one group, or kind of cell."""
        return tuple(row for row, decision in enumerate(self.decisions) if decision.group == group)


def _check_decision(plugin: str, one: Decision, key: str) -> None:
    """Raise FaultyPlugin for a decision between nothing, or one that keeps too few or too many."""
    operations: object = one.operations
    count, left = len(one.operations), one.remaining
    if isinstance(operations, str) or not count:
        raise FaultyPlugin(f"{plugin}: {one.name}: operations must be a tuple of names")
    if not isinstance(left, list | tuple) or not left:
        raise FaultyPlugin(
            f"{plugin}: {one.name}: {key} {left!r}; say how many operations remain in each stage,"
            f" such as ({count},)"
        )
    for some in left:
        if not isinstance(some, int) or not 1 <= some <= count:
            raise FaultyPlugin(
                f"{plugin}: {one.name}: {key} {tuple(left)!r}; of {count} operations 1 to {count}"
                " can remain"
            )


def by_rule(space: Space, score: Probabilities) -> Choices:
    """What the space's rule derives of scores (decisions, operations), (decisions,).

    Raises FaultyPlugin where the rule gives something else.
    """
    plugin = f"space {space.name!r} (hwnas.spaces)"
    with asking(plugin, "rule"):
        found: object = space.rule(space, score)
    shape = (len(space.decisions),)
    good = isinstance(found, np.ndarray) and found.shape == shape and found.dtype.kind in "iu"
    if not good:
        raise FaultyPlugin(
            f"{plugin}: rule gave {kind_of(found)}; it must give an array of whole numbers of"
            f" shape {shape}, one operation for each decision"
        )
    choices: Choices = np.asarray(found, dtype=np.int64)
    check_choices_of(space, choices, f"{plugin}: rule")
    return choices


def check_choices_of(space: Space, choices: Choices, who: str) -> None:
    """Raise FaultyPlugin, which begins with ``who``, for choices (..., decisions) that name an
    operation which a decision does not have."""
    wrong = (choices < 0) | (choices >= space.counts)
    if wrong.any():
        place = tuple(int(part) for part in np.argwhere(wrong)[0])
        one = space.decisions[place[-1]]
        raise FaultyPlugin(
            f"{who} gave operation {int(choices[place])} for decision {place[-1]} ({one.name});"
            f" 0 to {len(one.operations) - 1} are its operations"
        )


def strongest(space: Space, score: Probabilities) -> Choices:
    """The simplest rule of derivation: the operation of largest score of every decision,
    ``none`` included."""
    return np.asarray(np.where(space.mask, score, -1.0).argmax(axis=1), dtype=np.int64)


SPACES: Announced[Space] = Announced("hwnas.spaces", Space)
"""Every known space by name.

The one registry: a user's own space is one more entry (see the guide).
"""


def dense_slots(cell: CellKind, inputs: int, nodes: int, ops: tuple[str, ...]) -> tuple[Slot, ...]:
    """Every edge from an earlier state to every node, ordered by node, then by predecessor."""
    return tuple(
        Slot(cell, node, source, ops)
        for node in range(inputs, inputs + nodes)
        for source in range(node)
    )
