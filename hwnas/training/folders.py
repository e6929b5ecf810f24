"""Data sets from image files: any folder with one sub-folder per class, and ImageNet through torchvision."""

from __future__ import annotations

import math
import os
from collections.abc import Iterator, Sequence
from pathlib import Path

import torch

from hwnas.training import torchvision_shim
from hwnas.training.arrays import SMALLEST_SIDE, build, default_augment
from hwnas.training.augment import Augment
from hwnas.training.dataset import Dataset, Images
from hwnas.training.files import Files, spread
from hwnas.training.order import Labelled
from hwnas.training.picture import probe
from profilers.errors import InputError, nearest

EXTENSIONS = frozenset({".bmp", ".jpeg", ".jpg", ".pgm", ".png", ".ppm", ".tif", ".tiff", ".webp"})
# Published statistics of ImageNet's training images, used for any photographs that are not all read
# beforehand.
IMAGENET_STATISTICS = ((0.485, 0.456, 0.406), (0.229, 0.224, 0.225))
# Folders that decode to less than this are held in memory.
IN_MEMORY_BYTES = 1 << 30
_PROBED = 200
_TEST_NAMES = ("test", "val", "valid", "validation")


def load_folder(
    path: Path, *, seed: int, noise: float, image_size: int | None = None, test: Path | None = None
) -> Dataset:
    """Return the images under `path`: `train/CLASS/FILE` with `test/` or `val/` beside, or `CLASS/FILE`.

    `test`: the folder of the test images, `CLASS/FILE`, wherever it is. Without any a fixed fifth of each class
    is the test set. Size and channels are inferred from the files: the median shorter side, at most 224, unless
    `image_size` is given; grey where every file looked at is.
    """
    train_folder, test_folder = _parts(path) if test is None else (_training_folder(path, test), test)
    classes, train_files = _scan(train_folder)
    test_files = None if test_folder is None else _scan_test(test_folder, classes)
    if test is not None and test_files is not None:
        _check_same_classes(test, classes, {label for _, label in test_files})
    image = _infer_image(spread([name for name, _ in train_files]), image_size)
    train = _labelled(train_files, image, path)
    held = None if test_files is None else _labelled(test_files, image, path)
    lazy = isinstance(train.images, Files)
    statistics = (IMAGENET_STATISTICS[0][: image[0]], IMAGENET_STATISTICS[1][: image[0]]) if lazy else None
    augment = default_augment(image)
    return build(
        path.name,
        classes,
        train,
        held,
        image=image,
        augment=augment,
        seed=seed,
        noise=noise,
        statistics=statistics,
    )


def load_imagenet(root: Path, *, seed: int, noise: float, image_size: int | None = None) -> Dataset:
    """Return ILSVRC 2012 from `root`: unpacked folders, or the archives that torchvision checks and unpacks.

    The public validation set is the test set. Nobody may download it for you: raises `InputError` where it is
    missing.
    """
    image = (3, image_size or 224, image_size or 224)
    try:
        train, test = (
            torchvision_shim.datasets().ImageNet(str(root), split=part) for part in ("train", "val")
        )
    except (RuntimeError, OSError, EOFError) as error:
        raise InputError(
            f"data set 'imagenet': not found or damaged in {root} ({error}); request ILSVRC 2012 at "
            "image-net.org, put its devkit, train and val archives in one folder, name it with --data-root"
        ) from error
    parts = [_labelled(part.samples, image, root) for part in (train, test)]
    return build(
        "imagenet",
        tuple(", ".join(names) for names in train.classes),
        parts[0],
        parts[1],
        image=image,
        augment=Augment(flip=True, smallest_area=0.08),
        seed=seed,
        noise=noise,
        statistics=IMAGENET_STATISTICS,
    )


def _labelled(files: Sequence[tuple[str, int]], image: tuple[int, int, int], folder: Path) -> Labelled:
    """Read the files, or leave a large folder where it is; names are those that are seen from `folder`."""
    paths = tuple(name for name, _ in files)
    images: Images = Files(paths, image)
    if len(files) * math.prod(image) <= IN_MEMORY_BYTES:
        images = images[torch.arange(len(files))]
    start = f"{folder}{os.sep}"
    names = tuple(
        path[len(start) :] if path.startswith(start) else os.path.relpath(path, folder) for path in paths
    )
    return Labelled(images, torch.tensor([label for _, label in files]), names)


def _training_folder(path: Path, test: Path) -> Path:
    """Return the folder of the training images where the test images lie in `test`."""
    if not test.is_dir():
        raise InputError(f"data.test {test}: no such folder")
    classes = {entry.name for entry in test.iterdir() if entry.is_dir()}
    inner = path / "train"
    own = {entry.name for entry in path.iterdir() if entry.is_dir()}
    training = inner if inner.is_dir() and not classes <= own else path
    if test == training or training in test.parents or test in training.parents:
        raise InputError(
            f"data.test {test}: one in the other with the training images in {training}; keep them apart, so "
            "that no image is in both"
        )
    return training


def _check_same_classes(test: Path, classes: Sequence[str], found: set[int]) -> None:
    for label, name in enumerate(classes):
        if label not in found:
            raise InputError(f"data.test {test}: no folder for the class '{name}' of the training images")


def _parts(path: Path) -> tuple[Path, Path | None]:
    """Return the folders (training, test) of a data set; without a test folder the second is None."""
    if not (path / "train").is_dir():
        return path, None
    for name in _TEST_NAMES:
        if (path / name).is_dir():
            return path / "train", path / name
    raise InputError(f"data folder {path}: train/ without test/ or val/ beside it")


def _scan(folder: Path) -> tuple[tuple[str, ...], list[tuple[str, int]]]:
    """Return class names in alphabetical order and (file, class index) in the order of classes and names."""
    names = sorted(
        entry.name for entry in folder.iterdir() if entry.is_dir() and not entry.name.startswith(".")
    )
    if len(names) < 2:
        raise InputError(
            f"data folder {folder}: {len(names)} sub-folders; expected one per class, at least two"
        )
    files = [(str(file), label) for label, name in enumerate(names) for file in _images_in(folder / name)]
    return tuple(names), files


def _scan_test(folder: Path, classes: tuple[str, ...]) -> list[tuple[str, int]]:
    names, files = _scan(folder)
    for name in names:
        if name not in classes:
            raise InputError(
                f"data folder {folder / name}: class unknown in training{nearest(name, classes)}"
            )
    return [(file, classes.index(names[label])) for file, label in files]


def _images_in(folder: Path) -> Iterator[Path]:
    found = sorted(file for file in folder.rglob("*") if file.suffix.lower() in EXTENSIONS and file.is_file())
    if not found:
        raise InputError(f"data folder {folder}: no images (known: {', '.join(sorted(EXTENSIONS))})")
    return iter(found)


def _infer_image(names: Sequence[str], image_size: int | None) -> tuple[int, int, int]:
    """Return (channels, side, side) from files spread over the whole set."""
    probed = [probe(name) for name in names[:: max(1, len(names) // _PROBED)]]
    channels = 1 if all(mode in {"1", "L", "I;16"} for mode, _ in probed) else 3
    median = sorted(shorter for _, shorter in probed)[len(probed) // 2]
    side = image_size or min(224, median)
    if side < SMALLEST_SIDE:
        raise InputError(f"image {names[0]}: {side} pixels a side, smaller than {SMALLEST_SIDE}")
    return channels, side, side
