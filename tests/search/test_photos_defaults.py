"""What a search of photos takes where its user does not say."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from hwnas.config import resolve
from hwnas.nets.trained import TRAINED
from hwnas.search import photos
from hwnas.search.fitting import SMALL_SIDE
from hwnas.search.photos import with_weights
from hwnas.training.first_look import FirstLook, first_look
from profilers.errors import InputError

OBJECTIVE = {"objectives": [{"metric": "latency"}]}


def folder(root: Path, side: int, each: int = 3) -> Path:
    """Photos of two classes."""
    rng = np.random.default_rng(side)
    for name in ("oak", "pine"):
        (root / name).mkdir(parents=True)
        for number in range(each):
            pixels = rng.integers(0, 255, (side, side + 7, 3)).astype(np.uint8)
            Image.fromarray(pixels).save(root / name / f"{number}.png")
    return root


@pytest.fixture(autouse=True)
def _at_hand(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(photos, "is_at_hand", lambda weights: True)


def given(path: Path, **more: Any) -> dict[str, Any]:
    return {**OBJECTIVE, "data": {"source": str(path)}, **more}


def test_a_first_look_counts_images_and_takes_the_median_of_their_shorter_sides(
    tmp_path: Path,
) -> None:
    # Of six, a fifth is held out to test on.
    assert first_look(folder(tmp_path, 50)) == FirstLook(images=4, classes=2, side=50)


def test_photos_start_from_trained_weights_in_the_space_of_their_parts_and_one_line_says_so(
    tmp_path: Path,
) -> None:
    said: list[str] = []
    found = with_weights(given(folder(tmp_path, 70)), None, said.append)
    config = resolve(found)
    assert (config.space, config.weights_from) == (
        "efficientnet-lite0-elastic",
        "efficientnet-lite0",
    )
    assert config.data.image_size == 64  # the largest offered side that the photos have
    assert config.data.mean == TRAINED["efficientnet-lite0"].preprocessing.mean
    assert [stage.train for stage in config.stages] == ["largest", "paths", "nothing"]
    assert len(said) == 1 and "--weights-from none" in said[0] and "--image-size" in said[0]


@pytest.mark.parametrize(
    "more",
    [
        {"weights_from": "none"},
        {"space": "darts"},
        {"algorithm": "ndarts"},
        {"objectives": None},
        {"evaluation": {"channels": 8}},
    ],
)
def test_nothing_is_chosen_for_a_user_who_has_said_something_else(
    tmp_path: Path, more: dict[str, Any]
) -> None:
    asked = given(folder(tmp_path, 70), **more)
    found = with_weights(asked, None)
    assert found == {key: value for key, value in asked.items() if key != "weights_from"}


def test_nothing_is_chosen_for_names_of_data_sets_and_configs(tmp_path: Path) -> None:
    named = {**OBJECTIVE, "data": {"source": "cifar10"}}
    assert with_weights(named, None) == named
    large = given(folder(tmp_path, 70))
    assert with_weights(large, "tnd-cifar10") == large


@pytest.mark.parametrize("side", [40, 70])
def test_small_images_and_such_made_small_are_searched_with_chains(
    tmp_path: Path, side: int
) -> None:
    asked, said = given(folder(tmp_path, side)), list[str]()
    if side > SMALL_SIDE:
        asked["data"]["image_size"] = 32
    config = resolve(with_weights(asked, None, said.append))
    assert (config.space, config.weights_from) == ("mobile-small", None)
    assert config.data.image_size == (32 if side > SMALL_SIDE else None)
    assert len(said) == 1 and "--space" in said[0] and "--epochs" in said[0]


def test_an_archive_is_looked_at_by_its_headers(tmp_path: Path) -> None:
    images, labels = np.zeros((30, 28, 28, 3), np.uint8), np.arange(30) % 4
    np.savez(tmp_path / "a.npz", x_train=images, y_train=labels, x_test=images, y_test=labels)
    found = first_look(tmp_path / "a.npz")
    assert found == FirstLook(images=30, classes=4, side=28, resizable=False)
    config = resolve(with_weights(given(tmp_path / "a.npz"), None))
    assert (config.space, config.data.image_size) == ("mobile-small", None)


def test_where_no_weights_are_at_hand_a_line_says_how_to_get_them(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(photos, "is_at_hand", lambda weights: False)
    said: list[str] = []
    asked = given(folder(tmp_path, 70))
    config = resolve(with_weights(asked, None, said.append))
    assert (config.space, config.data.image_size) == ("mobile", 64)
    assert len(said) == 2 and "hwnas[pretrained]" in said[0]


def test_named_weights_bring_their_space_unless_one_is_said(tmp_path: Path) -> None:
    found = with_weights({"weights_from": "mobilenet-v2"}, None)
    assert found["space"] == "mobilenet-v2-elastic"
    assert "space" not in with_weights({"weights_from": "mobilenet-v2"}, "some.toml")
    said = with_weights({"weights_from": "mobilenet-v2", "space": "darts"}, None)
    with pytest.raises(InputError, match="weights_from: the options of darts share no weights"):
        resolve(said)


def test_unknown_weights_and_those_without_a_space_are_refused() -> None:
    with pytest.raises(InputError, match="neither a file nor a known name"):
        with_weights({"weights_from": "mobilenet-v9"}, None)
    with pytest.raises(InputError, match="no elastic space is made of fbnet-c's network"):
        with_weights({"weights_from": "fbnet-c"}, None)
