"""Paths that are spread over the whole range of costs, from the smallest network to the largest.

Drawn evenly, almost all networks of many blocks are of middling cost, and shared weights learn
little for the ends of the front.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from hwnas.space.graph import Graph
from hwnas.space.space import Choices, Mask, Space

STRENGTH = 4.5
"""How much one path may lean to narrow or wide options: at most, an option of a third of the
largest one's MACs is e^3 times as likely, or as unlikely."""

Floats = npt.NDArray[np.float64]


def relative_costs(space: Space, graph: Graph) -> Floats:
    """MACs of each option as a share of its node's largest, (decisions, operations); 0 where
    nothing is computed."""
    found = np.zeros(space.mask.shape)
    for node in graph:
        if node.row is None:
            continue
        macs = [sum(layer.macs for layer in option or ()) for option in node.options]
        found[node.row, : len(macs)] = np.array(macs) / max(1, *macs)
    return found


def spread_path(space: Space, costs: Floats, mask: Mask, rng: np.random.Generator) -> Choices:
    """One path, (decisions,), which leans as a whole to narrow or to wide options.

    An option is drawn in proportion to exp(-STRENGTH t c), c of ``costs`` and t uniform in -1..1,
    one for the path. What computes nothing keeps its even share, so does every choice of size.
    """
    lean = STRENGTH * rng.uniform(-1, 1)
    choices = np.zeros(len(space.decisions), dtype=np.int64)
    for row, remains in enumerate(mask):
        weights = np.where(remains & (costs[row] > 0), np.exp(-lean * costs[row]), 0.0)
        idle = remains & (costs[row] == 0)
        share = idle.sum() / remains.sum()
        total = weights.sum()
        chances = np.where(idle, 1 / remains.sum(), weights * (1 - share) / (total or 1.0))
        choices[row] = rng.choice(len(chances), p=chances / chances.sum())
    return choices
