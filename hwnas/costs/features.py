"""What a latency model may know of a genotype: how many of which operations a device executes.

Devices differ in what they leave out, and a measured latency does not say which kind of device it
came from. So there is one design per kind, and the fit chooses (``profilers.fit``):

- ``eager``: everything that is written runs (PyTorch without a compiler, a simulator that adds
  layers up).
- ``reached``: a compiler has dropped what the output does not need, but operations on a tensor of
  zeros still run, because it does not know that they are zeros (TFLite, TensorRT).
- ``live``: operations on zeros are gone as well, by constant folding (the Edge TPU compiler).
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import lru_cache
from typing import Literal

import numpy as np
import numpy.typing as npt

from hwnas.space.build import Key, by_size, graphs
from hwnas.space.graph import Graph
from hwnas.space.size import CellSize, Task
from hwnas.space.space import NONE, Choices, Space
from hwnas.space.wiring import Wiring, wiring
from profilers.fit import Design

Execution = Literal["eager", "reached", "live"]
EXECUTIONS: tuple[Execution, ...] = ("eager", "reached", "live")
BENCHMARK_CELLS = 15
"""NAS-Bench-201's N = 5 in three groups: what its published latencies were measured on."""

Bools = npt.NDArray[np.bool_]
Ints = npt.NDArray[np.int64]
Floats = npt.NDArray[np.float64]


@dataclass(frozen=True, kw_only=True, eq=False)
class FeatureLayout:
    """A graph's nodes as a table of features knows them.

    `open`: indices of the open nodes, by decision `row`; `copies`: (decisions,) how many nodes a
    decision has.
    `sums`: indices of the sums of options, `sum_copies` how often each stands in the graph.
    `strided`: (decisions,) whether the decision's options make a map smaller.
    """

    wiring: Wiring
    open: Ints
    row: Ints
    copies: Ints
    sums: Ints
    sum_copies: Ints
    strided: Bools

    def nodes(self, choices: Choices, execution: Execution) -> Bools:
        """(count, nodes): which nodes run."""
        present, needed, fed = self.wiring.executed(choices)
        if execution == "eager":
            return present
        return needed & fed if execution == "live" else needed

    def by_decision(self, choices: Choices, execution: Execution) -> Floats:
        """(count, decisions): the part of a decision's nodes that run.

        Between 0 and 1 where cells differ: a cell without an edge from the map before it leaves
        every second cell unread.
        """
        runs = self.nodes(choices, execution)[:, self.open]
        total = np.zeros((len(choices), len(self.copies)))
        np.add.at(total.T, self.row, runs.T.astype(np.float64))
        return np.asarray(total / self.copies)

    def states(self, choices: Choices, execution: Execution) -> Floats:
        """(count,): how many sums of options run, in the mean over cells of a kind."""
        runs = self.nodes(choices, execution)[:, self.sums]
        if execution == "eager":
            runs = np.ones_like(runs)
        total = np.zeros(len(choices))
        for copies in np.unique(self.sum_copies):
            total += runs[:, self.sum_copies == copies].sum(axis=1) / copies
        return total


def layout(graph: Graph, space: Space) -> FeatureLayout:
    """The features' view of a graph of a space."""
    sizes = {node.name: node.size for node in graph}
    by_name = {node.name: node for node in graph}
    open_nodes = [(index, node) for index, node in enumerate(graph) if node.row is not None]
    rows = np.array([node.row for _, node in open_nodes])
    strided = np.zeros(len(space.decisions), dtype=bool)
    for _, node in open_nodes:
        strided[node.row] |= node.size != sizes[node.inputs[0]]
    copies = np.bincount(rows, minlength=len(space.decisions))
    sums, sum_copies = [], []
    for index, node in enumerate(graph):
        decided = [by_name[source].row for source in node.inputs] if node.join == "sum" else []
        if decided and decided[0] is not None:
            sums.append(index)
            sum_copies.append(copies[decided[0]])
    return FeatureLayout(
        wiring=wiring(graph, space.width),
        open=np.array([index for index, _ in open_nodes]),
        row=rows,
        copies=np.maximum(copies, 1),
        sums=np.array(sums, dtype=np.int64),
        sum_copies=np.array(sum_copies, dtype=np.int64),
        strided=strided,
    )


