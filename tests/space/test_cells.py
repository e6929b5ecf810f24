"""Cell spaces as graphs: where reductions stand, which edges have a stride, widths and sizes."""

from __future__ import annotations

import pytest

from hwnas.space import SPACES
from hwnas.space.cells import cell_graph, reduction_positions
from hwnas.space.graph import Graph, Node
from hwnas.space.layers import Stem
from hwnas.space.size import CellSize, Task
from profilers.errors import InputError
from tests.space.swept import CELLS


def built(
    name: str,
    channels: int,
    cells: int,
    image: tuple[int, int, int] = (3, 32, 32),
    stem: Stem = "cifar",
) -> dict[str, Node]:
    size = CellSize(channels=channels, cells=cells, stem=stem)
    graph: Graph = cell_graph(SPACES[name], size, Task(classes=10, image=image))
    return {node.name: node for node in graph}


def test_reduction_cells_stand_at_a_third_and_two_thirds() -> None:
    assert reduction_positions(20) == {6, 13}
    assert reduction_positions(5) == {1, 3}
    nodes = built("darts", 16, 20)
    sizes = [nodes[f"cell{index}.output"].size for index in range(20)]
    assert [index for index in range(1, 20) if sizes[index] != sizes[index - 1]] == [6, 13]
    assert [nodes[f"cell{index}.node2"].channels for index in (5, 6, 12, 13, 19)] == [
        16,
        32,
        32,
        64,
        64,
    ]
    assert nodes["cell19.output"].size == (8, 8)
    assert [name for name, node in nodes.items() if node.auxiliary] == ["cell13.output"]


def test_the_cell_after_a_reduction_halves_the_older_input() -> None:
    nodes = built("darts", 16, 8)
    assert [nodes[f"cell{index}.input0"].layers[1].kind for index in range(8)] == [
        "factorized_reduce" if index in (3, 6) else "conv" for index in range(8)
    ]


def test_the_stride_is_two_on_edges_from_a_reduction_cells_inputs_only() -> None:
    nodes = built("darts", 16, 5)
    for name, size in (("edge_0_2", (32, 32)), ("edge_1_2", (32, 32)), ("edge_2_3", (16, 16))):
        node = nodes[f"cell1.{name}"]
        assert nodes[node.inputs[0]].size == size
        assert node.size == (16, 16)


def test_the_imagenet_stem_brings_images_to_an_eighth() -> None:
    nodes = built("darts", 48, 14, (3, 224, 224), "imagenet")
    assert [nodes[f"stem.part{number}"].size for number in (0, 1)] == [(56, 56), (28, 28)]
    assert nodes["cell0.input0"].layers[1].kind == "factorized_reduce"


def test_nasbench201_has_three_equal_groups_with_residual_blocks_between() -> None:
    nodes = built("nasbench201", 16, 15)
    assert [name for name in nodes if name.endswith(".shortcut")] == [
        "reduction5.shortcut", "reduction10.shortcut",
    ]  # fmt: skip
    assert [nodes[f"cell{index}.node3"].channels for index in (0, 5, 14)] == [16, 32, 64]
    with pytest.raises(InputError, match="multiple of 3"):
        built("nasbench201", 16, 4)


def test_none_is_absent_and_every_other_operation_has_layers_or_is_the_identity() -> None:
    for name in CELLS:
        space = SPACES[name]
        for node in built(name, 4, 3).values():
            if node.row is not None:
                ops = space.slots[node.row].ops
                assert [option is None for option in node.options] == [op == "none" for op in ops]
