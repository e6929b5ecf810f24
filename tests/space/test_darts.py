"""The derivation rule of the DARTS space, against hand-made strengths and brute force."""

from __future__ import annotations

from itertools import combinations

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from hwnas.space.darts import PRIMITIVES, SPACE, derive
from hwnas.space.encoding import to_genotype

NONE, SKIP, SEP = (PRIMITIVES.index(op) for op in ("none", "skip_connect", "sep_conv_3x3"))


def test_it_has_fourteen_edges_per_cell_ordered_by_node_then_source() -> None:
    edges = [(slot.node, slot.source) for slot in SPACE.slots if slot.cell == "normal"]
    assert edges == [(node, source) for node in range(2, 6) for source in range(node)]
    assert len(edges) == 14
    assert len(SPACE.slots) == 28


def test_each_node_keeps_its_two_strongest_edges_and_none_never_counts() -> None:
    strength = np.full((28, 8), 0.01)
    strength[:, NONE] = 0.9
    strength[[2, 4], SEP] = 0.5, 0.4
    genotype = to_genotype(SPACE, derive(SPACE, strength))
    assert [(edge.op, edge.source) for edge in genotype.normal[1]] == [
        ("sep_conv_3x3", 0),
        ("sep_conv_3x3", 2),
    ]
    assert all(len(node) == 2 for node in (*genotype.normal, *genotype.reduce))


@given(st.integers(0, 2**32 - 1))
@settings(max_examples=40, deadline=None)
def test_without_skips_it_equals_a_search_over_all_pairs(seed: int) -> None:
    strength = np.random.default_rng(seed).random((28, 8))
    strength[:, SKIP] = 0.0
    choices = derive(SPACE, strength)
    for cell in SPACE.cells:
        for node in range(2, 6):
            rows = [row for row in SPACE.rows(cell) if SPACE.slots[row].node == node]
            best = max(
                combinations(rows, 2), key=lambda pair: sum(strength[row, 1:].max() for row in pair)
            )
            assert [row for row in rows if choices[row] != NONE] == sorted(best)
            assert all(choices[row] == strength[row, 1:].argmax() + 1 for row in best)


def test_the_normal_cell_keeps_its_two_strongest_skips_and_the_reduction_cell_all() -> None:
    strength = np.full((28, 8), 0.01)
    strength[:, SKIP] = 0.5 + np.arange(28) / 100
    strength[:, SEP] = 0.3
    genotype = to_genotype(SPACE, derive(SPACE, strength))
    ops = [edge.op for node in genotype.normal for edge in node]
    assert ops.count("skip_connect") == 2
    assert ops.count("sep_conv_3x3") == 6
    # Strength grows with the edge's number, so the last node's skips are the strongest.
    assert [edge.op for edge in genotype.normal[3]] == ["skip_connect"] * 2
    assert all(edge.op == "skip_connect" for node in genotype.reduce for edge in node)


def test_dropping_a_skip_may_let_another_edge_in() -> None:
    strength = np.full((28, 8), 0.01)
    strength[:, SKIP] = 0.5
    strength[:14, SKIP] = 0.5 + np.arange(14) / 1000
    strength[2:5, SEP] = 0.0, 0.2, 0.3
    genotype = to_genotype(SPACE, derive(SPACE, strength))
    # Node 3 held skips from 1 and 2, its strongest; without them its best are sep_conv from 1 and
    # 2.
    assert [(edge.op, edge.source) for edge in genotype.normal[1]] == [
        ("sep_conv_3x3", 1),
        ("sep_conv_3x3", 2),
    ]


def test_strengths_are_left_as_they_were() -> None:
    strength = np.full((28, 8), 0.5)
    derive(SPACE, strength)
    assert (strength == 0.5).all()


def test_eight_candidates_become_five_and_three() -> None:
    assert SPACE.survivors == {"normal": (8, 5, 3), "reduce": (8, 5, 3)}
