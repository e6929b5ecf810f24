"""Lists of edges, as JSON and Python literals hold them, as the cells of a genotype."""

from __future__ import annotations

import reprlib
from typing import Any

from hwnas.space.genotype import Cell, Edge
from hwnas.space.space import NONE, CellKind
from profilers.errors import InputError


def cell_of(nodes: Any, kind: CellKind) -> Cell:
    """A list of nodes, each a list of [operation, source]. Raises InputError."""
    if not isinstance(nodes, list | tuple):
        raise InputError(f"genotype: {kind} must be a list with the edges of each node")
    return tuple(_node(node, kind) for node in nodes)


def published_cell(cell: Any, kind: CellKind) -> Cell:
    """Edges as searchers print them: eight pairs, two for each node, or a list per node.

    An edge of ``none`` is left out; a third number of an edge, its weight in the search, is passed
    over. Raises InputError.
    """
    if not isinstance(cell, list | tuple):
        raise InputError(f"genotype: {kind} must be a list of edges")
    if all(isinstance(item, list | tuple) and item and isinstance(item[0], str) for item in cell):
        if len(cell) != 8:
            raise InputError(
                f"genotype: {kind} needs 8 pairs (two per node), not {len(cell)}; write a list per"
                " node"
            )
        cell = [cell[at : at + 2] for at in range(0, 8, 2)]
    nodes = [
        [_pair(edge) for edge in node] if isinstance(node, list | tuple) else node for node in cell
    ]
    return tuple(tuple(edge for edge in node if edge.op != NONE) for node in cell_of(nodes, kind))


def _pair(edge: Any) -> Any:
    weighted = isinstance(edge, list | tuple) and len(edge) == 3 and type(edge[2]) in (int, float)
    return edge[:2] if weighted else edge


def _node(edges: Any, kind: CellKind) -> tuple[Edge, ...]:
    if not isinstance(edges, list | tuple):
        raise InputError(f"genotype: every node of {kind} must be a list of [operation, source]")
    return tuple(_edge(edge, kind) for edge in edges)


def _edge(pair: Any, kind: CellKind) -> Edge:
    if isinstance(pair, list | tuple) and len(pair) == 2:
        op, source = pair
        if isinstance(op, str) and isinstance(source, int) and not isinstance(source, bool):
            return Edge(op, source)
    found = reprlib.repr(pair)[:60]
    raise InputError(f"genotype: an edge of {kind} must be [operation, source], not {found}")
