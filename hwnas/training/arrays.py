"""Data sets from arrays in memory: checks, noise, normalisation, and the user's own `.npz`."""

from __future__ import annotations

import math
from collections.abc import Mapping
from pathlib import Path
from types import MappingProxyType
from typing import Any

import numpy as np
import torch
from torch import Tensor

from hwnas.training.archive import MOST_CLASSES, class_names, read_npz
from hwnas.training.augment import Augment
from hwnas.training.dataset import Dataset, generator, halves
from hwnas.training.order import Labelled as Labelled
from hwnas.training.order import hold_out, in_order, taken
from hwnas.training.resized import SMALLEST_SIDE, resized
from hwnas.training.stored import Images
from profilers.errors import InputError

# Pixels of other types become bytes in pieces of so many numbers.
_PIECE = 1 << 24


def build(
    name: str,
    classes: tuple[str, ...],
    train: Labelled,
    test: Labelled | None,
    *,
    image: tuple[int, int, int],
    augment: Augment,
    seed: int,
    noise: float = 0.0,
    statistics: tuple[tuple[float, ...], tuple[float, ...]] | None = None,
) -> Dataset:
    """Join checked parts into a `Dataset`, in an order of their own, with the training set halved
    by `seed`.

    `test`: without it a fixed fifth of each class of `train` is held out. `noise`: as in
    `with_noise`, added here because it depends on the order. `statistics`: (mean, std) per channel;
    measured on the training images, which then have to be in memory, where it is not given. Raises
    `InputError` where a class has fewer than two training images or no test image is left.
    """
    if len(classes) < 2:
        raise InputError(f"data set '{name}': one class only, nothing to tell apart")
    train = in_order(train, classes)
    if test is None:
        kept, held_out = hold_out(train.labels)
        if not len(held_out):
            raise InputError(f"data set '{name}': {len(kept)} images, too few to hold out a fifth")
        train, test = taken(train, kept), taken(train, held_out)
    else:
        _check_test(name, classes, test.labels)
        test = in_order(test, classes)
    _check_training(name, classes, train.labels)
    weights, policy = halves(train.labels, seed)
    train, test = (
        part._replace(images=with_noise(part.images, noise, stream))
        for stream, part in enumerate((train, test))
    )
    if statistics is None:
        statistics = channel_statistics(train.images[torch.arange(len(train.images))])
    return Dataset(
        name=name,
        classes=classes,
        image=image,
        train=train.images,
        train_labels=train.labels,
        test=test.images,
        test_labels=test.labels,
        mean=statistics[0],
        std=statistics[1],
        split=MappingProxyType(
            {"weights": weights, "policy": policy, "train": torch.arange(len(train.labels))}
        ),
        augment=augment,
        test_names=test.names,
    )


def channel_statistics(images: Tensor) -> tuple[tuple[float, ...], tuple[float, ...]]:
    """Return mean and standard deviation per channel of pixel values in 0..1, exactly, from
    histograms.

    A channel that never changes gets the deviation 1, so that normalising it is harmless.
    """
    values = torch.arange(256, dtype=torch.float64) / 255
    means, deviations = [], []
    for channel in range(images.shape[1]):
        counts = torch.bincount(images[:, channel].reshape(-1).int(), minlength=256).double()
        share = counts / counts.sum()
        mean = float(share @ values)
        means.append(mean)
        deviations.append(float(share @ (values - mean) ** 2) ** 0.5 or 1.0)
    return tuple(means), tuple(deviations)


def with_noise(images: Images, std: float, stream: int) -> Images:
    """Return uint8 images with Gaussian noise of `std` (of the range 0..1) added, clipped as a
    sensor would.

    The noise of an image depends on `std`, `stream` and its position alone: the same in every epoch
    and run.
    """
    if not std:
        return images
    if not isinstance(images, Tensor):
        return images.disturbed(std, stream)
    chunks = enumerate(torch.split(images, 1000))
    return torch.cat([noisy(chunk, std, generator(stream, number)) for number, chunk in chunks])


def noisy(pixels: Tensor, std: float, source: torch.Generator) -> Tensor:
    """Return uint8 `pixels` plus Gaussian noise of `std` (of the range 0..1), rounded and
    clipped."""
    disturbed = pixels.float() + 255 * std * torch.randn(pixels.shape, generator=source)
    return disturbed.round().clamp(0, 255).to(torch.uint8)


