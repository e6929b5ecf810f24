"""Modules of the layer lists: same counts, same sizes, no ReLU that spoils a shared map."""

from __future__ import annotations

import pytest
import torch
from torch import nn
from torch.utils.flop_counter import FlopCounterMode

from hwnas.nets.operations import FactorizedReduce, body, module_of, sequence
from hwnas.space.layers import PRIMITIVES, Layer


@pytest.mark.parametrize("op", sorted(PRIMITIVES))
@pytest.mark.parametrize("stride", [1, 2])
@pytest.mark.parametrize("size", [(8, 8), (9, 13), (1, 2)])
def test_a_primitive_is_built_as_it_is_counted(op: str, stride: int, size: tuple[int, int]) -> None:
    layers = PRIMITIVES[op](6, stride, size)
    module = sequence(layers)
    counter = FlopCounterMode(display=False)
    with counter:
        y = module(torch.randn(2, 6, *size))
    assert tuple(y.shape) == (2, 6, *(layers[-1].size_out if layers else size))
    assert sum(p.numel() for p in module.parameters()) == sum(layer.params for layer in layers)
    assert counter.get_total_flops() == 2 * 2 * sum(layer.macs for layer in layers)


@pytest.mark.parametrize("op", sorted(PRIMITIVES))
def test_a_primitive_leaves_its_input_as_it_was(op: str) -> None:
    x = torch.randn(2, 6, 8, 8)
    before = x.clone()
    sequence(PRIMITIVES[op](6, 1, (8, 8)))(x)
    assert torch.equal(x, before)


def test_the_body_is_what_follows_the_first_relu() -> None:
    layers = PRIMITIVES["sep_conv_3x3"](6, 1, (8, 8))
    after_relu, module = body(layers)
    assert after_relu
    assert len(module) == len(layers) - 1
    after_relu, module = body(PRIMITIVES["max_pool_3x3"](6, 1, (8, 8)))
    assert not after_relu
    assert len(module) == 1
    x = torch.randn(2, 6, 8, 8)
    assert torch.equal(body(PRIMITIVES["skip_connect"](6, 1, (8, 8)))[1](x), x)


def test_a_relu_after_a_normalisation_works_in_place_and_the_first_never() -> None:
    relus = [
        m for m in sequence(PRIMITIVES["sep_conv_3x3"](6, 1, (8, 8))) if isinstance(m, nn.ReLU)
    ]
    assert [relu.inplace for relu in relus] == [False, True]


def test_halving_takes_the_even_pixels_left_and_the_odd_pixels_right() -> None:
    halve = FactorizedReduce(1, 2)
    with torch.no_grad():
        halve.even.weight.fill_(1)
        halve.odd.weight.fill_(1)
    x = torch.arange(16.0).view(1, 1, 4, 4)
    left, right = halve(x)[0]
    assert left.tolist() == [[0, 2], [8, 10]]
    assert right.tolist() == [[5, 7], [13, 15]]


def test_halving_pads_an_odd_edge_with_zeros() -> None:
    halve = FactorizedReduce(1, 2)
    with torch.no_grad():
        halve.odd.weight.fill_(1)
    assert halve(torch.ones(1, 1, 3, 4))[0, 1].tolist() == [[1, 1], [0, 0]]


def test_halving_gives_an_odd_number_of_channels_too() -> None:
    assert FactorizedReduce(3, 7)(torch.randn(1, 3, 4, 4)).shape == (1, 7, 2, 2)


def test_batch_norm_has_what_it_is_asked_for() -> None:
    layer = Layer("batch_norm", 4, 4, (8, 8))
    assert module_of(layer, affine=False, running=False).state_dict() == {}
    assert set(module_of(layer, affine=True, running=True).state_dict()) >= {
        "weight",
        "running_mean",
    }


def test_an_average_leaves_the_padding_out() -> None:
    pool = module_of(
        Layer("avg_pool", 1, 1, (4, 4), kernel=(3, 3), stride=(2, 2)), affine=True, running=True
    )
    assert torch.equal(pool(torch.ones(1, 1, 5, 5)), torch.ones(1, 1, 3, 3))
