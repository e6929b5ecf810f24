"""A known network, narrowed by hand: every block equally, as somebody would who does not search."""

from __future__ import annotations

from fractions import Fraction

import numpy as np

from hwnas.space.blocks import block_of
from hwnas.space.encoding import to_genotype
from hwnas.space.genotype import Genotype
from hwnas.space.space import NONE, Decision, Space

SHARES = (Fraction(1), Fraction(2, 3), Fraction(1, 2), Fraction(1, 3))
"""How wide the blocks of a network are inside, of those that trained weights have."""


def uniformly_narrow(space: Space, share: Fraction) -> Genotype:
    """The network of an elastic space whose every block has the whole kernel and is as near to
    ``share`` of its whole width as the space offers; the whole side."""
    choices = [_choice(decision, float(share)) for decision in space.decisions]
    return to_genotype(space, np.array(choices, dtype=np.int64))


def _choice(decision: Decision, share: float) -> int:
    whole = decision.operations[0]
    if decision.of_size or whole == NONE:
        return 0
    first = block_of(whole)
    away = {
        number: abs(block.expansion - share * first.expansion)
        for number, name in enumerate(decision.operations)
        if name != NONE and (block := block_of(name)).kernel == first.kernel
    }
    return min(away, key=lambda number: (away[number], number))
