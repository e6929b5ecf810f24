"""Genotype: what stands on each edge of a searched cell.

Architecture: a genotype at a width and a depth.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

from hwnas.space.space import NONE, SPACES, CellKind, Space
from profilers.errors import InputError, nearest


@dataclass(frozen=True, slots=True, order=True)
class Edge:
    """An operation applied to an earlier state of the cell."""

    op: str
    source: int


Cell = tuple[tuple[Edge, ...], ...]
"""Incoming edges per computed node, ordered by source; in-degree may vary, zero included."""


@dataclass(frozen=True)
class Genotype:
    """A cell (or a pair of cells) of a named space, validated and in canonical order on
    construction.

    Raises InputError for an unknown space or operation, a source that does not come before its
    node, two edges from one source, or the wrong number of nodes.
    """

    space: str
    normal: Cell = ()
    reduce: Cell = ()
    operations: tuple[str, ...] = ()
    """Of a space that is not made of cells: the operation of each decision, in their order."""
    as_written: tuple[Cell, Cell] = field(init=False, compare=False, repr=False)
    """The normal and the reduction cell with their edges in the order given, which numbers the
    tensors of other code; no part of what the genotype is."""

    def __post_init__(self) -> None:
        if self.space not in SPACES:
            raise InputError(
                f"genotype: unknown space {self.space!r}{nearest(self.space, SPACES.names())}"
            )
        space = SPACES[self.space]
        normal, reduce = (
            tuple(tuple(node) for node in cell) for cell in (self.normal, self.reduce)
        )
        object.__setattr__(self, "as_written", (normal, reduce))
        object.__setattr__(self, "normal", _canonical_cell(space, "normal", normal))
        object.__setattr__(self, "reduce", _canonical_cell(space, "reduce", reduce))
        object.__setattr__(self, "operations", _checked_operations(space, self.operations))

    def cell(self, kind: str) -> Cell:
        """The cell of one kind."""
        return self.normal if kind == "normal" else self.reduce

    @cached_property
    def key(self) -> str:
        """Ten hexadecimal digits that name this genotype: equal genotypes have equal keys, on
        any machine."""
        canonical = json.dumps(self.to_dict(), sort_keys=True, separators=(",", ":"))
        return hashlib.sha256(canonical.encode()).hexdigest()[:10]

    def to_dict(self) -> dict[str, Any]:
        """The JSON form: edges per node, or the architecture string where the space has a
        published one."""
        if SPACES[self.space].written == "arch_str":
            return {"space": self.space, "arch_str": arch_string(self)}
        if self.operations:
            names = [decision.name for decision in SPACES[self.space].decisions]
            return {
                "space": self.space,
                "operations": dict(zip(names, self.operations, strict=True)),
            }
        return {
            "space": self.space,
            "normal": [[[edge.op, edge.source] for edge in node] for node in self.normal],
            "reduce": [[[edge.op, edge.source] for edge in node] for node in self.reduce],
        }


@dataclass(frozen=True, slots=True)
class Architecture:
    """What is counted, trained and exported: a genotype, initial channels and a number of searched
    cells.

    In nasbench201 ``cells`` counts the searched cells of all three groups: 15 for the benchmark's N
    = 5. Of a chain of blocks, ``channels`` are the stem's at multiplier 1, and ``cells`` the blocks
    of its table, absent ones included.
    """

    genotype: Genotype
    channels: int
    cells: int

    def __post_init__(self) -> None:
        if not 1 <= self.channels <= 4096:
            raise InputError(f"channels must be within 1..4096, not {self.channels}")
        check_cells(SPACES[self.genotype.space], self.cells)


def sized(
    genotype: Genotype, channels: int | None = None, cells: int | None = None, stem: str = "cifar"
) -> Architecture:
    """A genotype at a width and a depth; None stands for those that its space is published with.

    Raises InputError for a depth or a stem that a chain of blocks, whose table says both, does not
    have.
    """
    space = SPACES[genotype.space]
    usual = space.published_size
    if space.depth is not None and stem != "cifar":
        raise InputError(
            f"stem: a network of {space.name} has the stem of its table: leave {stem!r} out"
        )
    return Architecture(
        genotype,
        channels=usual[0] if channels is None else channels,
        cells=usual[1] if cells is None else cells,
    )


def check_cells(space: Space, cells: int) -> None:
    """Raise InputError unless a network of this space can have so many cells."""
    if not 1 <= cells <= 1000:
        raise InputError(f"cells must be within 1..1000, not {cells}")
    if space.depth not in (None, cells):
        raise InputError(
            f"cells: a network of {space.name} has {space.depth} blocks, as its table says: leave"
            f" cells out instead of giving {cells}"
        )
    groups = space.cells_multiple
    if cells % groups:
        raise InputError(
            f"{space.name} stacks {groups} equal groups: cells must be a multiple of {groups}, not"
            f" {cells}"
        )


def arch_string(genotype: Genotype) -> str:
    """The NAS-Bench-201 form ``|op~0|+|op~0|op~1|+...`` of a genotype whose every edge is
    written."""
    return "+".join(
        "|" + "".join(f"{edge.op}~{edge.source}|" for edge in node) for node in genotype.normal
    )


def _checked_operations(space: Space, operations: Iterable[str]) -> tuple[str, ...]:
    """One legal operation per decision of a space without cells; none of a space of cells."""
    given, wanted = tuple(operations), () if space.slots else space.decisions
    if len(given) != len(wanted):
        raise InputError(
            f"genotype of {space.name}: {len(given)} operations, one for each of {len(wanted)}"
            " decisions is needed"
        )
    for decision, op in zip(wanted, given, strict=True):
        if op not in decision.operations:
            known = nearest(op, decision.operations)
            raise InputError(
                f"genotype of {space.name}: {decision.name}: unknown operation {op!r}{known}"
            )
    return given


def _canonical_cell(space: Space, kind: CellKind, cell: Iterable[Iterable[Edge]]) -> Cell:
    nodes = tuple(tuple(sorted(node, key=lambda edge: (edge.source, edge.op))) for node in cell)
    expected = space.nodes if kind in space.cells else 0
    if len(nodes) != expected:
        raise InputError(
            f"genotype of {space.name}: the {kind} cell needs {expected} nodes, not {len(nodes)}"
        )
    for number, node in enumerate(nodes, start=space.inputs):
        _check_node(space, kind, number, node)
    return nodes


def _check_node(space: Space, kind: CellKind, number: int, node: tuple[Edge, ...]) -> None:
    where = f"genotype of {space.name}: {kind} node {number}"
    legal = space.ops(kind)
    for edge in node:
        if edge.op not in legal:
            edges = space.written == "edges"
            known = [op for op in legal if not (edges and op == NONE)]  # an edge is left out there
            raise InputError(f"{where}: unknown operation {edge.op!r}{nearest(edge.op, known)}")
        if edge.op == NONE and space.written == "edges":
            raise InputError(f"{where}: leave an edge out instead of writing {NONE!r}")
        if not 0 <= edge.source < number:
            raise InputError(f"{where}: source {edge.source} must be within 0..{number - 1}")
    sources = [edge.source for edge in node]
    if len(set(sources)) != len(sources):
        raise InputError(f"{where}: two edges come from one source")
    if space.written == "arch_str" and sources != list(range(number)):
        raise InputError(f"{where}: every edge must be written, got sources {sources}")
