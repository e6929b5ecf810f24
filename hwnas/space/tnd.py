"""The TND space (Lyu & Wen, arXiv 2111.03892): 10 normal and 6 reduction primitives, variable
in-degree."""

from __future__ import annotations

import numpy as np

from hwnas.space.space import NONE, SKIP, Choices, Probabilities, Space, dense_slots

NORMAL = (
    NONE,
    SKIP,
    "sep_conv_3x3",
    "sep_conv_5x5",
    "sep_conv_7x7",
    "dil_conv_3x3",
    "dil_conv_5x5",
    "conv_1x1",
    "conv_3x3",
    "conv_3x1_1x3",
)
REDUCE = (NONE, SKIP, "max_pool_3x3", "avg_pool_3x3", "max_pool_5x5", "max_pool_7x7")


def derive(space: Space, strength: Probabilities) -> Choices:
    """Every edge takes its strongest operation; ``none`` is one of them and removes the edge.

    No top-2 rule and no skip limit. A node that would lose every input keeps its strongest real
    edge, because a node of a network has 1 to 4 inputs. ``strength``: (edges, operations).
    """
    choices = np.asarray(strength.argmax(axis=1), dtype=np.int64)
    for cell in space.cells:
        none = space.ops(cell).index(NONE)
        visible = strength.copy()
        visible[:, none] = -1.0
        for node in range(space.inputs, space.inputs + space.nodes):
            rows = [row for row in space.rows(cell) if space.slots[row].node == node]
            if all(choices[row] == none for row in rows):
                kept = max(rows, key=lambda row: (float(visible[row].max()), -row))
                choices[kept] = visible[kept].argmax()
    return choices


SPACE = Space(
    name="tnd",
    inputs=2,
    nodes=4,
    slots=dense_slots("normal", 2, 4, NORMAL) + dense_slots("reduce", 2, 4, REDUCE),
    survivors={"normal": (10, 6, 3), "reduce": (6, 4, 2)},
    rule=derive,
)
