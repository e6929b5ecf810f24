"""How large a network is, and what it is for: the two values beside a genotype that make a
graph."""

from __future__ import annotations

from dataclasses import dataclass

from hwnas.space.layers import Stem
from hwnas.space.task import Task as Task


@dataclass(frozen=True, kw_only=True, slots=True)
class CellSize:
    """How large a network is: initial channels, searched cells, and the stem before them.

    A space that is not made of cells takes of it what it needs.
    """

    channels: int
    cells: int
    stem: Stem = "cifar"
