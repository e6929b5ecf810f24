"""Data sets from image files: any folder with one sub-folder per class, and ImageNet through torchvision."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from pathlib import Path

import torch
from torch import Tensor

from hwnas.training import torchvision_shim
from hwnas.training.arrays import SMALLEST_SIDE, Labelled, build, default_augment, noisy
from hwnas.training.augment import Augment
from hwnas.training.dataset import Dataset, Images, generator
from hwnas.training.picture import Header, probe, read_image
from hwnas.training.scan import parts, passed_over, scan, scan_test
from hwnas.training.sources import hold_out
from hwnas.training.usable import READERS, usable
from profilers.errors import InputError

# Published statistics of ImageNet's training images, used for any photographs that are not all read
# beforehand.
IMAGENET_STATISTICS = ((0.485, 0.456, 0.406), (0.229, 0.224, 0.225))
# Folders that decode to less than this are held in memory.
IN_MEMORY_BYTES = 1 << 30
_PROBED = 20_000


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
        with ThreadPoolExecutor(READERS) as pool:
            return torch.stack(list(pool.map(self._read, index.tolist())))

    def _read(self, index: int) -> Tensor:
        pixels = read_image(self.paths[index], self.image)
        return noisy(pixels, self.noise, generator(self.stream, index)) if self.noise else pixels

    def __repr__(self) -> str:
        """State what a digest has to notice: which files, of which sizes, read how."""
        files = [(Path(path).name, Path(path).stat().st_size) for path in self.paths]
        return f"Files({self.image}, {self.noise}, {files})"


def load_folder(
    path: Path, *, seed: int, noise: float, image_size: int | None = None, skip_broken: bool = False
) -> Dataset:
    """Return the images under `path`: `train/CLASS/FILE` with `test/` or `val/` beside, or `CLASS/FILE`.

    Without a test folder a fixed fifth of each class is the test set. Size and channels are inferred from the
    files: the median shorter side, at most 224, unless `image_size` is given; grey where every file looked at
    is. `skip_broken`: every file is decoded first, and those that cannot be read are left out.
    """
    folder = parts(path)
    training = scan(folder.train)
    testing = scan_test(folder.test, training.classes) if folder.test is not None else None
    classes, found = training.classes, [training, *([testing] if testing else [])]
    train_files, broken = usable(training, skip_broken)
    if testing is None:
        labels = torch.tensor([label for _, label in train_files])
        train_index, test_index = hold_out(labels)
        if not len(test_index):
            raise InputError(f"data folder {path}: {len(labels)} images, too few to hold out a fifth")
        test_files = [train_files[i] for i in test_index.tolist()]
        train_files = [train_files[i] for i in train_index.tolist()]
    else:
        test_files, more = usable(testing, skip_broken)
        broken += more
    headers = _headers([name for name, _ in [*train_files, *test_files]])
    image = _infer_image(headers, image_size)
    train, test = (
        _labelled(files, image, noise, part) for part, files in enumerate((train_files, test_files))
    )
    lazy = isinstance(train.images, Files)
    statistics = (IMAGENET_STATISTICS[0][: image[0]], IMAGENET_STATISTICS[1][: image[0]]) if lazy else None
    augment = default_augment(image)
    dataset = build(
        path.name, classes, train, test, image=image, augment=augment, seed=seed, statistics=statistics
    )
    return replace(dataset, notes=(*passed_over(found, folder.unused), *_notes(headers, broken)))


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


def _headers(names: Sequence[str]) -> dict[str, Header]:
    """Return what the headers say of all files, or of many that are spread over the whole set."""
    probed = names[:: math.ceil(len(names) / _PROBED)]
    with ThreadPoolExecutor(READERS) as pool:
        return dict(zip(probed, pool.map(probe, probed), strict=True))


def _infer_image(headers: Mapping[str, Header], image_size: int | None) -> tuple[int, int, int]:
    """Return (channels, side, side)."""
    channels = 1 if all(header.grey for header in headers.values()) else 3
    sides = sorted(min(header.width, header.height) for header in headers.values())
    side = image_size or min(224, sides[len(sides) // 2])
    if side < SMALLEST_SIDE:
        name = next(name for name, header in headers.items() if min(header.width, header.height) <= side)
        raise InputError(f"image {name}: {side} pixels a side, smaller than {SMALLEST_SIDE}")
    return channels, side, side


def _notes(headers: Mapping[str, Header], broken: Sequence[str]) -> list[str]:
    """Return a line for each thing about the files that changes what is read of them."""
    lines = []
    if broken:
        lines.append(f"left out: {len(broken):,} files that cannot be read, such as {broken[0]}")
    pages = [name for name, header in headers.items() if header.more_pages]
    if pages:
        lines.append(f"only the first page or frame is read: {len(pages):,} files, such as {pages[0]}")
    return lines