@lru_cache(maxsize=16)
def _layouts(space: Space, cells: int) -> dict[Key, FeatureLayout]:
    """Which operations run does not depend on widths: a narrow network of so many cells tells."""
    size = CellSize(channels=4, cells=cells)
    whole = graphs(space, size, Task(classes=2, image=(1, 32, 32)))
    return {key: layout(graph, space) for key, graph in whole.items()}


def designs(
    space: Space, choices: Choices, cells: int = BENCHMARK_CELLS, only: str | None = None
) -> tuple[Design, ...]:
    """The designs of many samples, ``choices``: (count, edges); one per way to execute, the
    plainest first.

    ``cells`` matters for networks that fold, whose last cell is all that is left of them, and for
    those that leave a cell unread. ``only`` names the one design that is wanted.
    """
    wanted = [execution for execution in EXECUTIONS if only in (None, execution)]
    return tuple(_design(space, np.atleast_2d(choices), execution, cells) for execution in wanted)


def with_operations(design: Design, operations_ms: Floats) -> Design:
    """The design with a first, trusted column: each network's sum of measured operations in ms,
    (count,)."""
    return replace(
        design,
        names=("operations_ms", *design.names),
        counts=np.column_stack([operations_ms, design.counts]),
        trusted=1,
    )


def is_constant(space: Space, choices: Choices) -> Bools:
    """Whether a network's output does not depend on its image, (count, edges) -> (count,).

    A compiler folds such a network to almost nothing, so its latency says little about its
    operations.
    """
    layouts = _layouts(space, BENCHMARK_CELLS)
    return np.asarray(by_size(space.size_rows, layouts, choices, _reaches) == 0)


def _reaches(seen: FeatureLayout, choices: Choices) -> Floats:
    """(count,): 1 where the output depends on the image."""
    return seen.wiring.executed(choices)[2][:, -1].astype(np.float64)


def _design(space: Space, choices: Choices, execution: Execution, cells: int) -> Design:
    layouts, size_rows = _layouts(space, cells), list(space.size_rows)
    # A folded network is its last cell and the classifier: a share of every count, and nothing that
    # is constant.
    share = np.ones(len(choices))
    if execution != "eager":
        share[is_constant(space, choices)] = 1.0 / cells
    runs = by_size(
        space.size_rows, layouts, choices, lambda seen, own: seen.by_decision(own, execution)
    )
    runs[:, size_rows] = 1.0
    runs /= share[:, None]
    any_strided = np.any([seen.strided for seen in layouts.values()], axis=0)
    names: list[str] = []
    counts: list[Floats] = []
    detail: list[Floats] = []
    for group in space.groups:
        rows = np.array(space.rows(group))
        operations = dict.fromkeys(op for row in rows for op in space.decisions[row].operations)
        for op in operations:
            if op == NONE:
                continue
            columns = np.array([_column(space, row, op) for row in rows])
            drawn = runs[:, rows] * (choices[:, rows] == columns)
            detail.append(drawn)
            for suffix, part in (("", ~any_strided[rows]), ("/stride2", any_strided[rows])):
                if part.any():
                    names.append(f"{group}/{op}{suffix}")
                    counts.append(drawn[:, part].sum(axis=1))
    states = (
        by_size(space.size_rows, layouts, choices, lambda seen, own: seen.states(own, execution))
        / share
    )
    return Design(
        name=execution,
        names=(*names, "nodes"),
        counts=np.column_stack([*counts, states]),
        detail=np.concatenate(detail, axis=1),
        share=share,
    )


def _column(space: Space, row: int, op: str) -> int:
    """Where an operation stands among a decision's own; -1 where it is none of them."""
    operations = space.decisions[row].operations
    return operations.index(op) if op in operations else -1
