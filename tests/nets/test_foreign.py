"""Known networks give the logits of torchvision's and timm's own modules, with random weights
and statistics."""

from __future__ import annotations

import importlib
from collections.abc import Callable
from typing import Any

import pytest
import torch
from torch import nn

from hwnas.nets.foreign import shapes_in_order, translated
from hwnas.nets.network import Network
from hwnas.space import SPACES
from hwnas.space.build import architecture_graph
from hwnas.space.genotype import Architecture
from hwnas.space.published import PUBLISHED
from hwnas.space.size import Task
from hwnas.training import torchvision_shim
from profilers.errors import InputError

CLASSES = 10
SIDE = 65
"""Pixels: the smallest images on which a network of stride 32 keeps its strides; odd, so that
padding is seen."""

TORCHVISION = {
    "MOBILENET_V2": "mobilenet_v2",
    "MOBILENET_V3_SMALL": "mobilenet_v3_small",
    "MOBILENET_V3_LARGE": "mobilenet_v3_large",
    "MNASNET_B1": "mnasnet1_0",
    "MNASNET_B1_0.5": "mnasnet0_5",
    "MNASNET_B1_1.3": "mnasnet1_3",
    "EFFICIENTNET_B0": "efficientnet_b0",
}
TIMM = {
    "MOBILENET_V2": "mobilenetv2_100",
    "MOBILENET_V2_0.35": "mobilenetv2_035",
    "MOBILENET_V2_1.4": "mobilenetv2_140",
    "MOBILENET_V3_SMALL": "mobilenetv3_small_100",
    "MOBILENET_V3_SMALL_0.75": "mobilenetv3_small_075",
    "MOBILENET_V3_LARGE": "mobilenetv3_large_100",
    "MOBILENET_V3_LARGE_0.75": "mobilenetv3_large_075",
    "MNASNET_A1": "semnasnet_100",
    "MNASNET_A1_1.4": "semnasnet_140",
    "MNASNET_B1": "mnasnet_100",
    "MNASNET_B1_0.75": "mnasnet_075",
    "FBNET_C": "fbnetc_100",
    "SINGLE_PATH": "spnasnet_100",
    "EFFICIENTNET_B0": "efficientnet_b0",
    "EFFICIENTNET_LITE0": "efficientnet_lite0",
    "EFFICIENTNET_LITE0_SAME": "tf_efficientnet_lite0",
}


def architecture(name: str, channels: int | None = None) -> Architecture:
    genotype = PUBLISHED[name]
    usual = SPACES[genotype.space].published_size
    return Architecture(genotype, channels=channels or usual[0], cells=usual[1])


def randomised(theirs: nn.Module, seed: int = 0) -> nn.Module:
    """Random weights and statistics, of a size that keeps logits of every depth away from zero."""
    generator = torch.Generator().manual_seed(seed)
    for tensor in theirs.state_dict().values():
        if not tensor.is_floating_point():
            continue
        if tensor.ndim > 1:
            fan_in = tensor[0].numel()
            tensor.normal_(0, (2 / fan_in) ** 0.5, generator=generator)
        else:
            tensor.uniform_(0.5, 1.5, generator=generator)
    return theirs.double().eval()


def logits_of_both(name: str, theirs: nn.Module, side: int) -> tuple[torch.Tensor, torch.Tensor]:
    shape, at = (3, side, side), architecture(name)
    ours = Network(at, CLASSES, shape).double().eval()
    graph = architecture_graph(at, Task(classes=CLASSES, image=shape))
    ours.load_state_dict(translated(shapes_in_order(graph), randomised(theirs).state_dict()))
    x = torch.randn(2, *shape, dtype=torch.float64, generator=torch.Generator().manual_seed(1))
    with torch.no_grad():
        return ours(x), theirs(x)


def assert_equal_logits(name: str, theirs: nn.Module, side: int = SIDE) -> None:
    ours, expected = logits_of_both(name, theirs, side)
    assert expected.std() > 1e-6 * expected.abs().max()
    assert (ours - expected).abs().max() <= 1e-9 * expected.abs().max()


@pytest.fixture(scope="module")
def torchvision_models() -> Any:
    torchvision_shim.datasets()
    return importlib.import_module("torchvision.models")


