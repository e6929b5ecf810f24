"""A genotype is valid and in canonical order, or it does not exist."""

from __future__ import annotations

import subprocess
import sys

import pytest
from hypothesis import given, settings

from hwnas.space.genotype import Architecture, Edge, Genotype, arch_string, check_cells
from hwnas.space.published import PUBLISHED
from hwnas.space.space import SPACES
from hwnas.space.text import from_dict
from profilers.errors import InputError
from tests.space.strategies import any_genotype

NODE = (Edge("skip_connect", 0), Edge("skip_connect", 1))
CELL = (NODE, NODE, NODE, NODE)


def with_first_node(*edges: Edge, space: str = "darts") -> Genotype:
    return Genotype(space, (edges, NODE, NODE, NODE), CELL)


def test_edges_are_sorted_by_source_so_that_equal_cells_are_equal() -> None:
    assert with_first_node(NODE[1], NODE[0]) == with_first_node(*NODE)
    assert with_first_node(NODE[1], NODE[0]).key == with_first_node(*NODE).key


def test_the_key_is_ten_hexadecimal_digits_and_tells_operations_apart() -> None:
    keys = {genotype.key for genotype in PUBLISHED.values()}
    assert len(keys) == len(PUBLISHED)
    assert all(len(key) == 10 and int(key, 16) >= 0 for key in keys)


def test_the_key_does_not_depend_on_the_hash_seed() -> None:
    code = "from hwnas.space.published import PUBLISHED; print(PUBLISHED['PDARTS'].key)"
    out = [
        subprocess.run(
            [sys.executable, "-c", code],
            env={"PYTHONHASHSEED": seed, "PYTHONPATH": ":".join(sys.path)},
            capture_output=True,
            text=True,
            check=True,
        ).stdout
        for seed in ("1", "2")
    ]
    assert out[0] == out[1] == PUBLISHED["PDARTS"].key + "\n"


@given(any_genotype)
@settings(max_examples=60, deadline=None)
def test_the_json_form_reads_back_as_the_same_genotype(genotype: Genotype) -> None:
    assert from_dict(genotype.to_dict()) == genotype


@pytest.mark.parametrize(
    ("edges", "says"),
    [
        ((Edge("sep_conv_3x4", 0),), "did you mean 'sep_conv_3x3'"),
        ((Edge("conv_1x1", 0),), "unknown operation"),
        ((Edge("none", 0),), "leave an edge out"),
        ((Edge("skip_connect", 2),), r"source 2 must be within 0\.\.1"),
        ((Edge("skip_connect", -1),), "source -1"),
        ((Edge("skip_connect", 0), Edge("sep_conv_3x3", 0)), "two edges come from one source"),
    ],
)
def test_an_invalid_edge_is_refused_with_its_place(edges: tuple[Edge, ...], says: str) -> None:
    with pytest.raises(InputError, match=says) as caught:
        with_first_node(*edges)
    assert "normal node 2" in str(caught.value)


def test_a_node_without_inputs_is_allowed() -> None:
    assert with_first_node().normal[0] == ()


def test_the_number_of_nodes_is_checked_per_kind_of_cell() -> None:
    with pytest.raises(InputError, match="reduce cell needs 4 nodes, not 0"):
        Genotype("darts", CELL)
    with pytest.raises(InputError, match="reduce cell needs 0 nodes, not 4"):
        Genotype("nasbench201", _benchmark(), CELL)


def _benchmark(op: str = "none") -> tuple[tuple[Edge, ...], ...]:
    return tuple(tuple(Edge(op, source) for source in range(node)) for node in (1, 2, 3))


def test_nasbench201_writes_every_edge() -> None:
    genotype = Genotype("nasbench201", _benchmark("nor_conv_3x3"))
    assert arch_string(genotype).count("nor_conv_3x3") == 6
    with pytest.raises(InputError, match="every edge must be written"):
        Genotype("nasbench201", (*_benchmark()[:2], (Edge("none", 0), Edge("none", 2))))


def test_an_unknown_space_names_the_nearest() -> None:
    with pytest.raises(InputError, match="did you mean 'darts'"):
        Genotype("dart", CELL, CELL)


@pytest.mark.parametrize(("channels", "cells"), [(0, 8), (5000, 8), (16, 0), (16, 1001)])
def test_widths_and_depths_are_bounded(channels: int, cells: int) -> None:
    with pytest.raises(InputError, match="must be within"):
        Architecture(PUBLISHED["DARTS_V1"], channels=channels, cells=cells)


def test_nasbench201_depths_are_multiples_of_three() -> None:
    check_cells(SPACES["nasbench201"], 15)
    with pytest.raises(InputError, match="multiple of 3, not 5"):
        Architecture(Genotype("nasbench201", _benchmark()), channels=16, cells=5)
