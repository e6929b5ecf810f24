"""What can be built: search spaces, genotypes and their counts, as pure values (no torch)."""

from hwnas.space import darts, elastic, known_macros, mobile, nasbench201, tnd
from hwnas.space.chain import chain_space
from hwnas.space.space import SPACES, Choices, Mask, Probabilities, Slot, Space

for _space in (darts.SPACE, tnd.SPACE, nasbench201.SPACE):
    SPACES[_space.name] = _space
for _macro in (*mobile.SEARCHED, *known_macros.KNOWN_MACROS, *elastic.ELASTIC.values()):
    SPACES[_macro.name] = chain_space(_macro)

SHIPPED = frozenset(SPACES)
"""The names of the spaces that come with hwnas."""

__all__ = ["SHIPPED", "SPACES", "Choices", "Mask", "Probabilities", "Slot", "Space"]
