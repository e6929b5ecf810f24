"""What images may be called: the names of public data sets, else a folder or an .npz file. Known
without torch, so that a mistyped word is told at once."""

from __future__ import annotations

import os
from contextlib import suppress
from difflib import get_close_matches
from pathlib import Path

from hwnas.errors import quoted
from profilers.errors import InputError, nearest

# Names here -> class in torchvision.datasets.
TORCHVISION = {"cifar10": "CIFAR10", "cifar100": "CIFAR100", "fashion-mnist": "FashionMNIST"}
NAMES = ("digits", *TORCHVISION, "imagenet")


def check_named(source: str | Path) -> None:
    """Raise InputError for a word that is no known name, and where no file or folder of that name
    lies; a name that is not all lower case is none."""
    path = Path(source).expanduser()
    if str(source) in NAMES or os.path.lexists(path) or path.suffix.lower() == ".npz":
        return
    raise InputError(
        f"unknown data set '{source}', and no folder or .npz file of that name"
        f"{_meant(str(source), path)}"
    )


def _meant(word: str, path: Path) -> str:
    """The tail of the error line: a folder or file beside the missing one that is spelt alike, else
    the known names."""
    with suppress(OSError):
        beside = [
            entry.name
            for entry in os.scandir(path.parent)
            if entry.is_dir() or entry.name.lower().endswith(".npz")
        ]
        for name in get_close_matches(path.name, beside, n=1, cutoff=0.7):
            return f"; did you mean {quoted(path.parent / name)}?"
    return nearest(word, NAMES)
