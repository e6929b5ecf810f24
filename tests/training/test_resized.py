"""Arrays and public data sets at another side: the same for all kinds of images."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from hwnas.training import data
from hwnas.training.resized import resized
from profilers.errors import InputError

RNG = np.random.default_rng(3)


def pixels(count: int, height: int, width: int, channels: int = 3) -> torch.Tensor:
    shape = (count, channels, height, width)
    return torch.from_numpy(RNG.integers(0, 256, shape, dtype=np.uint8))


@pytest.mark.parametrize("factor", [2, 3])
def test_a_side_that_goes_into_it_takes_means(factor: int) -> None:
    images = pixels(5, 8 * factor, 8 * factor)
    tiles = images.double().reshape(5, 3, 8, factor, 8, factor)
    assert torch.equal(resized(images, 8, "x").double(), tiles.mean((3, 5)).round())


@pytest.mark.parametrize("side", [9, 20, 33])
def test_any_other_side_is_what_pillow_makes_of_it(side: int) -> None:
    images = pixels(3, 16, 16)
    ours = resized(images, side, "x").permute(0, 2, 3, 1).numpy().astype(int)
    for one, made in zip(images, ours, strict=True):
        picture = Image.fromarray(one.permute(1, 2, 0).numpy())
        theirs = picture.resize((side, side), Image.Resampling.BILINEAR)
        assert np.abs(np.asarray(theirs).astype(int) - made).max() <= 1


def test_the_middle_square_is_taken_and_no_side_changes_nothing() -> None:
    images = pixels(2, 10, 16)
    assert torch.equal(resized(images, 10, "x"), images[:, :, :, 3:13])
    assert resized(images, None, "x") is images


def test_a_side_that_no_network_takes_is_refused() -> None:
    with pytest.raises(InputError, match=r"^mine: image_size 7 is smaller than 8"):
        resized(pixels(2, 16, 16), 7, "mine")


def test_many_images_are_resized_in_pieces(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("hwnas.training.resized._AT_ONCE", 3 * 16 * 16)
    images = pixels(8, 16, 16, 1)
    some = torch.tensor([0, 2, 3, 7])
    assert torch.equal(resized(images, 8, "x")[some], resized(images[some], 8, "x"))


def test_digits_are_read_at_the_side_that_is_asked_for() -> None:
    dataset = data.load("digits", image_size=16)
    assert dataset.image == (1, 16, 16) and dataset.augment.crop_padding == 2
    assert next(data.batches(dataset, "test", 4)).x.shape == (4, 1, 16, 16)
    plain = data.load("digits")
    assert plain.image == (1, 8, 8) and plain.augment.crop_padding == 1


def test_an_archive_is_read_at_the_side_that_is_asked_for(tmp_path: Path) -> None:
    file = tmp_path / "mine.npz"
    x = RNG.integers(0, 256, (12, 16, 16, 3), dtype=np.uint8)
    y = np.arange(12) % 3
    np.savez(file, x_train=x, y_train=y, x_test=x[:6], y_test=y[:6])
    dataset = data.load(file, image_size=8)
    assert dataset.image == (3, 8, 8) and dataset.augment.crop_padding == 1
    assert len(dataset.train) == 12
    assert next(data.batches(dataset, "test", 6)).x.shape == (6, 3, 8, 8)
    with pytest.raises(InputError, match=r"mine\.npz: image_size 4 is smaller"):
        data.load(file, image_size=4)
