"""What a folder of images holds at first sight: before a search is configured, nothing decoded."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from hwnas.training.files import spread
from hwnas.training.parts import parts
from hwnas.training.picture import probe
from hwnas.training.pixels import Unreadable
from hwnas.training.scan import scan

LOOKED_AT = 200


@dataclass(frozen=True, kw_only=True)
class FirstLook:
    """How many training images there are, of how many classes, and the median of their shorter
    sides, in pixels."""

    images: int
    classes: int
    side: int


def first_look(path: Path, test: Path | None = None) -> FirstLook:
    """Look at the headers of some training images that are spread over the whole set.

    Raises InputError for a folder that holds no classes of images.
    """
    found = scan(parts(path, test).train)
    names = spread([name for name, _ in found.files])  # by size, so all sizes are looked at
    sides: list[int] = []
    for name in names[:: -(-len(names) // LOOKED_AT)]:
        try:
            header = probe(name)
        except Unreadable:
            continue  # said, or left out, where the images are read
        sides.append(min(header.width, header.height))
    side = sorted(sides)[len(sides) // 2] if sides else 0
    return FirstLook(images=len(found.files), classes=len(found.classes), side=side)
