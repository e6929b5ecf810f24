"""Parameters and MACs of any genotype by table: additive over (cell position, edge, operation).

Built once per space, width, depth and image size; then a count is a table sum, equal to counting the built
network, and the expectation under alpha is a dot product.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from hwnas.space.encoding import to_choices
from hwnas.space.genotype import Architecture
from hwnas.space.layers import PRIMITIVES, Skeleton, Stem, skeleton
from hwnas.space.space import SPACES, Choices, Probabilities, Space

Table = npt.NDArray[np.float64]


@dataclass(frozen=True)
class Additive:
    """A cost that adds up: the skeleton's ``constant`` and one entry of ``table`` per edge."""

    constant: float
    table: Table
    """(edges, operations)"""

    def of(self, choices: Choices) -> Table:
        """The cost of one sample (edges,) or of many (count, edges): a scalar array or shape (count,)."""
        edges = np.arange(self.table.shape[0])
        return np.asarray(self.constant + self.table[edges, choices].sum(axis=-1))

    def expected(self, probabilities: Probabilities) -> float:
        """The mean cost of samples drawn from ``probabilities`` (edges, operations)."""
        return float(self.constant + (self.table * probabilities).sum())


@dataclass(frozen=True)
class Counts:
    """Trainable parameters and multiply-accumulates per image. FLOPs are 2 x MACs."""

    params: Additive
    macs: Additive


def count_table(
    space: Space,
    channels: int,
    cells: int,
    classes: int,
    image: tuple[int, int, int],
    stem: Stem = "cifar",
) -> Counts:
    """The tables of the discrete network, no auxiliary head. ``image``: (channels, height, width)."""
    frame = skeleton(space, channels, cells, classes, image, stem)
    params, macs = _edge_tables(space, frame)
    return Counts(
        Additive(float(sum(layer.params for layer in frame.fixed)), params),
        Additive(float(sum(layer.macs for layer in frame.fixed)), macs),
    )


def _edge_tables(space: Space, frame: Skeleton) -> tuple[Table, Table]:
    params = np.zeros((len(space.slots), space.width))
    macs = np.zeros_like(params)
    for site in frame.cells:
        for row in space.rows(site.kind):
            slot = space.slots[row]
            stride, size = site.edge(slot.source, space.inputs)
            for column, op in enumerate(slot.ops):
                for layer in PRIMITIVES[op](site.channels, stride, size):
                    params[row, column] += layer.params
                    macs[row, column] += layer.macs
    return params, macs


def count(
    architecture: Architecture, classes: int, image: tuple[int, int, int], stem: Stem = "cifar"
) -> tuple[int, int]:
    """(parameters, MACs per image) of one architecture. For many of one width build ``count_table`` once."""
    genotype = architecture.genotype
    table = count_table(
        SPACES[genotype.space], architecture.channels, architecture.cells, classes, image, stem
    )
    choices = to_choices(genotype)
    return round(float(table.params.of(choices))), round(float(table.macs.of(choices)))