def default_augment(image: tuple[int, int, int]) -> Augment:
    """Crop by an eighth of the side, as is usual for 32 x 32; mirror photographs, but not
    figures in grey."""
    channels, height, width = image
    return Augment(crop_padding=min(height, width) // 8, flip=channels > 1)


def load_npz(path: Path, *, seed: int, noise: float, image_size: int | None = None) -> Dataset:
    """Read `x_train`, `y_train`, `x_test`, `y_test` and, if present, the names `classes` from an
    archive.

    Images: (N, H, W), (N, H, W, C) or (N, C, H, W) with C of 1, 3 or 4; uint8, or floats in 0..1 or
    0..255. Labels: whole numbers from 0, (N,) or (N, 1), or one-hot (N, K). Nothing is unpickled.
    `image_size`: as hwnas.training.resized takes it. Raises `InputError` that names the file and
    the array.
    """
    arrays = read_npz(path)
    train, test = (
        Labelled(
            as_images(arrays[f"x_{part}"], f"{path}: x_{part}"),
            as_labels(arrays[f"y_{part}"], len(arrays[f"x_{part}"]), f"{path}: y_{part}"),
        )
        for part in ("train", "test")
    )
    assert isinstance(train.images, Tensor) and isinstance(test.images, Tensor)
    if train.images.shape[1:] != test.images.shape[1:]:
        raise InputError(
            f"{path}: x_train has images of {tuple(train.images.shape[1:])}, x_test of "
            f"{tuple(test.images.shape[1:])} (channels, height, width)"
        )
    images, test_images = (
        resized(part, image_size, str(path)) for part in (train.images, test.images)
    )
    image = _image(images)
    return build(
        path.stem,
        _class_names(arrays, int(train.labels.max()) + 1, path),
        train._replace(images=images),
        test._replace(images=test_images),
        image=image,
        augment=default_augment(image),
        seed=seed,
        noise=noise,
    )


def as_images(array: np.ndarray[Any, Any], where: str) -> Tensor:
    """Return `array` as uint8 (N, C, H, W), or raise `InputError` that begins with `where`."""
    if array.ndim == 3:
        array = array[:, None]
    elif array.ndim == 4 and array.shape[3] in (1, 3, 4):
        array = array.transpose(0, 3, 1, 2)
    if array.ndim != 4 or array.shape[1] not in (1, 3, 4) or not len(array):
        raise InputError(
            f"{where}: shape {array.shape}, expected (N, H, W), (N, H, W, C) or (N, C, H, W)"
        )
    if min(array.shape[2:]) < SMALLEST_SIDE:
        raise InputError(
            f"{where}: images of {array.shape[2:]} are smaller than {SMALLEST_SIDE} x"
            f" {SMALLEST_SIDE}"
        )
    return torch.from_numpy(np.ascontiguousarray(_as_bytes(array, where)))


def as_labels(array: np.ndarray[Any, Any], count: int, where: str) -> Tensor:
    """Return `array` as int64 (count,), or raise `InputError` that begins with `where`.

    A column (N, 1), rows (N, K) with a single one among zeros, and whole floats say the same.
    """
    if array.ndim == 2 and len(array) == count and array.shape[1] == 1:
        array = array[:, 0]
    elif array.ndim == 2 and len(array) == count and array.shape[1] > 1:
        array = _hot(array, where)
    if array.shape != (count,):
        raise InputError(f"{where}: shape {array.shape}, expected ({count},), one label per image")
    if array.dtype.kind == "b":
        array = array.astype(np.uint8)
    if array.dtype.kind == "f" and bool(np.all(np.isfinite(array) & (array == np.floor(array)))):
        # Beyond what any label is, floats become other whole numbers.
        array = np.minimum(array, MOST_CLASSES).astype(np.int64)
    if array.dtype.kind not in "iu" or array.min() < 0:
        raise InputError(
            f"{where}: labels are whole numbers from 0, not {array.dtype} from {array.min()}"
        )
    if int(array.max()) >= MOST_CLASSES:
        raise InputError(
            f"{where}: label {array.max()}; labels are class numbers 0, 1, 2, ... without gaps"
        )
    return torch.from_numpy(array.astype(np.int64))


def _hot(array: np.ndarray[Any, Any], where: str) -> np.ndarray[Any, Any]:
    """The place of the one in every row. Raises InputError where a row has none, or several."""
    ones = array == 1
    single = (ones | (array == 0)).all(axis=1) & (ones.sum(axis=1) == 1)
    if not single.all():
        row = int(np.argmin(single))
        raise InputError(
            f"{where}: row {row} of shape {array.shape[1:]} is no single one among zeros: an image"
            " has one class here, (N,) or one-hot"
        )
    return np.asarray(np.argmax(ones, axis=1))


def _as_bytes(array: np.ndarray[Any, Any], where: str) -> np.ndarray[Any, Any]:
    if array.dtype == np.uint8:
        return array
    if array.dtype.kind not in "fiu":
        raise InputError(
            f"{where}: pixels of type {array.dtype}, expected uint8 or numbers in 0..1 or 0..255"
        )
    low, high = float(array.min()), float(array.max())
    # Written so that NaN, for which every comparison is false, is refused as well.
    if not 0 <= low <= high <= 255:
        raise InputError(
            f"{where}: pixels from {low} to {high}, expected numbers in 0..1 or 0..255"
        )
    scale = 255 if array.dtype.kind == "f" and high <= 1 else 1
    pixels = np.empty(array.shape, np.uint8)
    step = max(1, _PIECE // max(1, math.prod(array.shape[1:])))
    for start in range(0, len(array), step):
        pixels[start : start + step] = np.round(array[start : start + step] * scale)
    return pixels


def _class_names(
    arrays: Mapping[str, np.ndarray[Any, Any]], count: int, path: Path
) -> tuple[str, ...]:
    if "classes" not in arrays:
        return tuple(map(str, range(count)))
    names = class_names(arrays["classes"], path)
    if len(names) < count or len(set(names)) < len(names):
        raise InputError(
            f"{path}: classes has {len(set(names))} different names for labels up to {count - 1}"
        )
    return names


def _check_training(name: str, classes: tuple[str, ...], labels: Tensor) -> None:
    counts = torch.bincount(labels, minlength=len(classes))
    few = [
        f"'{one}' has {int(count)}" for one, count in zip(classes, counts, strict=True) if count < 2
    ]
    if few:
        raise InputError(
            f"data set '{name}': too few training images: class {', '.join(few[:5])}"
            f"{' and so on' * (len(few) > 5)}; each class needs two, one that trains and one that"
            " compares networks. Add images, or leave the class out"
        )


def _check_test(name: str, classes: tuple[str, ...], labels: Tensor) -> None:
    if not len(labels):
        raise InputError(f"data set '{name}': no test images")
    if int(labels.max()) >= len(classes):
        raise InputError(
            f"data set '{name}': test label {int(labels.max())}, but {len(classes)} classes in"
            " training"
        )


def _image(images: Tensor) -> tuple[int, int, int]:
    _, channels, height, width = images.shape
    return channels, height, width
