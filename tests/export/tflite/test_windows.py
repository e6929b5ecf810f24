"""TFLite's SAME and VALID, with pads added, reach the pixels that torch's windows reach."""

from __future__ import annotations

import torch
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from torch.nn import functional as F

from hwnas.export.tflite.windows import correction, ours, windows
from hwnas.space.layers import Layer, check_layer
from profilers.errors import InputError
from tests.space.strategies import sliding_layers


def same(size: int, kernel: int, stride: int, dilation: int) -> tuple[int, int]:
    """(windows, pixels before) of TFLite's SAME, as its documentation defines them."""
    out = -(-size // stride)
    total = max(0, (out - 1) * stride + dilation * (kernel - 1) + 1 - size)
    return out, total // 2


@settings(deadline=None)
@given(sliding_layers())
def test_there_are_as_many_windows_as_counted_and_the_first_begins_where_torchs_does(
    layer: Layer,
) -> None:
    try:
        check_layer(layer, "here")
    except InputError:
        assume(False)
    how = windows(layer)
    tiles = layer.kind == "avg_pool" and layer.kernel == layer.stride
    for axis in (0, 1):
        kernel, stride, size = layer.kernel[axis], layer.stride[axis], layer.size[axis]
        reach = layer.dilation * (kernel - 1)
        centred = reach // 2 if layer.kind == "conv" else kernel // 2
        if layer.padding == "same":
            assert how.padding == "SAME"
            continue
        torchs = 0 if tiles else centred
        added = sum(how.pads[axis]) if how.pads else 0
        if how.padding == "SAME":
            assert not how.pads
            assert same(size, kernel, stride, layer.dilation) == (layer.size_out[axis], torchs)
        else:
            assert (size + added - reach - 1) // stride + 1 == layer.size_out[axis]
            assert (how.pads[axis][0] if how.pads else 0) == torchs


SIDES = st.tuples(st.integers(1, 9), st.integers(1, 9))
ODD = st.tuples(*[st.sampled_from([1, 3, 5])] * 2)
STRIDES = st.tuples(*[st.integers(1, 3)] * 2)


@settings(deadline=None)
@given(SIDES, st.one_of(st.tuples(ODD, STRIDES), STRIDES.map(lambda tile: (tile, tile))))
def test_the_correction_turns_an_average_over_padding_into_one_over_pixels(
    size: tuple[int, int], window: tuple[tuple[int, int], tuple[int, int]]
) -> None:
    layer = Layer("avg_pool", 1, 1, size, kernel=window[0], stride=window[1])
    check_layer(layer, "here")
    (above, below), (left, right) = ours(layer)
    # A map of ones: an average over zeros around it is the share of the window that lies on it.
    padded = F.pad(torch.ones(1, 1, *layer.size), (left, right, above, below))
    pooled = F.avg_pool2d(padded, layer.kernel, layer.stride)
    expected = torch.ones(1, *layer.size_out, 1)
    torch.testing.assert_close(pooled[0, 0, ..., None] * torch.tensor(correction(layer)), expected)
