"""All networks of one space at one size for one task: the value that counts, tables and
supernets are made of."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

from hwnas.space.build import Key, graphs
from hwnas.space.graph import Graph
from hwnas.space.layers import Stem
from hwnas.space.size import CellSize, Task
from hwnas.space.space import Space


@dataclass(frozen=True, kw_only=True)
class Family:
    """A space, how large its networks are, and what they are for."""

    space: Space
    size: CellSize
    task: Task

    @cached_property
    def graphs(self) -> dict[Key, Graph]:
        """The supernet's graph for each way in which the decisions about the size can fall; built
        once.

        Raises InputError where a space's own function gives nodes that do not fit together.
        """
        return graphs(self.space, self.size, self.task)


def family(
    space: Space,
    *,
    channels: int,
    cells: int,
    classes: int,
    image: tuple[int, int, int],
    stem: Stem = "cifar",
) -> Family:
    """The family in numbers: initial channels, searched cells, classes, and images of (channels,
    height, width)."""
    return Family(
        space=space,
        size=CellSize(channels=channels, cells=cells, stem=stem),
        task=Task(classes=classes, image=image),
    )
