"""Data sets from image files: any folder with one sub-folder per class, and ImageNet through torchvision."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import torch
from torch import Tensor

from hwnas.training import torchvision_shim
from hwnas.training.arrays import SMALLEST_SIDE, Labelled, build, default_augment, noisy
from hwnas.training.augment import Augment
from hwnas.training.dataset import Dataset, Images, generator
from hwnas.training.picture import probe, read_image
from hwnas.training.sources import hold_out
from profilers.errors import InputError, nearest

EXTENSIONS = frozenset({".bmp", ".jpeg", ".jpg", ".pgm", ".png", ".ppm", ".tif", ".tiff", ".webp"})
# Published statistics of ImageNet's training images, used for any photographs that are not all read
# beforehand.
IMAGENET_STATISTICS = ((0.485, 0.456, 0.406), (0.229, 0.224, 0.225))
# Folders that decode to less than this are held in memory.
IN_MEMORY_BYTES = 1 << 30
_PROBED = 200
_TEST_NAMES = ("test", "val", "valid", "validation")
_READERS = 4


@dataclass(frozen=True, repr=False)
class Files:
    """Images that are read when they are asked for: the shorter side resized to `side`, the centre cut out.

    `noise`: standard deviation of Gaussian noise, in the range 0..1, a function of `stream` and the index
    alone.
    """

    paths: tuple[str, ...]
    image: tuple[int, int, int]
    noise: float = 0.0
    stream: int = 0

    def __len__(self) -> int:
        """Return the number of files."""
        return len(self.paths)

    def __getitem__(self, index: Tensor, /) -> Tensor:
        """Return uint8 (n, C, H, W); raises `InputError` that names an unreadable file."""
        # Decoding releases Python's lock; `map` keeps the order, so threads change nothing but the time.
        with ThreadPoolExecutor(_READERS) as pool:
            return torch.stack(list(pool.map(self._read, index.tolist())))

    def _read(self, index: int) -> Tensor:
        pixels = read_image(self.paths[index], self.image)
        return noisy(pixels, self.noise, generator(self.stream, index)) if self.noise else pixels

    def __repr__(self) -> str:
        """State what a digest has to notice: which files, of which sizes, read how."""
        files = [(Path(path).name, Path(path).stat().st_size) for path in self.paths]
        return f"Files({self.image}, {self.noise}, {files})"


def load_folder(path: Path, *, seed: int, noise: float, image_size: int | None = None) -> Dataset:
    """Return the images under `path`: `train/CLASS/FILE` with `test/` or `val/` beside, or `CLASS/FILE`.

    Without a test folder a fixed fifth of each class is the test set. Size and channels are inferred from the
    files: the median shorter side, at most 224, unless `image_size` is given; grey where every file looked at
    is.
    """
    train_folder, test_folder = _parts(path)
    classes, train_files = _scan(train_folder)
    if test_folder is None:
        labels = torch.tensor([label for _, label in train_files])
        train_index, test_index = hold_out(labels)
        if not len(test_index):
            raise InputError(f"data folder {path}: {len(labels)} images, too few to hold out a fifth")
        test_files = [train_files[i] for i in test_index.tolist()]
        train_files = [train_files[i] for i in train_index.tolist()]
    else:
        test_files = _scan_test(test_folder, classes)
    image = _infer_image([name for name, _ in train_files], image_size)
    train, test = (
        _labelled(files, image, noise, part) for part, files in enumerate((train_files, test_files))
    )
    lazy = isinstance(train.images, Files)
    statistics = (IMAGENET_STATISTICS[0][: image[0]], IMAGENET_STATISTICS[1][: image[0]]) if lazy else None
    augment = default_augment(image)
    return build(
        path.name, classes, train, test, image=image, augment=augment, seed=seed, statistics=statistics
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
    parts = [_labelled(part.samples, image, noise, stream) for stream, part in enumerate((train, test))]
    return build(
        "imagenet",
        tuple(", ".join(names) for names in train.classes),
        parts[0],
        parts[1],
        image=image,
        augment=Augment(flip=True, smallest_area=0.08),
        seed=seed,
        statistics=IMAGENET_STATISTICS,
    )


def _labelled(
    files: Sequence[tuple[str, int]], image: tuple[int, int, int], noise: float, stream: int
) -> Labelled:
    images: Images = Files(tuple(name for name, _ in files), image, noise, stream)
    if len(files) * math.prod(image) <= IN_MEMORY_BYTES:
        images = images[torch.arange(len(files))]
    return Labelled(images, torch.tensor([label for _, label in files]))


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
