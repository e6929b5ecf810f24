"""preprocess.py, written beside exported files, reads photos as hwnas does, number for number."""

from __future__ import annotations

import importlib.util
from copy import deepcopy
from dataclasses import replace
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import pytest

from hwnas.export.interface import Interface
from hwnas.export.predict import image_of
from hwnas.export.preprocess_text import PREPROCESS
from hwnas.export.usage import photo_rule, usage
from hwnas.export.usage_file import checked_usage
from hwnas.space import SPACES
from hwnas.space.build import own_image
from hwnas.space.genotype import sized
from hwnas.space.task import Task
from hwnas.space.text import parse
from hwnas.training.weights import Weights

from .networks import halved
from .photos import made


def weights(
    image: tuple[int, int, int] = (3, 16, 16), crop: float = 1.0, name: str = "DARTS_V2"
) -> Weights:
    channels = image[0]
    return Weights(
        tensors={},
        architecture=sized(parse(name), 4, 3),
        classes=("a b", "c, 1.5", "d"),
        image=image,
        stem="cifar",
        mean=(0.5, 0.4, 0.3)[:channels],
        std=(0.25, 0.2, 0.3)[:channels],
        notes={},
        crop=crop,
    )


@pytest.fixture(scope="module")
def program(tmp_path_factory: pytest.TempPathFactory) -> ModuleType:
    path = tmp_path_factory.mktemp("alone") / "preprocess.py"
    path.write_text(PREPROCESS)
    spec = importlib.util.spec_from_file_location("preprocess", path)
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture(scope="module")
def photos(tmp_path_factory: pytest.TempPathFactory) -> list[Path]:
    return made(tmp_path_factory.mktemp("odd") / "photos")


def averaged(said: dict[str, Any], side: int) -> dict[str, Any]:
    """The same for a network that has chosen a smaller side."""
    changed = deepcopy(said)
    changed["photo"]["average"] = {"side": side}
    return changed


KINDS = {
    "plain": usage(weights(), Interface()),
    "a window of it": usage(weights(crop=0.8), Interface(raw=True, channels_last=True)),
    "an uneven window": usage(weights((3, 15, 15), crop=0.79), Interface(channels_last=True)),
    "grey": usage(weights((1, 16, 16)), Interface()),
    "averaged": averaged(usage(weights(crop=0.8), Interface()), 11),
}


@pytest.mark.parametrize("kind", KINDS)
def test_it_gives_the_numbers_that_hwnas_gives(
    kind: str, program: ModuleType, photos: list[Path]
) -> None:
    said = KINDS[kind]
    checked = checked_usage(said, Path("x"))
    assert len(photos) > 20
    for photo in photos:
        ours, theirs = image_of(str(photo), checked).numpy(), program.image_array(photo, said)
        assert theirs.dtype == ours.dtype and theirs.shape == ours.shape, photo
        assert np.allclose(theirs, ours, rtol=0, atol=1e-5), photo


def test_the_turns_of_exif_are_told_apart(program: ModuleType, photos: list[Path]) -> None:
    """Of a picture without symmetry each of the eight gives another image."""
    found = {
        program.image_array(photo, KINDS["plain"]).tobytes()
        for photo in photos
        if photo.stem.startswith("turned")
    }
    assert len(found) == 8


def test_average_pooling_is_that_of_torch(program: ModuleType) -> None:
    values = np.arange(7 * 7, dtype=float).reshape(7, 7, 1)
    # Windows of 7 into 3: rows 0..2, 2..4, 4..6; so the first mean is that of the top left 3 x 3.
    expected = [
        [8.0, 10.0, 12.0],
        [22.0, 24.0, 26.0],
        [36.0, 38.0, 40.0],
    ]
    assert np.allclose(program.averaged(values, 3)[:, :, 0], expected)


def test_probabilities_are_the_softmax_unless_it_is_inside(program: ModuleType) -> None:
    said = {"classes": ["a", "b"], "output": {"softmax_inside": False}}
    ((first, share), _) = program.best(np.array([[0.0, np.log(3)]]), said)
    assert first == "b" and share == pytest.approx(0.75)
    said["output"] = {"softmax_inside": True}
    assert program.best(np.array([0.25, 0.75]), said, top=1) == [("b", 0.75)]


def test_images_that_no_photo_becomes_have_no_rule() -> None:
    assert photo_rule(weights((3, 20, 32))) is None
    assert photo_rule(weights((2, 16, 16))) is None


def test_a_network_of_a_smaller_side_says_how_its_images_are_averaged_down() -> None:
    side = min(SPACES["mobile"].decisions[0].operations, key=float)
    of_one = replace(weights((3, 64, 64)), architecture=halved(side))
    own = own_image(of_one.architecture, Task(classes=3, image=of_one.image))[1]
    said = photo_rule(of_one)
    assert own < 64 and said is not None and said["average"]["side"] == own
    assert usage(of_one, Interface())["input"]["shape"] == [None, 3, own, own]
