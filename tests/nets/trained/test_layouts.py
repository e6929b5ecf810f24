"""The order in which layers run can be read off the names that others give their tensors."""

from __future__ import annotations

import importlib
import random
from collections.abc import Callable
from typing import Any

import pytest
import torch
from torch import nn

from hwnas.nets.trained.layouts import in_order_of_running
from hwnas.nets.trained.match import tensor_shapes
from hwnas.space.known import KNOWN
from hwnas.training import torchvision_shim
from tests.nets.test_foreign import TIMM, TORCHVISION

from .files import port


def assert_found(names: list[str]) -> None:
    own = [name for name in names if not name.endswith("num_batches_tracked")]
    shuffled = list(names)
    random.Random(0).shuffle(shuffled)
    assert in_order_of_running(shuffled) == tuple(own)


def names_of(build: Callable[[], nn.Module]) -> list[str]:
    with torch.device("meta"):
        return list(build().state_dict())


@pytest.mark.parametrize("name", sorted(set(TORCHVISION.values())))
def test_torchvisions_names_tell_the_order(name: str) -> None:
    torchvision_shim.datasets()
    models: Any = importlib.import_module("torchvision.models")
    assert_found(names_of(lambda: getattr(models, name)(weights=None)))


@pytest.mark.parametrize(
    "name",
    [
        "mobilenetv2_100",
        "mobilenetv3_small_100",
        "semnasnet_100",
        "fbnetc_100",
        "efficientnet_b0",
        "tf_efficientnet_lite0",
    ],
)
def test_timms_names_tell_the_order(name: str) -> None:
    assert name in {*TIMM.values()}
    torchvision_shim.datasets()
    create = pytest.importorskip("timm").create_model
    assert_found(names_of(lambda: create(name)))


def test_the_packages_names_tell_the_order() -> None:
    assert_found(list(port()))
    assert_found(list(port(gated=True)))


@pytest.mark.parametrize("name", ["RESNET20", "MOBILENET_V3_SMALL", "PROXYLESS_GPU"])
def test_our_own_names_tell_the_order(name: str) -> None:
    assert_found(list(tensor_shapes(KNOWN[name], 2)))


def test_other_names_tell_nothing() -> None:
    assert in_order_of_running(["encoder.0.weight"]) is None
    assert in_order_of_running(["blocks.0.attention.weight"]) is None
    assert in_order_of_running(["weight"]) is None
