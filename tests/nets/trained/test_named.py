"""Weights by name or file give the state of the network that they belong to, and say what had to
be assumed."""

from __future__ import annotations

import json
import random
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import save_file
from torch import Tensor

from hwnas.nets.network import Network
from hwnas.nets.trained import (
    TRAINED,
    OwnFile,
    TrainedWeights,
    is_at_hand,
    trained_state,
    weights_named,
)
from hwnas.nets.trained.sources import content
from hwnas.nets.trained.value import IMAGENET, TENSORFLOW, Preprocessing
from hwnas.space import SPACES
from hwnas.space.genotype import Architecture
from hwnas.space.known import KNOWN
from profilers.errors import InputError

from .files import own_state, port
from .port import logits

PACKAGE = TRAINED["efficientnet-lite0"]


@pytest.fixture
def package() -> TrainedWeights:
    if not is_at_hand(PACKAGE):
        pytest.skip("the extra 'pretrained' is not installed")
    return PACKAGE


def network(weights: TrainedWeights, image: tuple[int, int, int]) -> Network:
    channels, cells = SPACES[weights.genotype.space].published_size
    found = Network(
        Architecture(weights.genotype, channels=channels, cells=cells), weights.classes, image
    )
    found.load_state_dict(trained_state(weights))
    return found.eval()


@pytest.mark.parametrize("size", [(96, 80), (81, 67)])
def test_the_network_of_the_package_gives_the_logits_of_its_definition(
    package: TrainedWeights, size: tuple[int, int], tmp_path: Path
) -> None:
    file = tmp_path / "copy.pth"
    file.write_bytes(content(package.name, package.source))
    x = torch.randn(2, 3, *size, generator=torch.Generator().manual_seed(0))
    with torch.inference_mode():
        ours = network(package, (3, *size))(x)
        expected = logits(x, torch.load(file, weights_only=True))
    assert isinstance(ours, Tensor)
    assert expected.std() > 0.1
    assert (ours - expected).abs().max() < 1e-5 * expected.abs().max()


def test_a_copy_of_a_published_file_is_known_by_its_content(
    package: TrainedWeights, tmp_path: Path
) -> None:
    file = tmp_path / "mine.pth"
    file.write_bytes(content(package.name, package.source))
    found = weights_named(file)
    assert found.genotype == package.genotype
    assert (found.preprocessing, found.licence, found.note) == (TENSORFLOW, package.licence, "")


def saved(state: dict[str, Tensor], path: Path, **notes: Any) -> Path:
    if path.suffix == ".safetensors":
        names = list(state)
        random.Random(0).shuffle(names)
        metadata = {"hwnas": json.dumps(notes)} if notes else None
        save_file({name: state[name].contiguous() for name in names}, path, metadata)
    else:
        torch.save(state, path)
    return path


@pytest.mark.parametrize("ending", ["pth", "safetensors"])
def test_a_file_of_ones_own_is_known_by_its_shapes(tmp_path: Path, ending: str) -> None:
    state = own_state("MOBILENET_V2_0.35", classes=7)
    found = weights_named(str(saved(state, tmp_path / f"mine.{ending}")))
    assert (found.name, found.classes, found.side) == (f"mine.{ending}", 7, 224)
    assert found.genotype == KNOWN["MOBILENET_V2_0.35"]
    assert found.preprocessing == IMAGENET
    assert "does not say how its images were prepared" in found.note
    own = trained_state(found)
    assert all(torch.equal(own[name], one) for name, one in state.items())
    network(found, (3, 32, 32))


@pytest.mark.parametrize("ending", ["pth", "safetensors"])
def test_names_tell_whose_padding_and_preprocessing_it_is(tmp_path: Path, ending: str) -> None:
    state = port()
    found = weights_named(saved(state, tmp_path / f"a.{ending}"))
    assert (found.genotype, found.preprocessing) == (KNOWN["EFFICIENTNET_LITE0_SAME"], TENSORFLOW)
    expected = own_state("EFFICIENTNET_LITE0_SAME")
    own = trained_state(found)
    assert all(torch.equal(own[name], one) for name, one in expected.items())
    for name, network in (("lite0", "EFFICIENTNET_LITE0"), ("tf_lite0", "EFFICIENTNET_LITE0_SAME")):
        found = weights_named(saved(expected, tmp_path / f"{name}.{ending}"))
        assert found.genotype == KNOWN[network]
        assert f"have the same tensors; {network} is taken" in found.note


def test_a_port_of_a_network_that_has_torchs_padding_is_taken_and_said(tmp_path: Path) -> None:
    found = weights_named(saved(port(gated=True), tmp_path / "b0.safetensors"))
    assert (found.genotype, found.preprocessing) == (KNOWN["EFFICIENTNET_B0"], IMAGENET)
    assert "EFFICIENTNET_B0 has 'centred' and may lose accuracy" in found.note


