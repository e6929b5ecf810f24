"""Hypothesis strategies of valid domain objects."""

from __future__ import annotations

import numpy as np
from hypothesis import strategies as st

from hwnas.space import SPACES, Choices, Space
from hwnas.space.encoding import to_genotype
from hwnas.space.genotype import Genotype
from tests.space.swept import SWEPT

names = st.sampled_from(SWEPT)


def choices(space: Space) -> st.SearchStrategy[Choices]:
    """One operation per edge, ``none`` included."""
    drawn = st.tuples(*(st.integers(0, len(one.operations) - 1) for one in space.decisions))
    return drawn.map(lambda row: np.array(row, dtype=np.int64))


def genotypes(name: str) -> st.SearchStrategy[Genotype]:
    """Any genotype of one space."""
    return choices(SPACES[name]).map(lambda drawn: to_genotype(SPACES[name], drawn))


any_genotype = names.flatmap(genotypes)
