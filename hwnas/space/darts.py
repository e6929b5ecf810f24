"""The DARTS space (Liu et al., arXiv 1806.09055): 8 primitives, 4 nodes, a normal and a
reduction cell."""

from __future__ import annotations

import numpy as np

from hwnas.space.space import NONE, SKIP, Choices, Probabilities, Space, dense_slots

PRIMITIVES = (
    NONE,
    "max_pool_3x3",
    "avg_pool_3x3",
    SKIP,
    "sep_conv_3x3",
    "sep_conv_5x5",
    "dil_conv_3x3",
    "dil_conv_5x5",
)
MAX_SKIPS = 2
"""P-DARTS (arXiv 1904.12760): at most two skip_connect in a derived normal cell."""


def derive(space: Space, strength: Probabilities) -> Choices:
    """Per node the two incoming edges of largest max_{o != none} strength, each with its strongest
    operation.

    ``strength``: (edges, operations), softmax(alpha) or any non-negative weight. While the normal
    cell holds more than two skip_connect, the weakest loses its strength and the cell is derived
    again (P-DARTS).
    """
    strength = strength.copy()
    skip, normal = PRIMITIVES.index(SKIP), set(space.rows("normal"))
    while True:
        choices = _strongest_two_per_node(space, strength)
        skips = [row for row in normal if choices[row] == skip]
        if len(skips) <= MAX_SKIPS:
            return choices
        strength[min(skips, key=lambda row: (strength[row, skip], row)), skip] = 0.0


def _strongest_two_per_node(space: Space, strength: Probabilities) -> Choices:
    none = PRIMITIVES.index(NONE)
    visible = strength.copy()
    visible[:, none] = -1.0
    best_op, best = visible.argmax(axis=1), visible.max(axis=1)
    choices = np.full(len(space.slots), none, dtype=np.int64)
    for cell in space.cells:
        for node in range(space.inputs, space.inputs + space.nodes):
            rows = [row for row in space.rows(cell) if space.slots[row].node == node]
            for row in sorted(rows, key=lambda r: (-best[r], r))[:2]:
                choices[row] = best_op[row]
    return choices


SPACE = Space(
    name="darts",
    inputs=2,
    nodes=4,
    slots=dense_slots("normal", 2, 4, PRIMITIVES) + dense_slots("reduce", 2, 4, PRIMITIVES),
    survivors={"normal": (8, 5, 3), "reduce": (8, 5, 3)},
    rule=derive,
    in_degree=2,
)
