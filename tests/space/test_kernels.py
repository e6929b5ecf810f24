from __future__ import annotations

import pytest

from hwnas.space import SPACES
from hwnas.space.kernels import edge_kernels, fixed_kernels, layer_kernels
from hwnas.space.layers import PRIMITIVES, Layer, skeleton

NB201, DARTS = SPACES["nasbench201"], SPACES["darts"]
IMAGE = (3, 32, 32)


@pytest.mark.parametrize("op", sorted(PRIMITIVES))
@pytest.mark.parametrize("stride", [1, 2])
def test_kernels_hold_every_mac_of_their_layers(op: str, stride: int) -> None:
    for layer in PRIMITIVES[op](16, stride, (8, 8)):
        kernels = layer_kernels(layer, batch=3)
        assert sum(kernel.macs for kernel in kernels) == 3 * layer.macs
        height, width = layer.size_out
        assert kernels[-1].writes == 3 * layer.channels_out * height * width


def test_a_depthwise_convolution_is_a_direct_kernel() -> None:
    (kernel,) = layer_kernels(Layer("conv", 8, 8, (4, 4), (5, 5), groups=8), batch=2)
    assert (kernel.kind, kernel.window, kernel.outputs, kernel.channels) == ("depthwise", 25, 32, 8)


def test_none_is_a_product_with_zero_where_the_space_writes_it() -> None:
    site = skeleton(NB201, 16, 15, 10, IMAGE).cells[0]
    kinds = [kernel.kind for kernel in edge_kernels(NB201, site, NB201.slots[0], "none", 1)]
    assert kinds == ["elementwise", "elementwise"]
    site = skeleton(DARTS, 16, 8, 10, IMAGE).cells[0]
    assert edge_kernels(DARTS, site, DARTS.slots[0], "none", 1) == ()


def test_an_edge_ends_in_an_addition() -> None:
    site = skeleton(NB201, 16, 15, 10, IMAGE).cells[0]
    kernels = edge_kernels(NB201, site, NB201.slots[0], "nor_conv_3x3", 2)
    assert [kernel.kind for kernel in kernels] == ["elementwise", "conv", "batch_norm", "elementwise"]
    # Two maps of 2 x 16 x 32 x 32 in, one out.
    assert (kernels[-1].reads, kernels[-1].writes) == (2 * 32768, 32768)


def test_fixed_kernels_hold_the_skeleton_and_its_joints() -> None:
    frame = skeleton(DARTS, 16, 8, 10, IMAGE)
    kernels = fixed_kernels(DARTS, frame, 1)
    assert sum(kernel.macs for kernel in kernels) == sum(layer.macs for layer in frame.fixed)
    halved = sum(layer.kind == "halve" for layer in frame.fixed)
    assert sum(kernel.kind == "concat" for kernel in kernels) == 8 + halved
    # NAS-Bench-201: the two residual blocks add their shortcut.
    frame = skeleton(NB201, 16, 15, 10, IMAGE)
    relus = sum(layer.kind == "relu" for layer in frame.fixed)
    kinds = [kernel.kind for kernel in fixed_kernels(NB201, frame, 1)]
    assert kinds.count("elementwise") == relus + 2
