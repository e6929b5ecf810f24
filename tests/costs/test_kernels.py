from __future__ import annotations

from dataclasses import replace

import pytest

from hwnas.costs.kernels import fixed_kernels, layer_kernels, option_kernels
from hwnas.space import SPACES, Space
from hwnas.space.cells import cell_graph
from hwnas.space.graph import Graph, all_layers
from hwnas.space.layers import PRIMITIVES, Layer
from hwnas.space.size import CellSize, Task
from profilers.errors import InputError
from profilers.roofline import Kernel
from tests.space.every_layer import heads, keeping, narrowing

NB201, DARTS = SPACES["nasbench201"], SPACES["darts"]
IMAGE = (3, 32, 32)


EVERY: dict[str, tuple[Layer, ...]] = {
    **{
        f"{op} at {stride}": PRIMITIVES[op](16, stride, (8, 8))
        for op in PRIMITIVES
        for stride in (1, 2)
    },
    **keeping((9, 8)),
    **{f"narrowing {name}": row for name, row in narrowing((9, 8)).items()},
    **{f"head {name}": row for name, row in heads((5, 4), 3).items()},
}


@pytest.mark.parametrize("layers", EVERY.values(), ids=EVERY)
def test_kernels_hold_every_mac_of_their_layers(layers: tuple[Layer, ...]) -> None:
    for layer in layers:
        kernels = layer_kernels(layer, batch=3)
        assert sum(kernel.macs for kernel in kernels) == 3 * layer.macs
        height, width = layer.size_out
        assert kernels[-1].writes == 3 * layer.channels_out * height * width


def test_a_depthwise_convolution_is_a_direct_kernel() -> None:
    (kernel,) = layer_kernels(Layer("conv", 8, 8, (4, 4), kernel=(5, 5), groups=8), batch=2)
    assert (kernel.kind, kernel.window, kernel.outputs, kernel.channels) == ("depthwise", 25, 32, 8)


def test_a_grouped_convolution_is_neither_depthwise_nor_dense() -> None:
    grouped, dense = (
        Layer("conv", 8, 8, (4, 4), kernel=(3, 3), groups=groups) for groups in (2, 1)
    )
    (kernel,), (whole,) = layer_kernels(grouped, batch=2), layer_kernels(dense, batch=2)
    assert (kernel.kind, kernel.groups, kernel.macs) == ("conv", 2, whole.macs // 2)
    assert whole.reads - kernel.reads == dense.params // 2


def test_a_convolution_that_reads_one_channel_per_output_is_depthwise_however_many_it_gives() -> (
    None
):
    (kernel,) = layer_kernels(Layer("conv", 8, 16, (4, 4), kernel=(3, 3), groups=8), batch=1)
    assert (kernel.kind, kernel.channels) == ("depthwise", 16)
    (single,) = layer_kernels(Layer("conv", 1, 16, (4, 4), kernel=(3, 3)), batch=1)
    assert single.kind == "conv"


def test_squeeze_and_excitation_reads_its_map_twice() -> None:
    kernels = layer_kernels(Layer("squeeze_excite", 8, 8, (4, 4), hidden=2), batch=3)
    assert [k.kind for k in kernels] == [
        "pool",
        "conv",
        "elementwise",
        "conv",
        "elementwise",
        "elementwise",
    ]
    map_, gates = 3 * 8 * 16, 3 * 8
    assert (kernels[0].reads, kernels[-1].reads, kernels[-1].writes) == (map_, map_ + gates, map_)


def graph_of(space: Space, cells: int) -> Graph:
    return cell_graph(space, CellSize(channels=16, cells=cells), Task(classes=10, image=IMAGE))


def kernels_of(space: Space, cells: int, op: str, batch: int) -> tuple[Kernel, ...]:
    """What an operation on the first edge of the first cell runs."""
    node = next(node for node in graph_of(space, cells) if node.row == 0)
    option = node.options[space.slots[0].ops.index(op)]
    return option_kernels(node, option, node.size, batch, space.none_is_written)


def test_none_is_a_product_with_zero_where_the_space_writes_it() -> None:
    assert [kernel.kind for kernel in kernels_of(NB201, 15, "none", 1)] == [
        "elementwise",
        "elementwise",
    ]
    assert kernels_of(DARTS, 8, "none", 1) == ()


def test_an_edge_ends_in_an_addition() -> None:
    kernels = kernels_of(NB201, 15, "nor_conv_3x3", 2)
    assert [kernel.kind for kernel in kernels] == [
        "elementwise",
        "conv",
        "batch_norm",
        "elementwise",
    ]
    # Two maps of 2 x 16 x 32 x 32 in, one out.
    assert (kernels[-1].reads, kernels[-1].writes) == (2 * 32768, 32768)


def test_fixed_kernels_hold_what_is_fixed_and_its_joints() -> None:
    graph = graph_of(DARTS, 8)
    fixed = all_layers(node for node in graph if node.row is None)
    kernels = fixed_kernels(graph, 1)
    assert sum(kernel.macs for kernel in kernels) == sum(layer.macs for layer in fixed)
    halved = sum(layer.kind == "factorized_reduce" for layer in fixed)
    assert sum(kernel.kind == "concat" for kernel in kernels) == 8 + halved
    # NAS-Bench-201: the two residual blocks add their shortcut.
    graph = graph_of(NB201, 15)
    relus = sum(layer.kind == "relu" for node in graph if node.row is None for layer in node.layers)
    kinds = [kernel.kind for kernel in fixed_kernels(graph, 1)]
    assert kinds.count("elementwise") == relus + 2


def test_a_layer_without_a_rule_is_refused() -> None:
    strange = replace(Layer("relu", 8, 8, (4, 4)), kind="softmax")  # type: ignore[arg-type]
    with pytest.raises(InputError, match="layer kind 'softmax': not known here"):
        layer_kernels(strange, 1)
