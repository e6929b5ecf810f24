"""Elastic spaces: every option is a part of the known network's block."""

from __future__ import annotations

from dataclasses import replace

import pytest

from hwnas.costs.counts import count
from hwnas.space import SPACES
from hwnas.space.build import architecture_graph
from hwnas.space.elastic import ELASTIC, PARTS, elastic, options_of_block
from hwnas.space.encoding import to_genotype
from hwnas.space.family import family
from hwnas.space.genotype import Architecture
from hwnas.space.graph import check
from hwnas.space.known import KNOWN, elastic_space
from hwnas.space.known_macros import RESNET
from hwnas.space.node import Graph
from hwnas.space.size import Task
from hwnas.space.sliced import largest_choices, whole_of
from profilers.errors import InputError
from tests.space.elastic_macros import tiny_family

IMAGE = (3, 96, 96)


def test_the_parts_of_a_block_are_narrower_and_have_smaller_kernels_the_whole_one_first() -> None:
    assert options_of_block("k5_e6") == (
        "k5_e6", "k5_e4", "k5_e3", "k5_e2", "k3_e6", "k3_e4", "k3_e3", "k3_e2",
    )  # fmt: skip
    assert options_of_block("k3_e3_se") == ("k3_e3_se", "k3_e2_se", "k3_e1.5_se", "k3_e1_se")
    assert options_of_block("separable_k3") == ("separable_k3",)
    assert len(PARTS) == 4 and max(PARTS) == PARTS[0] == 1


def test_a_block_without_parts_is_refused() -> None:
    with pytest.raises(InputError, match="a block plain_k3 has no parts"):
        elastic("resnet", RESNET, "3 plain_k3 | 3 plain_k3 | 3 plain_k3")


@pytest.mark.parametrize("name", ELASTIC)
def test_the_largest_network_of_an_elastic_space_is_the_known_one(name: str) -> None:
    space = SPACES[ELASTIC[name].name]
    channels, cells = space.published_size
    of = family(space, channels=channels, cells=cells, classes=1000, image=IMAGE)
    largest = to_genotype(space, largest_choices(space, of.graphs))
    task = Task(classes=1000, image=IMAGE)
    graphs = []
    for one in (largest, KNOWN[name]):
        width, depth = SPACES[one.space].published_size
        graphs.append(architecture_graph(Architecture(one, channels=width, cells=depth), task))
    layers = [[(node.name, node.layers) for node in graph if node.layers] for graph in graphs]
    assert layers[0] == layers[1]
    assert elastic_space(KNOWN[name]) is space


def test_of_a_network_that_no_space_is_made_of_there_is_none() -> None:
    assert elastic_space(KNOWN["MOBILENET_V2_0.5"]) is None


def test_a_stage_never_loses_the_block_that_changes_the_map() -> None:
    for macro in ELASTIC.values():
        for decision in SPACES[macro.name].decisions:
            first = decision.name.endswith("block0")
            assert ("none" in decision.operations) == (not first and not decision.of_size)


def test_nothing_is_shrunk_where_options_share_weights() -> None:
    for decision in SPACES["efficientnet-lite0-elastic"].decisions:
        assert decision.remaining == (len(decision.operations),)


def test_an_option_that_is_no_part_of_the_largest_is_refused() -> None:
    graph = tiny_family().graphs[(0,)]
    number, node = next(
        (number, node) for number, node in enumerate(graph) if node.weights == "sliced"
    )
    whole = whole_of(node)
    for changed in (
        replace(whole[0], bias=True),
        replace(whole[0], padding="centred"),
    ):
        options = (whole, (changed, *whole[1:]))
        with pytest.raises(InputError, match="must be parts of the largest one"):
            whole_of(replace(node, options=options))
    swapped = (whole, (*whole[:2], replace(whole[2], kind="relu"), *whole[3:]))
    broken: Graph = (
        *graph[:number],
        replace(node, options=swapped[: len(node.options)]),
        *graph[number + 1 :],
    )
    with pytest.raises(InputError, match="must be parts"):
        check(broken)


def test_narrower_networks_have_fewer_parameters_and_macs() -> None:
    space = SPACES["efficientnet-lite0-elastic"]
    of = family(space, channels=32, cells=16, classes=5, image=IMAGE)
    largest = largest_choices(space, of.graphs)
    before = None
    for part in range(len(PARTS)):
        choices = largest.copy()
        choices[[row for row in range(len(choices)) if row not in space.size_rows]] = part
        counts = count(Architecture(to_genotype(space, choices), channels=32, cells=16), 5, IMAGE)
        assert before is None or (counts[0] < before[0] and counts[1] < before[1])
        before = counts
