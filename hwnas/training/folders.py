"""Data sets from image files: any folder with one sub-folder per class, and ImageNet through
torchvision."""

from __future__ import annotations

import math
import os
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path

import torch

from hwnas.heard import counted
from hwnas.training import torchvision_shim
from hwnas.training.arrays import build, default_augment
from hwnas.training.augment import Augment
from hwnas.training.dataset import Dataset
from hwnas.training.files import READERS, Files, spread
from hwnas.training.order import Labelled
from hwnas.training.parts import parts
from hwnas.training.picture import Header, probe
from hwnas.training.resized import SMALLEST_SIDE
from hwnas.training.scan import passed_over, scan, scan_test
from hwnas.training.stored import Images
from hwnas.training.usable import usable
from profilers.errors import InputError

# Published statistics of ImageNet's training images, used for any photographs that are not all read
# beforehand.
IMAGENET_STATISTICS = ((0.485, 0.456, 0.406), (0.229, 0.224, 0.225))
# Folders that decode to less than this are held in memory.
IN_MEMORY_BYTES = 1 << 30
_PROBED = 20_000


def load_folder(
    path: Path,
    *,
    seed: int,
    noise: float,
    image_size: int | None = None,
    test: Path | None = None,
    skip_broken: bool = False,
    crop: float = 1.0,
) -> Dataset:
    """Return the images under `path`: `train/CLASS/FILE` with `test/` or `val/` beside, or
    `CLASS/FILE`.

    `test`: the folder of the test images, `CLASS/FILE`, wherever it is. Without any a fixed fifth
    of each class is the test set. Size and channels are inferred from the files: the median shorter
    side, at most 224, unless `image_size` is given; grey where every file looked at is.
    `crop`: as in `Dataset`.
    `skip_broken`: every file is decoded first, and those that cannot be read are left out.
    """
    folder = parts(path, test)
    training = scan(folder.train)
    classes = training.classes
    testing = None if folder.test is None else scan_test(folder.test, classes)
    train_files, broken = usable(training, skip_broken)
    test_files: list[tuple[str, int]] = []
    if testing is not None:
        test_files, more = usable(testing, skip_broken)
        broken += more
    if test is not None:
        _check_same_classes(test, classes, {label for _, label in test_files})
    train_headers, test_headers = _headers(train_files), _headers(test_files)
    image = _infer_image(train_headers, test_headers, image_size)
    whole = (image[0], round(image[1] / crop), round(image[2] / crop))
    train = _labelled(train_files, whole, path)
    held = None if testing is None else _labelled(test_files, whole, path)
    lazy = isinstance(train.images, Files)
    statistics = (
        (IMAGENET_STATISTICS[0][: image[0]], IMAGENET_STATISTICS[1][: image[0]]) if lazy else None
    )
    dataset = build(
        path.name,
        classes,
        train,
        held,
        image=image,
        augment=default_augment(image) if crop == 1 else Augment(flip=image[0] > 1),
        seed=seed,
        noise=noise,
        statistics=statistics,
    )
    found = [training] if testing is None else [training, testing]
    notes = (*passed_over(found, folder.unused), *_notes(train_headers | test_headers, broken))
    return replace(dataset, notes=notes, crop=crop)


def load_imagenet(root: Path, *, seed: int, noise: float, image_size: int | None = None) -> Dataset:
    """Return ILSVRC 2012 from `root`: unpacked folders, or the archives that torchvision checks and
    unpacks.

    The public validation set is the test set. Nobody may download it for you: raises `InputError`
    where it is missing.
    """
    image = (3, image_size or 224, image_size or 224)
    try:
        train, test = (
            torchvision_shim.datasets().ImageNet(str(root), split=part) for part in ("train", "val")
        )
    except (RuntimeError, OSError, EOFError) as error:
        raise InputError(
            f"data set 'imagenet': not found or damaged in {root} ({error}); request ILSVRC 2012 at"
            " image-net.org, put its devkit, train and val archives in one folder, name it with"
            " --data-root"
        ) from error
    # Training images are cut out of whole pictures, so they stay in their files.
    parts = [_labelled(train.samples, image, root, 0), _labelled(test.samples, image, root)]
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


def _labelled(
    files: Sequence[tuple[str, int]],
    image: tuple[int, int, int],
    folder: Path,
    memory: int | None = None,
) -> Labelled:
    """Read the files, or leave those of more than `memory` bytes of pixels where they are.

    Names are those that are seen from `folder`.
    """
    paths = tuple(name for name, _ in files)
    images: Images = Files(paths=paths, image=image)
    if len(files) * math.prod(image) <= (IN_MEMORY_BYTES if memory is None else memory):
        images = images[torch.arange(len(files))]
    start = f"{folder}{os.sep}"
    names = tuple(
        path[len(start) :] if path.startswith(start) else os.path.relpath(path, folder)
        for path in paths
    )
    return Labelled(images, torch.tensor([label for _, label in files]), names)


def _check_same_classes(test: Path, classes: Sequence[str], found: set[int]) -> None:
    for label, name in enumerate(classes):
        if label not in found:
            raise InputError(
                f"data.test {test}: no folder for the class '{name}' of the training images"
            )


def _headers(files: Sequence[tuple[str, int]]) -> dict[str, Header]:
    """Return what the headers say of all files, or of many that are spread over the whole set."""
    names = [name for name, _ in files]
    probed = names if len(names) <= _PROBED else spread(names)[:: math.ceil(len(names) / _PROBED)]
    with ThreadPoolExecutor(READERS) as pool:
        headers = counted(pool.map(probe, probed), "headers of image files read", len(probed))
        return dict(zip(probed, headers, strict=True))


def _infer_image(
    train: Mapping[str, Header], test: Mapping[str, Header], image_size: int | None
) -> tuple[int, int, int]:
    """Return (channels, side, side): the side from training images alone."""
    channels = 1 if all(header.grey for part in (train, test) for header in part.values()) else 3
    sides = sorted(min(header.width, header.height) for header in train.values())
    side = image_size or min(224, sides[len(sides) // 2])
    if side < SMALLEST_SIDE:
        name = next(
            name for name, header in train.items() if min(header.width, header.height) <= side
        )
        raise InputError(f"image {name}: {side} pixels a side, smaller than {SMALLEST_SIDE}")
    return channels, side, side


def _notes(headers: Mapping[str, Header], broken: Sequence[str]) -> list[str]:
    """Return a line for each thing about the files that changes what is read of them."""
    lines = []
    if broken:
        many = f"{len(broken):,} files" if len(broken) > 1 else "1 file"
        lines.append(f"left out: {many} that cannot be read, such as {broken[0]}")
    pages = [name for name, header in headers.items() if header.more_pages]
    if pages:
        lines.append(
            f"only the first page or frame is read: {len(pages):,} files, such as {pages[0]}"
        )
    return lines
