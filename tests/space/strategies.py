"""Hypothesis strategies of valid domain objects."""

from __future__ import annotations

import numpy as np
from hypothesis import strategies as st

from hwnas.space import SPACES, Choices, Space
from hwnas.space.encoding import to_genotype
from hwnas.space.genotype import Genotype
from hwnas.space.layers import Layer
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


@st.composite
def sliding_layers(draw: st.DrawFn) -> Layer:
    """Convolutions and pools of any geometry, also such as can't be built as they are counted."""
    kind = draw(st.sampled_from(["conv", "max_pool", "avg_pool"]))
    channels, side = draw(st.integers(1, 6)), st.integers(1, 9)
    pair, size = st.tuples(st.integers(1, 5), st.integers(1, 5)), draw(st.tuples(side, side))
    stride = draw(st.tuples(st.integers(1, 3), st.integers(1, 3)))
    if kind != "conv":
        window = draw(pair)
        stride = draw(st.sampled_from([stride, window]))
        return Layer(kind, channels, channels, size, kernel=window, stride=stride)  # type: ignore[arg-type]
    groups = draw(st.sampled_from([1, 2, 3, channels]))
    out, dilation, bias = draw(st.integers(1, 6)), draw(st.integers(1, 3)), draw(st.booleans())
    return Layer(
        "conv",
        channels,
        out,
        size,
        kernel=draw(pair),
        stride=stride,
        dilation=dilation,
        groups=groups,
        bias=bias,
        padding=draw(st.sampled_from(["centred", "same"])),
    )
