"""Latency features of networks whose size is decided, too: sums of work, corrected for each size.

Where image side and widths are decisions, one operation has as many latencies as there are sizes,
and measuring all of them takes hours. What an operation does is counted instead: MACs of each kind
of convolution, values read and written, weights, calls. A column is such a sum over the layers of a
network; each stands there once for all sizes, and once more for each choice of a decision about the
size, since a runtime's efficiency depends on it. The columns are fitted to whole networks
(profilers.fit).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import lru_cache

import numpy as np
import numpy.typing as npt

from hwnas.costs.counts import Additive, additive
from hwnas.space.build import BySize, OfSamples, by_size
from hwnas.space.family import Family, family
from hwnas.space.layers import Layer
from hwnas.space.space import Choices, Space
from profilers.fit import Design
from profilers.table import NetworkSize

NAME = "sized"
"""Of the design, as a table's model names it."""
BLOCK = 16
"""Channels that a CPU's kernels take at once; a remainder costs as much as all of them."""

Floats = npt.NDArray[np.float64]
Layers = tuple[Layer, ...]


def family_of(space: Space, network: NetworkSize) -> Family:
    """The networks that a table is about."""
    return family(
        space,
        channels=network.channels,
        cells=network.cells,
        classes=network.classes,
        image=network.image,
    )


def design(of: Family, choices: Choices) -> Design:
    """The features of samples, (count, decisions)."""
    choices = np.atleast_2d(choices)
    space = of.space
    sums = np.column_stack([table.of(choices) for table in _tables(of)])
    indicators = [
        choices[:, row] == column
        for row, decision in enumerate(space.decisions)
        for column in range(len(decision.operations))
    ]
    return Design(
        name=NAME,
        names=_names(space),
        counts=_counts(space, choices, sums),
        detail=np.column_stack(indicators).astype(np.float64),
        share=np.ones(len(choices)),
    )


def shares(
    of: Family, choices: Choices, coefficients: Mapping[str, float], constant: float
) -> Floats:
    """Which part of a sample's latency each decision's block takes, (count, decisions), by a fitted
    linear model of these features.

    0 for a block that is absent, and for decisions about the size. The rest up to 1 belongs to
    what is not decided.
    """
    choices = np.atleast_2d(choices)
    names = _names(of.space)
    slopes = np.array([coefficients.get(name, 0.0) for name in names])

    def latency(sums: Floats) -> Floats:
        return np.asarray(_counts(of.space, choices, sums) @ slopes, dtype=np.float64)

    tables = _tables(of)
    whole = constant + latency(np.column_stack([table.of(choices) for table in tables]))
    rows = [
        latency(np.column_stack([_of_row(table, choices, row) for table in tables]))
        for row in range(choices.shape[1])
    ]
    return np.clip(np.column_stack(rows) / whole[:, None], 0.0, 1.0)


def _of_row(table: BySize, choices: Choices, row: int) -> Floats:
    """The work of one decision's block, (count,)."""
    return by_size(
        table.rows, table.parts, choices, lambda part, own: _additive(part)[row, own[:, row]]
    )


def _additive(part: OfSamples) -> Floats:
    assert isinstance(part, Additive)
    return part.table


def _names(space: Space) -> tuple[str, ...]:
    """The names of the columns; of the first choice about a size the common columns speak."""
    return (
        *WORK,
        *(
            f"{name}/{space.decisions[row].name}={option}"
            for row in space.size_rows
            for option in space.decisions[row].operations[1:]
            for name in WORK
        ),
    )


def _counts(space: Space, choices: Choices, sums: Floats) -> Floats:
    """Work of samples, (count, len(WORK)), once for all sizes and once more for each choice of a
    size."""
    columns = [sums]
    for row in space.size_rows:
        for column in range(1, len(space.decisions[row].operations)):
            columns.append(sums * (choices[:, [row]] == column))
    return np.concatenate(columns, axis=1)


@lru_cache(maxsize=16)
def _tables(of: Family) -> tuple[BySize, ...]:
    """One table for each kind of work, in the order of WORK."""
    shape, rows = of.space.mask.shape, of.space.size_rows
    return tuple(
        BySize(
            rows=rows, parts={key: additive(graph, shape, work) for key, graph in of.graphs.items()}
        )
        for work in WORK.values()
    )


def _macs(kind: Callable[[Layer], bool]) -> Callable[[Layers], float]:
    """Millions of MACs of some layers, executed BLOCK channels at once."""

    def work(layers: Layers) -> float:
        return sum(
            _blocked(layer) for layer in layers if layer.kind in ("conv", "linear") and kind(layer)
        )

    return work


def _blocked(layer: Layer) -> float:
    whole = -(-layer.channels_out // BLOCK) * BLOCK
    return layer.macs * whole / layer.channels_out / 1e6


def _values(layers: Layers) -> float:
    """Thousands of values that convolutions read and write."""
    return sum(
        (
            layer.channels_in * layer.size[0] * layer.size[1]
            + layer.channels_out * layer.size_out[0] * layer.size_out[1]
        )
        / 1e3
        for layer in layers
        if layer.kind == "conv"
    )


WORK: dict[str, Callable[[Layers], float]] = {
    "macs_dense": _macs(lambda layer: layer.groups == 1 and layer.kernel != (1, 1)),
    "macs_pointwise": _macs(lambda layer: layer.groups == 1 and layer.kernel == (1, 1)),
    "macs_grouped": _macs(lambda layer: layer.groups > 1),
    "values": _values,
    "weights": lambda layers: sum(layer.params for layer in layers) / 1e3,
    "calls": lambda layers: float(
        sum(layer.kind not in ("batch_norm", "relu", "relu6") for layer in layers)
    ),
}
"""What is summed over layers: name -> work of some layers."""
