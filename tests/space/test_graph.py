"""Graphs: what fits together, what a sample leaves of one, and which nodes run."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from hwnas.space import SPACES
from hwnas.space.encoding import sample
from hwnas.space.graph import IMAGE, Builder, Graph, all_layers, check, discrete, readers, terms
from hwnas.space.layers import Layer, relu_conv_bn
from hwnas.space.wiring import wiring
from profilers.errors import InputError
from tests.space.swept import SWEPT, whole

every_space = pytest.mark.parametrize("name", SWEPT)


def classified(build: Builder, last: str) -> Graph:
    width, size = build.shape(last)
    build.layers(
        "head.it",
        last,
        (Layer("global_pool", width, width, size), Layer("linear", width, 2, (1, 1))),
    )
    return build.graph()


def chain() -> Graph:
    """Two blocks with a way round each: a convolution of 3 or 1 pixels, or nothing."""
    build = Builder((4, 8, 8))
    last = IMAGE
    for number in range(2):
        options = (relu_conv_bn(4, 4, (8, 8), 3), relu_conv_bn(4, 4, (8, 8), 1), None)
        block = build.open(f"block{number}.body", last, options, number)
        last = build.sum(f"block{number}.out", [last, block])
    return classified(build, last)


def test_a_sample_keeps_one_option_of_each_node_and_drops_what_is_absent() -> None:
    graph = discrete(chain(), [1, 2])
    assert [node.name for node in graph] == [
        IMAGE,
        "block0.body",
        "block0.out",
        "block1.out",
        "head.it",
    ]
    by_name = {node.name: node for node in graph}
    assert by_name["block0.body"].options == (relu_conv_bn(4, 4, (8, 8), 1),)
    assert by_name["block0.body"].row == 0
    assert by_name["block1.out"].inputs == ("block0.out",)


@every_space
def test_a_sample_is_a_graph_whose_every_node_is_read(name: str) -> None:
    space, rng = SPACES[name], np.random.default_rng(0)
    graph_of_all = whole(name)
    for _ in range(20):
        graph = discrete(graph_of_all, sample(space, rng))
        check(graph)
        assert all(found for node, found in readers(graph).items() if node != graph[-1].name)
        assert all(len(node.options) <= 1 for node in graph)


@every_space
def test_what_runs_is_what_a_discrete_graph_holds(name: str) -> None:
    """Two ways to the same: whole arrays over all nodes, and one graph taken apart."""
    space, rng = SPACES[name], np.random.default_rng(1)
    graph_of_all = whole(name)
    drawn = np.stack([sample(space, rng) for _ in range(30)])
    _, needed, _ = wiring(graph_of_all, space.width).executed(drawn)
    for one, runs in zip(drawn, needed, strict=True):
        held = {node.name for node in discrete(graph_of_all, one)} - {IMAGE}
        assert held == {node.name for node, on in zip(graph_of_all, runs, strict=True) if on} - {
            IMAGE
        }


def test_terms_are_read_by_one_sum_alone() -> None:
    assert terms(chain()) == {"block0.body", "block1.body"}
    build = Builder((4, 8, 8))
    first = build.layers("a.one", IMAGE, relu_conv_bn(4, 4, (8, 8)))
    second = build.layers("a.two", first, relu_conv_bn(4, 4, (8, 8)))
    graph = classified(build, build.sum("a.sum", [first, second]))
    assert terms(graph) == {"a.two"}


def test_all_layers_are_those_of_the_nodes_in_order() -> None:
    graph = discrete(chain(), [0, 2])
    assert [layer.kind for layer in all_layers(graph)] == [
        "relu", "conv", "batch_norm", "global_pool", "linear",
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"name": "block0"}, "GROUP.PART"),
        ({"name": "block0.2"}, "identifiers"),
        ({"inputs": ("later.one",)}, "does not come before it"),
        ({"channels": 5}, "maps of different shapes"),
        ({"options": (relu_conv_bn(3, 4, (8, 8)),)}, "for 3 channels"),
        (
            {"options": (relu_conv_bn(4, 4, (4, 4)),)},
            "of \\(4, 4\\) pixels stands on 4 channels of \\(8, 8\\)",
        ),
    ],
)
def test_nodes_that_do_not_fit_together_are_refused(change: dict[str, object], words: str) -> None:
    graph = chain()
    with pytest.raises(InputError, match=words):
        check((graph[0], replace(graph[1], **change), *graph[2:]))  # type: ignore[arg-type]


def test_a_name_stands_once() -> None:
    graph = chain()
    with pytest.raises(InputError, match="stand once"):
        check((*graph[:2], graph[1], *graph[2:]))


def test_sums_and_concatenations_want_maps_of_one_shape() -> None:
    build = Builder((4, 8, 8))
    small = build.layers("a.small", IMAGE, relu_conv_bn(4, 4, (8, 8), 3, 2))
    build.sum("a.sum", [small, IMAGE])
    with pytest.raises(InputError, match=r"a\.sum: its inputs are not of one shape"):
        classified(build, "a.sum")
    build = Builder((4, 8, 8))
    small = build.layers("a.small", IMAGE, relu_conv_bn(4, 4, (8, 8), 3, 2))
    build.concat("a.both", [small, IMAGE])
    with pytest.raises(InputError, match=r"a\.both: its inputs are not of one size"):
        classified(build, "a.both")


def test_only_a_sum_can_do_without_an_input() -> None:
    build = Builder((4, 8, 8))
    maybe = build.open("a.maybe", IMAGE, (None, relu_conv_bn(4, 4, (8, 8))), 0)
    with pytest.raises(
        InputError, match=r"a\.maybe may be absent, but head\.it that reads it is no sum"
    ):
        classified(build, maybe)


@pytest.mark.parametrize(
    ("body", "head", "words"),
    [
        (("global_pool",), ("linear",), ""),
        ((), ("global_pool", "hard_swish", "linear", "relu", "linear"), ""),
        (
            (),
            ("linear",),
            "head.it: a linear takes one vector for an image; put a global_pool before it",
        ),
        (
            ("global_pool",),
            ("conv", "linear"),
            "head.it: a conv needs a map, and a global_pool before it",
        ),
        (("global_pool", "squeeze_excite"), ("linear",), "body.it: a squeeze_excite needs a map"),
        (("global_pool", "batch_norm"), ("linear",), "body.it: a batch_norm needs a map"),
    ],
)
def test_a_global_pool_stands_before_linear_layers_and_nothing_else(
    body: tuple[str, ...], head: tuple[str, ...], words: str
) -> None:
    build = Builder((3, 1, 1))  # one pixel: no size tells a map from a vector

    def row(kinds: tuple[str, ...]) -> list[Layer]:
        return [Layer(kind, 3, 3, (1, 1), hidden=2) for kind in kinds]  # type: ignore[arg-type]

    last = build.layers("body.it", IMAGE, row(body))
    build.layers("head.it", build.sum("body.sum", [last]), row(head))
    if not words:
        build.graph()
        return
    with pytest.raises(InputError, match=words):
        build.graph()


def test_maps_and_vectors_are_not_mixed() -> None:
    build = Builder((3, 1, 1))
    pool, act = Layer("global_pool", 3, 3, (1, 1)), Layer("swish", 3, 3, (1, 1))
    last = build.open("body.it", IMAGE, [(pool,), (act,)], 0)
    build.layers("head.it", last, (Layer("linear", 3, 2, (1, 1)),))
    with pytest.raises(
        InputError, match=r"body\.it: a global_pool stands before some of its maps and not"
    ):
        build.graph()


def test_a_layer_that_is_not_built_as_counted_is_refused_by_its_node() -> None:
    build = Builder((3, 4, 4))
    last = build.layers("body.it", IMAGE, (Layer("conv", 3, 3, (4, 4), kernel=(2, 2)),))
    with pytest.raises(InputError, match=r"node body\.it: a conv with a kernel of 2"):
        classified(build, last)
