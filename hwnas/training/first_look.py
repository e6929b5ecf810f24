"""What a folder or an archive of images holds at first sight: before a search is configured,
nothing decoded."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from hwnas.training.archive import training_part
from hwnas.training.files import spread
from hwnas.training.parts import parts
from hwnas.training.picture import probe
from hwnas.training.pixels import Unreadable
from hwnas.training.scan import scan

LOOKED_AT = 200


@dataclass(frozen=True, kw_only=True)
class FirstLook:
    """How many training images there are, of how many classes, and the median of their shorter
    sides, in pixels. ``resizable``: they are files, which have no side of their own in common."""

    images: int
    classes: int
    side: int
    resizable: bool = True


def first_look(path: Path, test: Path | None = None) -> FirstLook:
    """Look at the headers of some training images that are spread over the whole set; of an .npz
    file at those of its arrays and at the labels.

    Raises InputError for a folder that holds no classes of images, or a file that is no archive of
    arrays.
    """
    if path.suffix == ".npz":
        return _of_archive(path)
    where = parts(path, test)
    found = scan(where.train)
    names = spread([name for name, _ in found.files])  # by size, so all sizes are looked at
    sides: list[int] = []
    for name in names[:: -(-len(names) // LOOKED_AT)]:
        try:
            header = probe(name)
        except Unreadable:
            continue  # said, or left out, where the images are read
        sides.append(min(header.width, header.height))
    side = sorted(sides)[len(sides) // 2] if sides else 0
    # Without a folder of test images a fifth of each class is held out.
    images = len(found.files) if where.test is not None else len(found.files) * 4 // 5
    return FirstLook(images=images, classes=len(found.classes), side=side)


def _of_archive(path: Path) -> FirstLook:
    shape, classes = training_part(path)
    # A colour axis may be first or last; images of another shape are refused where they are read.
    sides = [length for length in shape[1:] if length > 4] or [0]
    return FirstLook(
        images=shape[0] if shape else 0, classes=classes, side=min(sides), resizable=False
    )
