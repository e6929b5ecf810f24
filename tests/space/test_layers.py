"""Layer lists: shapes that follow on from each other, at any size; what each layer costs."""

from __future__ import annotations

import pytest

from hwnas.space import SPACES
from hwnas.space.layers import PRIMITIVES, Layer, half, reduction_positions, skeleton
from profilers.errors import InputError


@pytest.mark.parametrize("op", sorted(PRIMITIVES))
@pytest.mark.parametrize("size", [(32, 32), (9, 13), (1, 1)])
@pytest.mark.parametrize("stride", [1, 2])
def test_the_layers_of_a_primitive_follow_on_from_each_other(
    op: str, size: tuple[int, int], stride: int
) -> None:
    layers = PRIMITIVES[op](6, stride, size)
    channels, now = 6, size
    for layer in layers:
        assert (layer.channels_in, layer.size) == (channels, now)
        channels, now = layer.channels_out, layer.size_out
    if layers:
        assert channels == 6
        assert now == (half(size) if stride == 2 else size)


def test_a_space_only_names_operations_that_have_layers() -> None:
    assert {op for space in SPACES.values() for slot in space.slots for op in slot.ops} <= set(PRIMITIVES)


def test_a_layer_counts_its_weights_and_their_uses() -> None:
    conv = Layer("conv", 8, 16, (9, 9), (3, 5), (2, 2), groups=4)
    assert conv.size_out == (5, 5)
    assert conv.params == 16 * 8 // 4 * 15
    assert conv.macs == conv.params * 25
    linear = Layer("linear", 8, 10, (1, 1))
    assert (linear.params, linear.macs) == (90, 80)
    norm = Layer("batch_norm", 8, 8, (9, 9))
    assert (norm.params, norm.macs) == (16, 0)
    pool = Layer("max_pool", 8, 8, (9, 9), (3, 3), (2, 2))
    assert (pool.params, pool.macs, pool.size_out) == (0, 0, (5, 5))


def test_sep_conv_is_two_depthwise_separable_convolutions_and_only_the_first_has_the_stride() -> None:
    convs = [layer for layer in PRIMITIVES["sep_conv_5x5"](8, 2, (8, 8)) if layer.kind == "conv"]
    assert [(layer.kernel, layer.stride, layer.groups) for layer in convs] == [
        ((5, 5), (2, 2), 8),
        ((1, 1), (1, 1), 1),
        ((5, 5), (1, 1), 8),
        ((1, 1), (1, 1), 1),
    ]


def test_reduction_cells_stand_at_a_third_and_two_thirds() -> None:
    assert reduction_positions(20) == {6, 13}
    assert reduction_positions(5) == {1, 3}
    frame = skeleton(SPACES["darts"], 16, 20, 10, (3, 32, 32))
    assert [index for index, site in enumerate(frame.cells) if site.kind == "reduce"] == [6, 13]
    assert [frame.cells[index].channels for index in (5, 6, 12, 13, 19)] == [16, 32, 32, 64, 64]
    assert frame.cells[-1].size_out == (8, 8)


def test_the_cell_after_a_reduction_halves_the_older_input() -> None:
    frame = skeleton(SPACES["darts"], 16, 8, 10, (3, 32, 32))
    assert [site.before[0][1].kind for site in frame.cells] == [
        "halve" if index in (3, 6) else "conv" for index in range(8)
    ]


def test_the_stride_is_two_on_edges_from_a_reduction_cells_inputs_only() -> None:
    site = skeleton(SPACES["darts"], 16, 5, 10, (3, 32, 32)).cells[1]
    assert site.edge(0, 2) == site.edge(1, 2) == (2, (32, 32))
    assert site.edge(2, 2) == (1, (16, 16))


def test_the_imagenet_stem_brings_images_to_an_eighth() -> None:
    frame = skeleton(SPACES["darts"], 48, 14, 1000, (3, 224, 224), "imagenet")
    assert [part[-1].size_out for part in frame.stem] == [(56, 56), (28, 28)]
    assert frame.cells[0].before[0][1].kind == "halve"


def test_nasbench201_has_three_equal_groups_with_residual_blocks_between() -> None:
    frame = skeleton(SPACES["nasbench201"], 16, 15, 10, (3, 32, 32))
    assert [index for index, site in enumerate(frame.cells) if site.before] == [5, 10]
    assert [frame.cells[index].channels for index in (0, 5, 14)] == [16, 32, 64]
    with pytest.raises(InputError, match="multiple of 3"):
        skeleton(SPACES["nasbench201"], 16, 4, 10, (3, 32, 32))
