"""Parameters and MACs of any genotype by table: additive over the nodes of a graph.

Built once per space, width, depth and image size; then a count is a table sum, equal to counting
the built network, and the expectation under alpha is a dot product.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from hwnas.space.build import BySize, architecture_graph
from hwnas.space.family import Family
from hwnas.space.genotype import Architecture
from hwnas.space.graph import Graph, all_layers
from hwnas.space.layers import Layer, Stem
from hwnas.space.size import Task
from hwnas.space.space import Choices, Probabilities

Table = npt.NDArray[np.float64]


@dataclass(frozen=True, kw_only=True)
class Additive:
    """A cost that adds up: ``constant`` for what is fixed and one entry of ``table`` per
    decision."""

    constant: float
    table: Table
    """(decisions, operations)"""

    def of(self, choices: Choices) -> Table:
        """The cost of one sample (edges,) or of many (count, edges): a scalar array or shape
        (count,)."""
        edges = np.arange(self.table.shape[0])
        return np.asarray(self.constant + self.table[edges, choices].sum(axis=-1))

    def expected(self, probabilities: Probabilities) -> float:
        """The mean cost of samples drawn from ``probabilities`` (edges, operations)."""
        return float(self.constant + (self.table * probabilities).sum())


@dataclass(frozen=True, kw_only=True)
class CountTables:
    """Trainable parameters and multiply-accumulates per image. FLOPs are 2 x MACs."""

    params: Additive | BySize
    macs: Additive | BySize


def count_table(of: Family) -> CountTables:
    """The tables of the discrete networks of a family, no auxiliary head."""
    space = of.space
    found = {key: counts_of(graph, space.mask.shape) for key, graph in of.graphs.items()}
    if not space.size_rows:
        return found[()]
    return CountTables(
        params=BySize(
            rows=space.size_rows, parts={key: counts.params for key, counts in found.items()}
        ),
        macs=BySize(
            rows=space.size_rows, parts={key: counts.macs for key, counts in found.items()}
        ),
    )


def counts_of(graph: Graph, shape: tuple[int, int]) -> CountTables:
    """The tables of every network in a graph. ``shape``: (decisions, operations) of alpha."""
    return CountTables(
        params=additive(graph, shape, lambda layers: sum(layer.params for layer in layers)),
        macs=additive(graph, shape, lambda layers: sum(layer.macs for layer in layers)),
    )


def additive(
    graph: Graph, shape: tuple[int, int], cost: Callable[[tuple[Layer, ...]], float]
) -> Additive:
    """A cost that adds up over layers, as a constant of the fixed nodes and a table of the open
    ones."""
    constant, table = 0.0, np.zeros(shape)
    known: dict[int, float] = {}  # by identity: the options of equal cells are the same objects
    for node in graph:
        if node.row is None:
            constant += cost(node.layers)
            continue
        for column, option in enumerate(node.options):
            if option:
                if id(option) not in known:
                    known[id(option)] = cost(option)
                table[node.row, column] += known[id(option)]
    return Additive(constant=float(constant), table=table)


def count(
    architecture: Architecture, classes: int, image: tuple[int, int, int], stem: Stem = "cifar"
) -> tuple[int, int]:
    """(parameters, MACs per image) of one architecture.

    For many of one width build ``count_table`` once.
    """
    graph = architecture_graph(architecture, Task(classes=classes, image=image), stem, unread=True)
    layers = all_layers(graph)
    return sum(layer.params for layer in layers), sum(layer.macs for layer in layers)
