"""What a latency model may know of a genotype: how many of which operations a device executes.

Devices differ in what they leave out, and a measured latency does not say which kind of device it came from.
So there is one design per kind, and the fit chooses (``profilers.fit``):

- ``eager``: everything that is written runs (PyTorch without a compiler, a simulator that adds layers up).
- ``reached``: a compiler has dropped what the output does not need, but operations on a tensor of zeros still
  run, because it does not know that they are zeros (TFLite, TensorRT).
- ``live``: operations on zeros are gone as well, by constant folding (the Edge TPU compiler).
"""

from __future__ import annotations

from dataclasses import replace
from typing import Literal

import numpy as np
import numpy.typing as npt

from hwnas.space.space import NONE, CellKind, Choices, Space
from profilers.fit import Design

Execution = Literal["eager", "reached", "live"]
EXECUTIONS: tuple[Execution, ...] = ("eager", "reached", "live")
BENCHMARK_CELLS = 15
"""NAS-Bench-201's N = 5 in three groups: what its published latencies were measured on."""

Bools = npt.NDArray[np.bool_]
Floats = npt.NDArray[np.float64]


def designs(
    space: Space, choices: Choices, cells: int = BENCHMARK_CELLS, only: str | None = None
) -> tuple[Design, ...]:
    """The designs of many samples, ``choices``: (count, edges); one per way to execute, the plainest first.

    ``cells`` matters only for networks that fold: their last cell is all that is left of them. ``only`` names
    the one design that is wanted.
    """
    wanted = [execution for execution in EXECUTIONS if only in (None, execution)]
    return tuple(_design(space, np.atleast_2d(choices), execution, cells) for execution in wanted)


def with_operations(design: Design, operations_ms: Floats) -> Design:
    """The design with a first, trusted column: each network's sum of measured operations in ms, (count,)."""
    return replace(
        design,
        names=("operations_ms", *design.names),
        counts=np.column_stack([operations_ms, design.counts]),
        trusted=1,
    )


def folds(space: Space, choices: Choices) -> Bools:
    """Whether a network's output does not depend on its image, (count, edges) -> (count,).

    A compiler folds such a network to almost nothing, so its latency says little about its operations.
    """
    choices = np.atleast_2d(choices)
    folded = np.zeros(len(choices), dtype=bool)
    for cell in space.cells:
        present = _present(space, choices, cell)
        fed = _fed(space, present)
        folded |= ~(fed & _outputs(space)).any(axis=1)
    return folded


def executed(space: Space, choices: Choices, cell: CellKind, execution: Execution) -> tuple[Bools, Bools]:
    """Which edges and which nodes of one kind of cell run: (count, rows of the cell), (count, states)."""
    present = _present(space, choices, cell)
    if execution == "eager":
        return present, np.ones((len(choices), space.inputs + space.nodes), dtype=bool)
    needed, fed = _needed(space, present), _fed(space, present)
    edges = _edges(space)
    runs = present & needed[:, edges[:, 1]]
    if execution == "live":
        return runs & fed[:, edges[:, 0]], needed & fed
    return runs, needed


def _design(space: Space, choices: Choices, execution: Execution, cells: int) -> Design:
    names: list[str] = []
    counts: list[Floats] = []
    nodes = np.zeros(len(choices))
    detail: list[Floats] = []
    for cell in space.cells:
        rows = list(space.rows(cell))
        runs, states = executed(space, choices, cell, execution)
        strided = np.array([cell == "reduce" and space.slots[row].source < space.inputs for row in rows])
        for column, op in enumerate(space.ops(cell)):
            if op == NONE:
                continue
            drawn = runs & (choices[:, rows] == column)
            detail.append(drawn.astype(np.float64))
            for suffix, group in (("", ~strided), ("/stride2", strided)):
                if group.any():
                    names.append(f"{cell}/{op}{suffix}")
                    counts.append(drawn[:, group].sum(axis=1, dtype=np.float64))
        nodes += states[:, space.inputs :].sum(axis=1)
    # A folded network is its last cell and the classifier: a share of every count, and nothing that is
    # constant.
    share = np.ones(len(choices))
    if execution != "eager":
        share[folds(space, choices)] = 1.0 / cells
    return Design(
        name=execution,
        names=(*names, "nodes"),
        counts=np.column_stack([*counts, nodes]),
        detail=np.concatenate(detail, axis=1),
        share=share,
    )


def _edges(space: Space) -> npt.NDArray[np.int64]:
    """(rows of one cell, 2): source and node of every edge; all kinds of cell have the same edges."""
    return np.array([(space.slots[row].source, space.slots[row].node) for row in space.rows(space.cells[0])])


def _present(space: Space, choices: Choices, cell: CellKind) -> Bools:
    rows = list(space.rows(cell))
    return np.asarray(choices[:, rows] != space.ops(cell).index(NONE))


def _outputs(space: Space) -> Bools:
    """(states,): the states that a cell's output reads; NAS-Bench-201 takes the last, DARTS joins all
    nodes."""
    states = space.inputs + space.nodes
    if space.stacking == "residual_blocks":
        return np.asarray(np.arange(states) == states - 1)
    return np.asarray(np.arange(states) >= space.inputs)


def _fed(space: Space, present: Bools) -> Bools:
    """(count, states): whether a state depends on the cell's inputs at all."""
    fed = np.zeros((len(present), space.inputs + space.nodes), dtype=bool)
    fed[:, : space.inputs] = True
    for row, (source, node) in enumerate(_edges(space)):
        fed[:, node] |= present[:, row] & fed[:, source]
    return fed


def _needed(space: Space, present: Bools) -> Bools:
    """(count, states): whether the cell's output reads a state through edges that are there."""
    needed = np.tile(_outputs(space), (len(present), 1))
    for row, (source, node) in reversed(list(enumerate(_edges(space)))):
        needed[:, source] |= present[:, row] & needed[:, node]
    return needed
