"""Chains: graphs that fit together, what stands at each node, exact counts, and sizes that are
decided."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hwnas.costs.counts import count, count_table
from hwnas.space import SPACES
from hwnas.space.blocks import inverted
from hwnas.space.build import architecture_graph, graphs
from hwnas.space.chain import chain_space, image_at, options_of
from hwnas.space.encoding import sample, size_sampled, to_choices, to_genotype
from hwnas.space.family import family
from hwnas.space.genotype import Architecture
from hwnas.space.graph import IMAGE, Graph, all_layers, check, discrete, image_of, readers
from hwnas.space.macro import Head, Macro, SqueezeExciteRule, Stage, Stem, rounded, scaled
from hwnas.space.size import CellSize, Task
from hwnas.space.space import Space
from hwnas.space.text import format_text, parse
from profilers.errors import InputError

ACTIVATIONS = st.sampled_from(["relu", "relu6", "swish", "hard_swish"])
BLOCKS = (
    *inverted((3, 5), (1, 2.5)), "k3_e2_g2", "k3_e3_se", "separable_k3", "separable_k5_se", "fused_k3_e2", "plain_k3",
    "none",
)  # fmt: skip


DECIDED = Stage(width=8, depth=1, stride=2, blocks=("k3_e2", "plain_k3"))
"""So that every macro has something to decide."""


@st.composite
def stages(draw: st.DrawFn) -> Stage:
    blocks = draw(st.lists(st.sampled_from(BLOCKS), min_size=1, max_size=4, unique=True))
    if blocks == ["none"]:
        blocks = ["plain_k3", "none"]
    return Stage(
        width=draw(st.integers(1, 40)),
        depth=draw(st.integers(1, 3)),
        first=draw(st.sampled_from([(), ("plain_k3",)])) if len(blocks) > 2 else (),
        stride=draw(st.integers(1, 2)),
        blocks=tuple(blocks),
        activation=draw(ACTIVATIONS),
        squeeze_excite=SqueezeExciteRule(of=draw(st.sampled_from(["hidden", "input"])), divisor=4),
        projection=draw(st.booleans()),
        after=draw(st.sampled_from([None, "relu"])),
    )


@st.composite
def macros(draw: st.DrawFn) -> Macro:
    scales = st.sampled_from(["yes", "up", "no"])
    return Macro(
        name="drawn",
        stem=Stem(
            width=draw(st.integers(4, 24)), scales=draw(scales), activation=draw(ACTIVATIONS)
        ),
        stages=(DECIDED, *draw(st.lists(stages(), max_size=2))),
        head=Head(
            width=draw(st.sampled_from([0, 24])),
            scales=draw(scales),
            hidden=draw(st.sampled_from([0, 10])),
        ),
        divisor=draw(st.sampled_from([2, 4, 8])),
        sides=draw(st.sampled_from([(1.0,), (1.0, 0.5)])),
        multipliers=draw(st.sampled_from([(1.0,), (1.0, 0.5, 1.4)])),
    )


def chains(space: Space, image: tuple[int, int, int], seed: int) -> tuple[np.ndarray, Graph]:
    """A random sample and its graph, taken out of the supernet of its size."""
    choices = sample(space, np.random.default_rng(seed))
    size = CellSize(channels=space.published_size[0], cells=1)
    whole = graphs(space, size, Task(classes=5, image=image))
    return choices, discrete(whole[tuple(int(choices[row]) for row in space.size_rows)], choices)


@given(macros(), st.integers(0, 99), st.integers(1, 20), st.integers(1, 70))
@settings(max_examples=40, deadline=None)
def test_every_network_of_every_macro_fits_together(
    macro: Macro, seed: int, height: int, width: int
) -> None:
    space = chain_space(macro)
    choices, graph = chains(space, (2, height, width), seed)
    check(graph)
    assert all(found for name, found in readers(graph).items() if name != graph[-1].name)
    side = 1.0 if len(macro.sides) == 1 else macro.sides[choices[0]]
    assert image_of(graph) == image_at((2, height, width), side)
    params, macs = (
        sum(getattr(layer, kind) for layer in all_layers(graph)) for kind in ("params", "macs")
    )
    table = count_table(
        family(
            space, channels=space.published_size[0], cells=1, classes=5, image=(2, height, width)
        )
    )
    assert (table.params.of(choices), table.macs.of(choices)) == (params, macs)


@given(
    st.sampled_from(["mobile", "fbnet", "proxyless", "mobilenet-v3-small", "resnet"]),
    st.integers(0, 999),
)
@settings(max_examples=60, deadline=None)
def test_genotypes_are_written_and_read(name: str, seed: int) -> None:
    space = SPACES[name]
    choices = sample(space, np.random.default_rng(seed))
    genotype = to_genotype(space, choices)
    assert parse(format_text(genotype)) == genotype
    assert to_choices(genotype).tolist() == choices.tolist()


def test_the_first_block_of_a_stage_is_never_absent_and_has_the_stride() -> None:
    for name in ("mobile", "fbnet", "mobilenet-v3-large"):
        space = SPACES[name]
        size, task = CellSize(channels=16, cells=1), Task(classes=2, image=(3, 224, 224))
        graph = next(iter(graphs(space, size, task).values()))
        by_name = {node.name: node for node in graph}
        for number, stage in enumerate(space.macro.stages):
            assert "none" not in options_of(stage, 0)
            node = by_name[f"stage{number}.block0"]
            before = by_name[node.inputs[0]]
            assert before.size == tuple(stage.stride * side for side in node.size)
            assert None not in node.options


def test_a_block_may_be_absent_only_where_there_is_a_way_round_it() -> None:
    size, task = CellSize(channels=16, cells=1), Task(classes=2, image=(3, 32, 32))
    for graph in graphs(SPACES["mobile"], size, task).values():
        read = readers(graph)
        for node in graph:
            if None in node.options:
                (total,) = read[node.name]
                assert total.join == "sum" and node.inputs[0] in total.inputs


def test_an_absent_block_leaves_nothing_behind_but_the_map_before_it() -> None:
    space = SPACES["fbnet"]
    size, task = CellSize(channels=16, cells=1), Task(classes=2, image=(3, 32, 32))
    (whole,) = graphs(space, size, task).values()
    first = np.zeros(len(space.decisions), dtype=np.int64)
    absent = first.copy()
    row = [one.name for one in space.decisions].index("stage1.block2")
    absent[row] = space.decisions[row].operations.index("none")
    gone = {node.name for node in discrete(whole, first)} - {
        node.name for node in discrete(whole, absent)
    }
    assert gone == {"stage1.block2"}


def test_the_published_search_spaces_have_their_size() -> None:
    assert size_sampled(SPACES["proxyless"]) == 6**6 * 7**15
    assert size_sampled(SPACES["fbnet"]) == 8**7 * 9**15


def test_narrower_chains_and_multipliers_scale_every_width() -> None:
    space, task = SPACES["mobile"], Task(classes=2, image=(3, 32, 32))
    size = CellSize(channels=8, cells=1)
    for key, graph in graphs(space, size, task).items():
        multiplier = space.macro.multipliers[key[1]]
        by_name = {node.name: node for node in graph}
        for number, stage in enumerate(space.macro.stages):
            width = scaled(stage.width, 8 / space.macro.stem.width, multiplier, "yes", 8)
            assert by_name[f"stage{number}.block0"].channels == width
        assert by_name["head.conv"].channels == rounded(640 * 0.5 * multiplier, 8)


def test_a_smaller_side_has_the_strides_of_the_whole_image() -> None:
    """Otherwise a smaller image would have maps as large, and cost as much."""
    space, task = SPACES["mobile"], Task(classes=2, image=(3, 32, 32))
    found = graphs(space, CellSize(channels=16, cells=1), task)
    whole, half = found[0, 0], found[2, 0]
    assert (image_of(whole), image_of(half)) == ((3, 32, 32), (3, 16, 16))
    assert [node.size[0] for node in whole[1:-1]] == [2 * node.size[0] for node in half[1:-1]]
    assert (whole[0].name, half[0].name) == (IMAGE, IMAGE)


def test_another_number_of_blocks_is_refused_in_one_line() -> None:
    genotype = parse("RESNET8")
    with pytest.raises(
        InputError,
        match=r"a network of resnet has 9 blocks, .* leave cells out instead of giving 8",
    ):
        Architecture(genotype, channels=16, cells=8)
    params, _ = count(Architecture(genotype, channels=16, cells=9), 10, (3, 32, 32))
    graph = architecture_graph(
        Architecture(genotype, channels=16, cells=9), Task(classes=10, image=(3, 32, 32))
    )
    assert params == sum(layer.params for layer in all_layers(graph))
