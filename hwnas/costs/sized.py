"""Latency features of networks whose size is decided, too: sums of work, corrected for each size.

Where image side and widths are decisions, one operation has as many latencies as there are sizes,
and measuring all of them takes hours. What an operation does is counted instead: MACs of each kind
of convolution, values read and written, weights, calls. A column is such a sum over the layers of a
network; each stands there once for all sizes, and once more for each choice of a decision about the
size, since a runtime's efficiency depends on it. The columns are fitted to whole networks
(profilers.fit).
"""

from __future__ import annotations

from collections.abc import Callable
from functools import lru_cache

import numpy as np
import numpy.typing as npt

from hwnas.costs.counts import additive
from hwnas.space.build import BySize
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
    names, columns = list(WORK), [sums]
    for row in space.size_rows:
        decision = space.decisions[row]
        # Of the first choice the common columns speak.
        for column, option in enumerate(decision.operations[1:], start=1):
            names += [f"{name}/{decision.name}={option}" for name in WORK]
            columns.append(sums * (choices[:, [row]] == column))
    indicators = [
        choices[:, row] == column
        for row, decision in enumerate(space.decisions)
        for column in range(len(decision.operations))
    ]
    return Design(
        name=NAME,
        names=tuple(names),
        counts=np.concatenate(columns, axis=1),
        detail=np.column_stack(indicators).astype(np.float64),
        share=np.ones(len(choices)),
    )


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
