"""Layer lists: shapes that follow on from each other, at any size; what each layer costs."""

from __future__ import annotations

import pytest

from hwnas.space import SPACES
from hwnas.space.layers import PRIMITIVES, Layer, half


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
    conv = Layer("conv", 8, 16, (9, 9), kernel=(3, 5), stride=(2, 2), groups=4)
    assert conv.size_out == (5, 5)
    assert conv.params == 16 * 8 // 4 * 15
    assert conv.macs == conv.params * 25
    linear = Layer("linear", 8, 10, (1, 1))
    assert (linear.params, linear.macs) == (90, 80)
    norm = Layer("batch_norm", 8, 8, (9, 9))
    assert (norm.params, norm.macs) == (16, 0)
    pool = Layer("max_pool", 8, 8, (9, 9), kernel=(3, 3), stride=(2, 2))
    assert (pool.params, pool.macs, pool.size_out) == (0, 0, (5, 5))


def test_sep_conv_is_two_depthwise_separable_convolutions_and_only_the_first_has_the_stride() -> None:
    convs = [layer for layer in PRIMITIVES["sep_conv_5x5"](8, 2, (8, 8)) if layer.kind == "conv"]
    assert [(layer.kernel, layer.stride, layer.groups) for layer in convs] == [
        ((5, 5), (2, 2), 8),
        ((1, 1), (1, 1), 1),
        ((5, 5), (1, 1), 8),
        ((1, 1), (1, 1), 1),
    ]
