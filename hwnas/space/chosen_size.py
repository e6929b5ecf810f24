"""What a network chose about its own size: its image side and width, where its space lets it."""

from __future__ import annotations

from hwnas.space.encoding import to_choices
from hwnas.space.genotype import Genotype
from hwnas.space.space import SPACES, Space


def chosen_size(genotype: Genotype) -> dict[str, str]:
    """What the decisions about the size chose, by name: {"side": "0.5", "width": "0.35"}."""
    space, chosen = SPACES[genotype.space], to_choices(genotype)
    return {
        space.decisions[row].name: space.decisions[row].operations[int(chosen[row])]
        for row in space.size_rows
    }


def size_names(space: Space) -> str:
    """What a column of sizes holds: ``side, width``; empty where nothing is decided about it."""
    return ", ".join(space.decisions[row].name for row in space.size_rows)


def size_text(genotype: Genotype) -> str:
    """A size as a table says it, in the order of `size_names`: ``0.5, 0.35``."""
    return ", ".join(chosen_size(genotype).values())
