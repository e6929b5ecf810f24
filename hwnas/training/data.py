"""The one door to images: a name, a folder or an `.npz` file becomes a `Dataset`."""

from __future__ import annotations

import os
from pathlib import Path

from hwnas.errors import quoted
from hwnas.training.arrays import load_npz
from hwnas.training.augment import Augment
from hwnas.training.dataset import (
    Batch,
    Dataset,
    Split,
    batch_count,
    batches,
    equal_batches,
    sample,
    size,
    to_device,
)
from hwnas.training.fingerprint import digest
from hwnas.training.named import NAMES, TORCHVISION, check_named
from hwnas.training.sources import load_digits, load_torchvision
from profilers.errors import InputError
from profilers.limited import why_no_file

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
    "equal_batches",
    "load",
    "sample",
    "size",
    "to_device",
]


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
    test: Path | None = None,
    skip_broken: bool = False,
    crop: float = 1.0,
) -> Dataset:
    """Return the data set that `source` names: one of `NAMES`, a folder of images, or an `.npz`
    file.

    `root`: where public data sets are, by default `default_root()`; `download`: fetch a missing
    one. `seed`: how the training set is halved; the test set never depends on it. `noise`: standard
    deviation of Gaussian noise on every image, in the range 0..1. `image_size`: side in pixels that
    images are resized to; without it that of the arrays, or what suits a folder. `test`: a folder
    of test images, one sub-folder per class, where `source` is a folder.
    `crop`: which part of the side of each picture's middle square is seen, of a folder.
    `skip_broken`: leave out the files of a folder that cannot be read. The order of files, of their
    names (but see hwnas.training.order) and of rows changes nothing. Raises `InputError` with one
    helpful line for anything that cannot be used.
    """
    word, root = str(source), root or default_root()
    if not 0 <= noise <= 1:
        raise InputError(f"data noise {noise}: expected a standard deviation in 0..1")
    if test is not None and (word in NAMES or word.lower().endswith(".npz")):
        raise InputError(f"data.test {test}: only a folder of images takes one, not {word!r}")
    if word == "digits":
        return load_digits(seed=seed, noise=noise, image_size=image_size)
    if word in TORCHVISION:
        return load_torchvision(
            word, root, download=download, seed=seed, noise=noise, image_size=image_size
        )
    # Here, since only pictures in files need Pillow.
    from hwnas.training.folders import load_folder, load_imagenet
    from hwnas.training.pixels import Unreadable

    if word == "imagenet":
        return load_imagenet(root, seed=seed, noise=noise, image_size=image_size)
    check_named(source)
    path = Path(source).expanduser()
    if os.path.isdir(path):  # not Path.is_dir(), which raises for what may not be looked at
        try:
            return load_folder(
                path.resolve(),
                seed=seed,
                noise=noise,
                image_size=image_size,
                test=test.expanduser().resolve() if test else None,
                skip_broken=skip_broken,
                crop=crop,
            )
        except Unreadable as error:
            raise InputError(
                f"{error}; hwnas doctor --data {quoted(path)} lists all such files,"
                " --skip-broken leaves them out"
            ) from error
    if path.suffix.lower() == ".npz":
        wrong = why_no_file(path)
        if wrong is not None:
            raise InputError(f"data file {path}: {wrong}")
        return load_npz(path, seed=seed, noise=noise, image_size=image_size)
    wrong = why_no_file(path) or "neither a folder of images nor an .npz file"
    raise InputError(f"data set {word}: {wrong}")
