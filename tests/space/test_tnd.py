"""The derivation rule of the TND space: `none` is an operation like any other, but a node keeps
an input."""

from __future__ import annotations

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from hwnas.space.encoding import to_genotype
from hwnas.space.tnd import NORMAL, REDUCE, SPACE, derive


def test_normal_and_reduction_cells_have_primitives_of_their_own() -> None:
    assert (len(NORMAL), len(REDUCE)) == (10, 6)
    assert SPACE.mask.shape == (28, 10)
    assert SPACE.mask[:14].all()
    assert SPACE.mask[14:].sum() == 14 * 6
    assert SPACE.survivors == {"normal": (10, 6, 3), "reduce": (6, 4, 2)}


@given(st.integers(0, 2**32 - 1))
@settings(max_examples=40, deadline=None)
def test_every_edge_whose_strongest_is_not_none_stays(seed: int) -> None:
    strength = np.where(SPACE.mask, np.random.default_rng(seed).random(SPACE.mask.shape), 0.0)
    strength[:, 0] *= 0.9  # with ten candidates no node loses all its edges to none
    choices, plain = derive(SPACE, strength), strength.argmax(axis=1)
    for cell in SPACE.cells:
        for node in range(2, 6):
            rows = [row for row in SPACE.rows(cell) if SPACE.slots[row].node == node]
            if any(plain[row] for row in rows):
                assert (choices[rows] == plain[rows]).all()


def test_a_node_may_keep_every_input_and_any_number_of_skips() -> None:
    strength = np.where(SPACE.mask, 0.01, 0.0)
    strength[:, 1] = 0.9
    genotype = to_genotype(SPACE, derive(SPACE, strength))
    assert [len(node) for node in genotype.normal] == [2, 3, 4, 5]
    assert {edge.op for node in genotype.normal for edge in node} == {"skip_connect"}


def test_a_node_that_would_lose_every_input_keeps_its_strongest_real_edge() -> None:
    strength = np.where(SPACE.mask, 0.01, 0.0)
    strength[:, 0] = 0.9
    strength[3, 4] = 0.5
    genotype = to_genotype(SPACE, derive(SPACE, strength))
    assert [(edge.op, edge.source) for edge in genotype.normal[1]] == [("sep_conv_7x7", 1)]
    assert [len(node) for node in (*genotype.normal, *genotype.reduce)] == [1] * 8


def test_a_reduction_edge_never_takes_an_operation_of_the_normal_cell() -> None:
    strength = np.where(SPACE.mask, 0.0, 0.0)
    strength[:, 0] = 1.0
    choices = derive(SPACE, strength)
    assert choices[14:].max() < len(REDUCE)
