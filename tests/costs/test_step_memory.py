"""The estimate of a step's memory: what it must grow with, and that what is really kept stays
below it."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from torch import Tensor

from hwnas.costs.step_memory import _kept as kept_by
from hwnas.costs.step_memory import footprint
from hwnas.nets.operations import sequence
from hwnas.nets.supernet import build_supernet
from hwnas.space import SPACES, Space
from hwnas.space.encoding import sample
from hwnas.space.family import family
from hwnas.space.layers import Layer
from tests.space.every_layer import SAMPLES, SPACE, keeping
from tests.space.swept import SWEPT

SHAPE = {"channels": 8, "cells": 3, "classes": 10, "image": (3, 16, 16)}


def watched() -> tuple[dict[int, int], Callable[[Tensor], Tensor]]:
    """Place in memory -> bytes of what a gradient keeps, and what autograd shows it to."""
    kept: dict[int, int] = {}
    held: list[Tensor] = []

    def pack(tensor: Tensor) -> Tensor:
        storage = tensor.untyped_storage()
        kept[storage.data_ptr()] = storage.nbytes()
        held.append(tensor)  # or its place in memory would be given to another
        return tensor

    return kept, pack


ROWS = {
    name: row
    for name, row in keeping((16, 16)).items()
    if row and row[0].kind == "conv" and row[-1].kind != "batch_norm"
}


@pytest.mark.parametrize("row", ROWS.values(), ids=ROWS)
def test_layers_in_a_row_keep_what_is_said(row: tuple[Layer, ...]) -> None:
    """Beside their input, to within the vectors of BatchNorm."""
    batch, module = 8, sequence(row, affine=False, running=False)
    x = torch.randn(batch, 6, 16, 16).to(memory_format=torch.channels_last).requires_grad_()
    known = {one.untyped_storage().data_ptr() for one in (x, *module.parameters())}
    kept, pack = watched()
    with torch.autograd.graph.saved_tensors_hooks(pack, lambda tensor: tensor):
        module(x).square().sum()
    maps = sum(size for place, size in kept.items() if place not in known)
    assert maps == pytest.approx(batch * kept_by(row), rel=0.02)


@pytest.mark.parametrize(
    "space", [*(SPACES[name] for name in SWEPT), SPACE], ids=lambda space: space.name
)
@pytest.mark.parametrize("weights", ["sampled", "mixture"])
def test_what_a_step_keeps_is_below_the_estimate_and_not_far_below(
    space: Space, weights: str
) -> None:
    batch = 4
    if weights == "mixture" and space.size_rows:
        pytest.skip("networks of several sizes are never mixed")
    net = build_supernet(family(space, **SHAPE), seed=0)
    images = torch.randn(batch, 3, 16, 16).to(memory_format=torch.channels_last)
    kept, pack = watched()
    with torch.autograd.graph.saved_tensors_hooks(pack, lambda tensor: tensor):
        if weights == "sampled":
            largest = SAMPLES["inverted_residual max_pool conv"]
            drawn = (
                largest if space is SPACE else sample(space, np.random.default_rng(0), space.mask)
            )
            logits = net.sampled(images, drawn)
        else:
            logits = net.mixture(images, torch.full(space.mask.shape, 0.1))
        F.cross_entropy(logits, torch.zeros(batch, dtype=torch.long))
    # A path keeps its own weights beside its maps, not those of others.
    weights_at = {weight.untyped_storage().data_ptr() for weight in net.parameters()}
    maps = sum(size for place, size in kept.items() if place not in weights_at)
    mode = "sampled" if weights == "sampled" else "mixture"
    estimate = footprint(family(space, **SHAPE), mode).per_image * batch
    assert 0.25 * estimate < maps < 1.15 * estimate


def test_the_largest_batch_is_the_largest_that_fits() -> None:
    step = footprint(family(SPACES["darts"], **SHAPE), "mixture")
    batch = step.largest_batch(500)
    assert step.mib(batch) <= 500 < step.mib(batch + 1)
    assert step.largest_batch(0.001) == 0


def test_weights_are_those_of_the_supernet() -> None:
    for name in SWEPT:
        space = SPACES[name]
        with torch.device("meta"):
            net = build_supernet(family(space, **SHAPE), seed=0)
        params = sum(weight.numel() for weight in net.parameters())
        assert footprint(family(space, **SHAPE), "sampled").weights == pytest.approx(
            16 * params, rel=0.02
        ), space.name
