"""The one door to images: a name, a folder or an `.npz` file becomes a `Dataset`."""

from __future__ import annotations

from pathlib import Path

from hwnas.training.arrays import load_npz
from hwnas.training.augment import Augment
from hwnas.training.dataset import (
    Batch,
    Dataset,
    Split,
    batch_count,
    batches,
    digest,
    sample,
    size,
    to_device,
)
from hwnas.training.sources import TORCHVISION, load_digits, load_torchvision
from profilers.errors import InputError, nearest

__all__ = [
    "NAMES",
    "Augment",
    "Batch",
    "Dataset",
    "Split",
    "batch_count",
    "batches",
    "default_root",
    "digest",
    "load",
    "sample",
    "size",
    "to_device",
]

NAMES = ("digits", *TORCHVISION, "imagenet")


def default_root() -> Path:
    """Return the folder where downloaded data sets are kept unless `--data-root` says otherwise."""
    return Path.home() / ".cache" / "hwnas" / "data"


def load(
    source: str | Path,
    *,
    root: Path | None = None,
    download: bool = False,
    seed: int = 0,
    noise: float = 0.0,
    image_size: int | None = None,
) -> Dataset:
    """Return the data set that `source` names: one of `NAMES`, a folder of images, or an `.npz` file.

    `root`: where public data sets are, by default `default_root()`; `download`: fetch a missing one. `seed`:
    how the training set is halved; the test set never depends on it. `noise`: standard deviation of Gaussian
    noise on every image, in the range 0..1. `image_size`: side in pixels for folders and ImageNet, inferred
    without it. Raises `InputError` with one helpful line for anything that cannot be used.
    """
    word, root = str(source), root or default_root()
    if not 0 <= noise <= 1:
        raise InputError(f"data noise {noise}: expected a standard deviation in 0..1")
    if word == "digits":
        return load_digits(seed=seed, noise=noise)
    if word in TORCHVISION:
        return load_torchvision(word, root, download=download, seed=seed, noise=noise)
    # Here, since only pictures in files need Pillow.
    from hwnas.training.folders import load_folder, load_imagenet

    if word == "imagenet":
        return load_imagenet(root, seed=seed, noise=noise, image_size=image_size)
    path = Path(source).expanduser()
    if path.is_dir():
        return load_folder(path.resolve(), seed=seed, noise=noise, image_size=image_size)
    if path.suffix == ".npz":
        if not path.is_file():
            raise InputError(f"data file {path}: not found")
        return load_npz(path, seed=seed, noise=noise)
    raise InputError(
        f"unknown data set '{word}', and no folder or .npz file of that name{nearest(word, NAMES)}"
    )
