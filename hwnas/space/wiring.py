"""Which nodes of a graph run in which samples, for thousands of samples at once."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from hwnas.space.node import Graph

Bools = npt.NDArray[np.bool_]


@dataclass(frozen=True, kw_only=True, eq=False)
class Wiring:
    """Which nodes of a graph run in which samples: indices made once, then whole arrays at a
    time."""

    graph: Graph
    sources: tuple[tuple[int, ...], ...]
    rows: tuple[int, ...]
    absent: tuple[Bools, ...]
    """Per open node: where its option is absent, (operations,)."""
    open: tuple[int, ...]
    """The indices of the open nodes, in the order of `rows` and `absent`."""

    def executed(self, choices: npt.NDArray[np.int64]) -> tuple[Bools, Bools, Bools]:
        """(present, needed, fed) of samples (count, decisions), each (count, nodes).

        present: the node is not absent. needed: the network's output reads it through nodes that
        are present. fed: its result depends on the image.
        """
        count = len(choices)
        present = np.ones((count, len(self.graph)), dtype=bool)
        for index, row, absent in zip(self.open, self.rows, self.absent, strict=True):
            present[:, index] = ~absent[choices[:, row]]
        fed, needed = np.zeros_like(present), np.zeros_like(present)
        fed[:, 0] = True
        for index, sources in enumerate(self.sources[1:], start=1):
            for source in sources:
                fed[:, index] |= fed[:, source]
            fed[:, index] &= present[:, index]
        needed[:, -1] = True
        for index in range(len(self.graph) - 1, 0, -1):
            needed[:, index] &= present[:, index]
            for source in self.sources[index]:
                needed[:, source] |= needed[:, index]
        return present, needed, fed


def wiring(graph: Graph, operations: int) -> Wiring:
    """The indices of one graph; `operations` is the largest number of options."""
    place = {node.name: index for index, node in enumerate(graph)}
    open_nodes = [index for index, node in enumerate(graph) if node.row is not None]
    return Wiring(
        graph=graph,
        sources=tuple(tuple(place[source] for source in node.inputs) for node in graph),
        rows=tuple(row for node in graph if (row := node.row) is not None),
        absent=tuple(
            np.array(
                [column < len(options) and options[column] is None for column in range(operations)]
            )
            for options in (graph[index].options for index in open_nodes)
        ),
        open=tuple(open_nodes),
    )
