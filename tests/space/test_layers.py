"""Layer lists: shapes that follow on from each other, at any size; what each layer costs."""

from __future__ import annotations

from typing import get_args

import numpy as np
import pytest

from hwnas.space import SPACES
from hwnas.space.layers import ACTIVATIONS, PRIMITIVES, Kind, Layer, check_layer, half
from profilers.errors import InputError
from tests.space.every_layer import NAMES, SAMPLES, heads, keeping, narrowing


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
    assert {op for space in SPACES.values() for slot in space.slots for op in slot.ops} <= set(
        PRIMITIVES
    )


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


def test_every_kind_of_layer_and_every_activation_of_a_gate_is_swept() -> None:
    """A new kind fails here until `every_layer` holds it, and then in each rendering that does
    not know it."""
    rows = [*keeping((8, 8)).values(), *narrowing((8, 8)).values(), *heads((4, 4), 2).values()]
    layers = [layer for row in rows for layer in row]
    assert {layer.kind for layer in layers} == set(get_args(Kind))
    gates = [layer for layer in layers if layer.kind == "squeeze_excite"]
    assert {layer.inner for layer in gates} == {layer.gate for layer in gates} == set(ACTIVATIONS)
    drawn = np.stack(list(SAMPLES.values()))
    assert [set(column.tolist()) for column in drawn.T] == [
        set(range(len(names))) for names in NAMES
    ]


def test_bias_and_gates_are_counted() -> None:
    conv = Layer("conv", 8, 16, (9, 9), kernel=(3, 5), groups=4, bias=True)
    assert (conv.params, conv.macs) == (16 * 2 * 15 + 16, 16 * 2 * 15 * 81)
    gate = Layer("squeeze_excite", 8, 8, (9, 9), hidden=3)
    assert (gate.params, gate.macs, gate.size_out) == (8 * 3 + 3 + 3 * 8 + 8, 2 * 8 * 3, (9, 9))


@pytest.mark.parametrize(
    ("layer", "words"),
    [
        (Layer("conv", 8, 9, (4, 4), groups=3), "3 groups do not divide a conv of 8 to 9 channels"),
        (Layer("conv", 8, 8, (4, 4), groups=0), "0 groups do not divide"),
        (
            Layer("max_pool", 8, 8, (4, 4), kernel=(3, 3), padding="same"),
            "a max_pool is padded as 'centred', not 'same'",
        ),
        (Layer("squeeze_excite", 8, 8, (4, 4)), "needs hidden channels, such as hidden=2"),
        (Layer("squeeze_excite", 8, 4, (4, 4), hidden=2), "as many channels out as in, not 4 of 8"),
        (Layer("swish", 8, 4, (4, 4)), "a swish has as many channels out as in"),
        (
            Layer("conv", 8, 8, (4, 5), kernel=(3, 2)),
            "a kernel of 2 and a stride of 1 gives 4 of 5 pixels",
        ),
        (
            Layer("max_pool", 8, 8, (4, 4), kernel=(2, 2), stride=(2, 2)),
            "gives 3 of 4 pixels, where 2 are",
        ),
    ],
    ids=lambda value: value.kind if isinstance(value, Layer) else "",
)
def test_a_layer_that_is_not_built_as_counted_is_refused(layer: Layer, words: str) -> None:
    with pytest.raises(InputError, match=f"^node body.it: .*{words}"):
        check_layer(layer, "node body.it")


@pytest.mark.parametrize(
    ("size", "kernel", "stride", "dilation", "expected"),
    [
        (8, 3, 2, 1, (0, 1)),
        (9, 3, 2, 1, (1, 1)),
        (8, 5, 2, 1, (1, 2)),
        (8, 3, 1, 1, (1, 1)),
        (8, 2, 1, 1, (0, 1)),
        (8, 3, 2, 2, (1, 2)),
        (8, 1, 2, 1, (0, 0)),
        (7, 2, 3, 1, (0, 1)),
        (1, 5, 2, 1, (2, 2)),
    ],
)
def test_same_padding_is_as_little_as_the_windows_need_and_its_smaller_half_comes_first(
    size: int, kernel: int, stride: int, dilation: int, expected: tuple[int, int]
) -> None:
    layer = Layer(
        *("conv", 1, 1, (size, 7)),  # type: ignore[arg-type]
        kernel=(kernel, 1),
        stride=(stride, 1),
        dilation=dilation,
        padding="same",
    )
    assert layer.pads == (expected, (0, 0))
    needed = max((-(-size // stride) - 1) * stride + dilation * (kernel - 1) + 1 - size, 0)
    assert sum(expected) == needed
    check_layer(layer, "here")


@pytest.mark.parametrize("kernel", [1, 2, 3, 5])
@pytest.mark.parametrize("stride", [1, 2, 3])
def test_a_layer_says_whether_its_padding_ever_differs_from_the_centred_one(
    kernel: int, stride: int
) -> None:
    differs = []
    for size in range(1, 13):
        same, centred = (
            Layer(
                "conv",
                1,
                1,
                (size, size),
                kernel=(kernel,) * 2,
                stride=(stride,) * 2,
                padding=padding,
            )  # type: ignore[arg-type]
            for padding in ("same", "centred")
        )
        (before, after), (start, end) = same.pads[0], centred.pads[0]
        differs.append(before != start or after > end)
    assert same.shifts == any(differs)
    assert not centred.shifts


def test_layers_that_are_built_as_counted_are_not_refused() -> None:
    for row in (*keeping((9, 8)).values(), *narrowing((9, 8)).values(), *heads((5, 4), 2).values()):
        for layer in row:
            check_layer(layer, "here")
    check_layer(Layer("conv", 8, 8, (4, 4), kernel=(2, 2), stride=(2, 2)), "patches of an even map")
    check_layer(Layer("avg_pool", 8, 8, (5, 5), kernel=(2, 2), stride=(2, 2)), "tiles")


def test_sep_conv_is_two_depthwise_separable_convolutions_and_only_the_first_has_the_stride() -> (
    None
):
    convs = [layer for layer in PRIMITIVES["sep_conv_5x5"](8, 2, (8, 8)) if layer.kind == "conv"]
    assert [(layer.kernel, layer.stride, layer.groups) for layer in convs] == [
        ((5, 5), (2, 2), 8),
        ((1, 1), (1, 1), 1),
        ((5, 5), (1, 1), 8),
        ((1, 1), (1, 1), 1),
    ]