def test_our_own_header_tells_what_images_the_weights_were_trained_on(tmp_path: Path) -> None:
    mean, std, genotype = [0.1, 0.2, 0.3], [0.4, 0.5, 0.6], KNOWN["EFFICIENTNET_LITE0_SAME"]
    file = saved(
        own_state("EFFICIENTNET_LITE0_SAME"),
        tmp_path / "w.safetensors",
        genotype=genotype.to_dict(),
        mean=mean,
        std=std,
        image=[3, 64, 64],
    )
    found = weights_named(file)
    assert found.preprocessing == Preprocessing(mean=(0.1, 0.2, 0.3), std=(0.4, 0.5, 0.6))
    assert (found.genotype, found.side, found.note) == (genotype, 64, "")


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"std": [1.0, 0.0, 1.0]}, "not of three channels"),
        ({"mean": 3}, "header is damaged"),
        ({"image": None}, "header is damaged"),
        ({"genotype": {"space": "darts"}}, "genotype"),
        ({"genotype": KNOWN["RESNET8"].to_dict()}, "not that of a known network"),
    ],
)
def test_a_header_that_is_not_true_is_refused(
    tmp_path: Path, change: dict[str, Any], words: str
) -> None:
    notes: dict[str, Any] = {
        "genotype": KNOWN["MOBILENET_V2_0.35"].to_dict(),
        "mean": [0.0] * 3,
        "std": [1.0] * 3,
        "image": [3, 64, 64],
    }
    file = saved(own_state("MOBILENET_V2_0.35"), tmp_path / "w.safetensors", **notes | change)
    with pytest.raises(InputError, match=words) as refused:
        weights_named(file)
    assert str(refused.value).startswith(str(file))
    assert "\n" not in str(refused.value)


def test_what_fits_no_network_is_told_the_nearest(tmp_path: Path) -> None:
    state = own_state("MOBILENET_V2_0.35")
    wide = {**state, "stage6.block0.6.weight": torch.zeros(114, 336, 1, 1)}
    with pytest.raises(
        InputError,
        match=r"fits none of the known networks; nearest is MOBILENET_V2_0.35: .*\(114, 336, 1, 1\), but",
    ):
        weights_named(saved(wide, tmp_path / "wide.pth"))
    grey = {**state, "stem.conv.0.weight": state["stem.conv.0.weight"][:, :1]}
    with pytest.raises(InputError, match=r"stem.conv.0.weight is of shape \(16, 1, 3, 3\), but"):
        weights_named(saved(grey, tmp_path / "grey.pth"))
    with pytest.raises(
        InputError, match=r"'layer0\.weight' are not those of torchvision, timm or hwnas"
    ):
        weights_named(saved({"layer0.weight": torch.zeros(3)}, tmp_path / "other.safetensors"))


@pytest.mark.parametrize("value", [float("nan"), float("inf")])
def test_numbers_that_are_not_finite_are_refused(tmp_path: Path, value: float) -> None:
    state = own_state("MOBILENET_V2_0.35")
    state["stem.conv.1.running_var"][3] = value
    found = weights_named(saved(state, tmp_path / "w.pth"))
    with pytest.raises(InputError, match=r"stem.conv.1.running_var holds what is no finite number"):
        trained_state(found)


def test_half_precision_is_read_as_single(tmp_path: Path) -> None:
    state = {name: one.half() for name, one in own_state("MOBILENET_V2_0.35").items()}
    own = trained_state(weights_named(saved(state, tmp_path / "w.safetensors")))
    assert {one.dtype for one in own.values()} == {torch.float32, torch.int64}


def test_a_word_that_is_neither_name_nor_file_is_told_the_nearest_name(tmp_path: Path) -> None:
    with pytest.raises(
        InputError,
        match=r"'efficientnet_lite': neither a file .* did you mean 'efficientnet-lite0'",
    ):
        weights_named("efficientnet_lite")
    missing = tmp_path / "w.pth"
    with pytest.raises(InputError, match=f"^{missing}: no such file$"):
        weights_named(missing)
    with pytest.raises(InputError, match=f"^{tmp_path}: not a file that can be read$"):
        weights_named(tmp_path)
    for odd in ("~nobody-here/w.pth", "x" * 300 + ".pth", "a\0.pth"):
        with pytest.raises(InputError, match=r": no such file$"):
            weights_named(odd)
    assert not is_at_hand(
        TrainedWeights(
            name="w",
            genotype=KNOWN["RESNET8"],
            source=OwnFile(path=missing),
            licence="",
            preprocessing=IMAGENET,
        )
    )
