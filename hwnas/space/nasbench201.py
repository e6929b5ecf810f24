"""The NAS-Bench-201 space (Dong & Yang, arXiv 2001.00326): 5 operations on 6 edges, 15,625
cells."""

from __future__ import annotations

import numpy as np

from hwnas.space.space import NONE, SKIP, Choices, Probabilities, Space, dense_slots

PRIMITIVES = (NONE, SKIP, "nor_conv_1x1", "nor_conv_3x3", "avg_pool_3x3")


def derive(space: Space, strength: Probabilities) -> Choices:
    """The strongest operation of every edge, ``none`` included.

    ``strength``: (edges, operations).
    """
    return np.asarray(strength.argmax(axis=1), dtype=np.int64)


SPACE = Space(
    name="nasbench201",
    inputs=1,
    nodes=3,
    slots=dense_slots("normal", 1, 3, PRIMITIVES),
    survivors={"normal": (5,)},
    rule=derive,
    stacking="residual_blocks",
    none_is_written=True,
    published_size=(16, 15),
)
