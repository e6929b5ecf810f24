"""Spaces that tests sweep: all of cells, and chains that hold every kind of block, of gate and
of size."""

from __future__ import annotations

from hwnas.space import SPACES
from hwnas.space.build import graphs
from hwnas.space.genotype import Architecture, Genotype
from hwnas.space.graph import Graph
from hwnas.space.published import PUBLISHED
from hwnas.space.size import CellSize, Task

CELLS = tuple(sorted(name for name, space in SPACES.items() if space.slots))
CHAINS = ("mobile", "mobilenet-v3-small", "resnet")
SWEPT = (*CELLS, *CHAINS)
KNOWN_CELLS = tuple(name for name, genotype in PUBLISHED.items() if genotype.space in CELLS)
KNOWN_CHAINS = ("MOBILENET_V2", "MOBILENET_V3_SMALL_0.75", "FBNET_C", "RESNET8")
"""Of each structure one: ReLU6, gates and hard-swish, first blocks with a sum, ways round that
are convolutions."""


def depth(name: str, cells: int) -> int:
    """So many cells, or the blocks of a chain, which has no other number of them."""
    return SPACES[name].depth or cells


def sized(genotype: Genotype, channels: int, cells: int) -> Architecture:
    """A genotype of any space at a width, and at a depth where its space leaves one open."""
    return Architecture(genotype, channels=channels, cells=depth(genotype.space, cells))


def whole(
    name: str,
    channels: int = 4,
    cells: int = 3,
    classes: int = 2,
    image: tuple[int, int, int] = (3, 8, 8),
) -> Graph:
    """The supernet of a space, at the first choice of sizes."""
    size, task = (
        CellSize(channels=channels, cells=depth(name, cells)),
        Task(classes=classes, image=image),
    )
    return next(iter(graphs(SPACES[name], size, task).values()))
