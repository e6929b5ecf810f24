"""The weights that have names are those of torchvision's and timm's own lists."""

from __future__ import annotations

import importlib
import re
from typing import Any

import pytest

from hwnas.nets.trained import TRAINED, Download
from hwnas.nets.trained.value import HALF, IMAGENET
from hwnas.space.known import KNOWN
from hwnas.training import torchvision_shim
from tests.nets.test_foreign import TIMM, TORCHVISION

DOWNLOADS = {name: one.source for name, one in TRAINED.items() if isinstance(one.source, Download)}


@pytest.mark.parametrize("name", TRAINED)
def test_weights_belong_to_a_known_network_and_their_file_is_checked(name: str) -> None:
    weights = TRAINED[name]
    assert weights.name == name
    assert weights.genotype in KNOWN.values()
    assert weights.macro.name == weights.genotype.space
    assert re.fullmatch("[0-9a-f]{8,64}", weights.source.sha256)  # type: ignore[union-attr]


def theirs(name: str, networks: dict[str, str]) -> list[str]:
    """What others call the network."""
    genotype = TRAINED[name].genotype
    return [other for own, other in networks.items() if KNOWN[own] == genotype]


@pytest.mark.parametrize(
    "name", [name for name, one in DOWNLOADS.items() if "pytorch.org" in one.url]
)
def test_torchvision_names_the_same_addresses(name: str) -> None:
    torchvision_shim.datasets()
    models: Any = importlib.import_module("torchvision.models")
    found = [one for other in theirs(name, TORCHVISION) for one in models.get_model_weights(other)]
    (weights,) = [one for one in found if one.url == DOWNLOADS[name].url]
    assert weights.meta["categories"][985] == "daisy"
    transforms = weights.transforms()
    assert TRAINED[name].preprocessing == IMAGENET
    assert (tuple(transforms.mean), tuple(transforms.std)) == (IMAGENET.mean, IMAGENET.std)


@pytest.mark.parametrize(
    "name", [name for name, one in DOWNLOADS.items() if "github.com" in one.url]
)
def test_timm_names_the_same_addresses(name: str) -> None:
    torchvision_shim.datasets()
    timm = pytest.importorskip("timm")
    others = {**TIMM, "MOBILENET_V2_0.5": "mobilenetv2_050"}
    (other,) = theirs(name, others)
    found = timm.models.get_pretrained_cfg(other)
    assert found.url == DOWNLOADS[name].url
    assert TRAINED[name].licence.lower().startswith(found.license)
    preprocessing = TRAINED[name].preprocessing
    assert (found.mean, found.std) == (preprocessing.mean, preprocessing.std)
    assert preprocessing == (HALF if other.startswith("tf_") else IMAGENET)
