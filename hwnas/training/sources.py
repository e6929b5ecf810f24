"""Public data sets by name: scikit-learn's digits, and what torchvision downloads and checks."""

from __future__ import annotations

import contextlib
import importlib.util
import sys
import warnings
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from hwnas.training import torchvision_shim
from hwnas.training.arrays import Labelled, as_images, build, default_augment
from hwnas.training.augment import Augment
from hwnas.training.dataset import Dataset
from hwnas.training.named import TORCHVISION
from hwnas.training.resized import resized
from profilers.errors import InputError


def load_digits(*, seed: int, noise: float, image_size: int | None = None) -> Dataset:
    """Return scikit-learn's 1,797 real 8 x 8 digits (from UCI), a fixed fifth of them for
    testing; ``image_size``: as hwnas.training.resized takes it."""
    pixels, labels = _digits()
    # 0..16 of the file to 0..255.
    images = torch.from_numpy((pixels * (255 / 16)).round().astype(np.uint8)).view(-1, 1, 8, 8)
    images = resized(images, image_size, "digits")
    side = images.shape[2]
    return build(
        "digits",
        tuple("0123456789"),
        Labelled(images, labels),
        None,
        image=(1, side, side),
        # An eighth of the width; a mirrored digit is no digit.
        augment=Augment(crop_padding=side // 8),
        seed=seed,
        noise=noise,
    )


def load_torchvision(
    name: str,
    root: Path,
    *,
    download: bool,
    seed: int,
    noise: float,
    image_size: int | None = None,
) -> Dataset:
    """Return one of `TORCHVISION`, read and checked by torchvision from `root`.

    `image_size`: as hwnas.training.resized takes it.
    CIFAR is stored as pickles, which torchvision opens only after their md5 sums have matched its
    own list. Raises `InputError` where the files are missing or damaged, or cannot be downloaded.
    """
    train, test = (
        _torchvision_part(name, root, train=part, download=download) for part in (True, False)
    )
    parts = [
        Labelled(
            resized(as_images(np.asarray(part.data), name), image_size, name),
            torch.as_tensor(part.targets).long(),
        )
        for part in (train, test)
    ]
    images = parts[0].images
    assert isinstance(images, Tensor)
    image = (images.shape[1], images.shape[2], images.shape[3])
    # Clothes are worn either way round, although in grey.
    augment = replace(default_augment(image), flip=True)
    classes = tuple(train.classes)
    return build(
        name, classes, parts[0], parts[1], image=image, augment=augment, seed=seed, noise=noise
    )


def _torchvision_part(name: str, root: Path, *, train: bool, download: bool) -> Any:
    reader = getattr(torchvision_shim.datasets(), TORCHVISION[name])
    # Progress goes to stderr, and NumPy's remarks about pickles written by older versions are not
    # for our users.
    with contextlib.redirect_stdout(sys.stderr), warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            return reader(str(root), train=train, download=download)
        except (RuntimeError, OSError, ValueError, AssertionError, EOFError) as error:
            raise InputError(_missing(name, root, download, error)) from error


def _missing(name: str, root: Path, download: bool, error: Exception) -> str:
    if download:
        return f"data set '{name}': the download to {root} failed ({error})"
    return (
        f"data set '{name}': not found or damaged in {root}; --download fetches and checks it, "
        f"--data-root says where it is"
    )


def _digits() -> tuple[np.ndarray[Any, Any], Tensor]:
    """Read scikit-learn's file itself where it lies as known: importing sklearn.datasets takes
    seconds."""
    spec = importlib.util.find_spec("sklearn")
    file = (
        Path(spec.origin or "").parent / "datasets" / "data" / "digits.csv.gz" if spec else Path()
    )
    if file.is_file():
        table = np.loadtxt(file, delimiter=",")
        pixels, labels = table[:, :-1], table[:, -1]
    else:
        from sklearn.datasets import load_digits

        pixels, labels = load_digits(return_X_y=True)
    return pixels, torch.from_numpy(labels.astype(np.int64))