@pytest.fixture(scope="module")
def create_timm() -> Callable[..., nn.Module]:
    torchvision_shim.datasets()
    create: Callable[..., nn.Module] = pytest.importorskip("timm").create_model
    return create


@pytest.mark.parametrize("name", TORCHVISION)
def test_a_network_gives_the_logits_of_torchvisions(name: str, torchvision_models: Any) -> None:
    build = getattr(torchvision_models, TORCHVISION[name])
    assert_equal_logits(name, build(weights=None, num_classes=CLASSES))


@pytest.mark.parametrize("name", TIMM)
def test_a_network_gives_the_logits_of_timms(
    name: str, create_timm: Callable[..., nn.Module]
) -> None:
    epsilon = SPACES[PUBLISHED[name].space].macro.epsilon
    theirs = create_timm(TIMM[name], num_classes=CLASSES)
    for module in theirs.modules():
        if isinstance(module, nn.BatchNorm2d):
            module.eps = epsilon
    assert_equal_logits(name, theirs)


def test_same_padding_is_timms_on_even_maps_too(create_timm: Callable[..., nn.Module]) -> None:
    """Of 65 pixels every map is odd, and there both paddings agree; of 80 only the last are."""
    theirs = create_timm("tf_efficientnet_lite0", num_classes=CLASSES)
    assert_equal_logits("EFFICIENTNET_LITE0_SAME", theirs, side=80)
    ours, expected = logits_of_both("EFFICIENTNET_LITE0", theirs, side=80)
    assert (ours - expected).abs().max() > 1e-3 * expected.abs().max()


@pytest.mark.parametrize(("name", "depth"), [("RESNET8", 1), ("RESNET20", 3)])
def test_a_residual_network_gives_the_logits_of_torchvisions_blocks(
    name: str, depth: int, torchvision_models: Any
) -> None:
    basic = importlib.import_module("torchvision.models.resnet").BasicBlock
    layers: list[nn.Module] = [
        nn.Conv2d(3, 16, 3, padding=1, bias=False),
        nn.BatchNorm2d(16),
        nn.ReLU(),
    ]
    before = 16
    for width, stride in ((16, 1), (32, 2), (64, 2)):
        for number in range(depth):
            pace, around = (stride, None) if number == 0 else (1, None)
            if (before, pace) != (width, 1):
                around = nn.Sequential(
                    nn.Conv2d(before, width, 1, pace, bias=False), nn.BatchNorm2d(width)
                )
            layers.append(basic(before, width, pace, around))
            before = width
    theirs = nn.Sequential(*layers, nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(64, CLASSES))
    assert_equal_logits(name, theirs, side=32)


def test_other_numbers_or_shapes_of_tensors_are_refused(torchvision_models: Any) -> None:
    at, task = architecture("RESNET8"), Task(classes=CLASSES, image=(3, 32, 32))
    shapes = shapes_in_order(architecture_graph(at, task))
    named = {
        f"their{number}.{name.rpartition('.')[2]}": torch.ones(shape)
        for number, (name, shape) in enumerate(shapes.items())
    }
    with pytest.raises(
        InputError, match=f"{len(named) - 1} tensors, but the network has {len(named)}"
    ):
        translated(shapes, dict(list(named.items())[:-1]))
    named["their0.weight"] = torch.zeros(4, 4)
    with pytest.raises(
        InputError,
        match=r"their0.weight is of shape \(4, 4\), but stem.conv.0.weight of \(16, 3, 3, 3\)",
    ):
        translated(shapes, named)
    named["their0.weight"] = torch.ones(shapes["stem.conv.0.weight"])
    first, second = list(named)[1:3]
    swapped = {{first: second, second: first}.get(name, name): one for name, one in named.items()}
    with pytest.raises(InputError, match=f"{second} stands where stem.conv.1.weight is expected"):
        translated(shapes, swapped)


@pytest.mark.parametrize("name", ["RESNET8", "MOBILENET_V3_SMALL"])
def test_the_order_of_running_names_every_tensor_of_a_network(name: str) -> None:
    at, task = architecture(name), Task(classes=CLASSES, image=(3, 32, 32))
    state = Network(at, CLASSES, task.image).state_dict()
    shapes = shapes_in_order(architecture_graph(at, task))
    own = {name: tuple(one.shape) for name, one in state.items() if "num_batches" not in name}
    assert shapes == own
