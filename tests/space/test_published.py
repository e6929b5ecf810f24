"""Published cells obey the rule of their space and have the edges that their authors printed."""

from __future__ import annotations

import pytest

from hwnas.space import SPACES
from hwnas.space.encoding import one_hot, to_choices
from hwnas.space.published import CELLS, PUBLISHED


@pytest.mark.parametrize("name", sorted(set(CELLS) - {"DARTS_V1"}))
def test_a_published_cell_obeys_the_rule_of_its_space(name: str) -> None:
    genotype = PUBLISHED[name]
    space, choices = SPACES[genotype.space], to_choices(genotype)
    assert (space.rule(space, one_hot(space, choices)) == choices).all()


def test_darts_v1_is_older_than_the_limit_of_two_skips() -> None:
    assert [edge.op for node in PUBLISHED["DARTS_V1"].normal for edge in node].count(
        "skip_connect"
    ) == 3


def test_darts_cells_have_two_inputs_per_node_and_tnd_cells_one_to_four() -> None:
    for genotype in CELLS.values():
        degrees = [len(node) for node in (*genotype.normal, *genotype.reduce)]
        assert set(degrees) == {2} if genotype.space == "darts" else set(degrees) <= {1, 2, 3, 4}


def test_the_tnd_cell_is_the_published_one() -> None:
    written = [
        " ".join(f"{edge.op}({edge.source})" for edge in node)
        for node in PUBLISHED["TND_CIFAR10"].normal
    ]
    assert written == [
        "sep_conv_3x3(0) conv_1x1(1)",
        "skip_connect(0) conv_3x3(1)",
        "conv_1x1(0) conv_1x1(1) sep_conv_3x3(3)",
        "conv_1x1(0) conv_3x1_1x3(1) dil_conv_3x3(3)",
    ]
    written = [
        " ".join(f"{edge.op}({edge.source})" for edge in node)
        for node in PUBLISHED["TND_CIFAR10"].reduce
    ]
    assert written == [
        "max_pool_3x3(0) max_pool_5x5(1)",
        "max_pool_5x5(0) max_pool_3x3(1) max_pool_5x5(2)",
        "max_pool_5x5(0) max_pool_3x3(1) skip_connect(2) max_pool_5x5(3)",
        "max_pool_3x3(0) skip_connect(1) avg_pool_3x3(2) max_pool_3x3(3)",
    ]
