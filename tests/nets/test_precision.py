"""Steps in 16 bits: only convolutions compute in them, and nothing is left behind for steps in
32."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from hwnas.config import WeightStep
from hwnas.nets import task
from hwnas.nets.fast.convolution import Depthwise
from hwnas.nets.fast.maps import MeanPool
from hwnas.nets.precision import BatchNorm, computing_in
from hwnas.nets.supernet import Supernet, build_supernet
from hwnas.search.distributed import shared_weights
from hwnas.space.encoding import sample
from hwnas.space.family import family
from hwnas.space.space import SPACES
from hwnas.space.task import Task
from hwnas.training.dataset import Batch

CPU = torch.device("cpu")
SIZE: dict[str, Any] = {"channels": 4, "cells": 1, "classes": 3, "image": (1, 8, 8)}


def net_of(space: str) -> Supernet:
    return build_supernet(family(SPACES[space], **SIZE), seed=0).train()


def batch_of(images: int = 8) -> Batch:
    x = torch.randn(images, 1, 8, 8, generator=torch.Generator().manual_seed(1))
    return Batch(x, torch.arange(images) % 3)


def gradient(net: Supernet, path: Any, precision: str) -> tuple[float, Tensor]:
    """The loss of a weight step and its gradient, with weights that stay as they are."""
    settings = WeightStep(precision=precision, clip=1e9)  # type: ignore[arg-type]
    shared = shared_weights.optimise(net, settings)
    loss = shared_weights.weight_step(shared, batch_of(), path, 0.0)
    found = [w.grad for w in net.parameters() if w.grad is not None]
    assert all(one.dtype == torch.float32 for one in found)
    return float(loss), torch.cat([one.reshape(-1) for one in found])


@pytest.mark.parametrize("kind", ["sampled", "mixture"])
def test_a_step_in_bfloat16_goes_the_way_of_one_in_float32(kind: str) -> None:
    net, space = net_of("darts"), SPACES["darts"]
    path: Any = sample(space, np.random.default_rng(0))
    if kind == "mixture":
        path = space.mask / space.mask.sum(axis=1, keepdims=True)
    before = {name: value.clone() for name, value in net.state_dict().items()}
    (low, rough), (high, exact) = (gradient(net, path, one) for one in ("bfloat16", "float32"))
    assert low != high and low == pytest.approx(high, rel=0.02)
    assert F.cosine_similarity(rough, exact, dim=0) > 0.98
    # Weights stay float32 and, at a rate of 0, as they were.
    assert all(torch.equal(value, before[name]) for name, value in net.state_dict().items())


def test_a_step_in_bfloat16_leaves_nothing_behind() -> None:
    path = sample(SPACES["darts"], np.random.default_rng(0))
    alone, after = net_of("darts"), net_of("darts")
    gradient(after, path, "bfloat16")
    wanted, found = gradient(alone, path, "float32"), gradient(after, path, "float32")
    assert found[0] == wanted[0] and torch.equal(found[1], wanted[1])
    pool, x = MeanPool(3, 1), batch_of().x.contiguous(memory_format=torch.channels_last)
    with computing_in("bfloat16", CPU):
        pool(x)
    assert torch.equal(pool(x), MeanPool(3, 1)(x))


@pytest.mark.parametrize("scale", [False, True])
def test_statistics_of_maps_of_16_bits_are_of_32(scale: bool) -> None:
    # A mean that 16 bits can't tell from its neighbours: (x - mean) would be off by a quarter.
    x = (torch.randn(64, 16, 4, 4, generator=torch.Generator().manual_seed(0)) + 300).bfloat16()
    norm = BatchNorm(16, affine=scale, track_running_stats=False)
    exact = F.batch_norm(x.float(), None, None, None, None, True, 0.0, norm.eps)
    grads = []
    for read, make in ((x, norm), (x.float(), nn.BatchNorm2d(16, track_running_stats=False))):
        at = read.clone().requires_grad_()
        y = make(at)
        assert (y.float() - exact).abs().max() < 2**-6
        y.float().pow(3).sum().backward()
        assert at.grad is not None
        grads.append(at.grad.float())
    assert (grads[0] - grads[1]).abs().max() < 0.02 * grads[1].abs().max()


@pytest.mark.parametrize(("kernel", "stride", "dilation"), [(5, 1, 1), (3, 1, 2), (5, 2, 2)])
def test_the_quick_ways_through_a_depthwise_convolution_compute_in_16_bits_too(
    kernel: int, stride: int, dilation: int
) -> None:
    module = Depthwise(16, kernel, stride, dilation).train()
    x = torch.randn(2, 16, 8, 8).contiguous(memory_format=torch.channels_last).requires_grad_()
    found = []
    for precision in ("bfloat16", "float32"):
        with computing_in(precision, CPU):
            y = module(x)
        assert y.dtype == (torch.bfloat16 if precision == "bfloat16" else torch.float32)
        found.append(torch.autograd.grad(y.float().square().sum(), (x, module.weight)))
    for rough, exact in zip(*found, strict=True):
        assert rough.dtype == torch.float32
        assert (rough - exact).norm() < 0.02 * exact.norm()


def test_losses_of_outputs_of_16_bits_are_of_32() -> None:
    batch, outputs = batch_of(), torch.randn(8, 3).bfloat16()
    loss = task.loss(Task(classes=3, image=(1, 8, 8)), outputs, batch.y)
    assert loss.dtype == torch.float32
    assert torch.equal(loss, F.cross_entropy(outputs.float(), batch.y))
