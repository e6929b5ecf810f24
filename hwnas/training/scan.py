"""What lies in a folder of classes: the files of each, and what is passed over."""

from __future__ import annotations

import os
import unicodedata
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from types import MappingProxyType

from hwnas.heard import counted
from profilers.errors import InputError, nearest

EXTENSIONS = frozenset(
    {
        ".bmp",
        ".jfif",
        ".jpe",
        ".jpeg",
        ".jpg",
        ".pbm",
        ".pgm",
        ".png",
        ".pnm",
        ".ppm",
        ".tif",
        ".tiff",
    }
    | {".webp"}
)
# Folders that archives, servers and desktops leave beside the images; some hold images of their
# own.
_LEFT_BEHIND = frozenset(
    {"__macosx", "@eadir", "#recycle", "$recycle.bin", "system volume information", "lost+found"}
    | {"__pycache__", "desktop.ini", "thumbs.db", "ehthumbs.db", "icon\r"}
)
HIDDEN, BESIDE, LINKED = "hidden", "beside the class folders", "links to folders"
_NO_ENDING = "without an ending"


@dataclass(frozen=True, kw_only=True)
class Found:
    """The classes of one folder, in alphabetical order, and (file, class index) in order of names.

    `passed`: files that are no images by their ending, hidden ones and the like. `hidden`: their
    paths. `irregular`: links that lead nowhere, FIFOs and devices that are named as images are.
    """

    folder: Path
    classes: tuple[str, ...]
    files: tuple[tuple[str, int], ...]
    hidden: tuple[str, ...]
    passed: Mapping[str, int]
    irregular: tuple[str, ...]


def scan(folder: Path) -> Found:
    """Return the classes under `folder` and their files; raise `InputError` where there are no
    two."""
    names = visible_folders(folder)
    for name in names:
        if not is_text(name):
            raise InputError(
                f"data folder {folder}: {name!r} can't be the name of a class (characters that are"
                " no text in UTF-8); rename it"
            )
    if len(names) < 2:
        inner = visible_folders(folder / names[0]) if names else []
        hint = f"; did you mean {folder / names[0]}?" if len(inner) > 1 else ""
        raise InputError(
            f"data folder {folder}: {len(names)} sub-folders; expected one per class, at least"
            f" two{hint}"
        )
    walks = [
        _walk(folder / name)
        for name in counted(names, f"{folder}: folders of classes listed", len(names))
    ]
    for name, walk in zip(names, walks, strict=True):
        if not walk.images and not walk.irregular:
            raise InputError(
                f"data folder {folder / name}: no images{_but(walk.passed)} (known:"
                f" {', '.join(sorted(EXTENSIONS))})"
            )
    hidden, passed = list[str](), Counter[str]()
    for entry in _entries(folder):
        if is_hidden(entry.name):
            hidden.append(entry.path)
        elif _is_folder(entry):
            passed[LINKED] += entry.name not in names
        elif _ending(entry) in EXTENSIONS:
            passed[BESIDE] += 1
    for walk in walks:
        hidden += walk.hidden
        passed += walk.passed
    return Found(
        folder=folder,
        classes=tuple(names),
        files=tuple((file, label) for label, walk in enumerate(walks) for file in walk.images),
        hidden=tuple(hidden),
        passed=MappingProxyType(dict(+passed)),
        irregular=tuple(file for walk in walks for file in walk.irregular),
    )


def scan_test(folder: Path, classes: tuple[str, ...]) -> Found:
    """Return the images under `folder` labelled as in `classes`; raise `InputError` for an
    unknown class."""
    found = scan(folder)
    for name in found.classes:
        if name not in classes:
            raise InputError(
                f"data folder {folder / name}: class unknown in training{nearest(name, classes)}"
            )
    index = [classes.index(name) for name in found.classes]
    files = tuple((file, index[label]) for file, label in found.files)
    return replace(found, classes=classes, files=files)


def is_text(name: str) -> bool:
    """Whether a name can be written down: no control characters, no bytes that are not UTF-8."""
    return not any(unicodedata.category(character) in ("Cc", "Cs") for character in name)


def is_hidden(name: str) -> bool:
    """Whether a name is not meant to be seen: `.NAME`, `._NAME`, `__MACOSX`, `Thumbs.db` and the
    like."""
    return name.startswith((".", "~$")) or name.casefold() in _LEFT_BEHIND


def visible_folders(folder: Path) -> list[str]:
    """Return the names of the sub-folders that are not hidden, in alphabetical order."""
    whole = folder.resolve()
    return [
        entry.name
        for entry in _entries(folder)
        if not is_hidden(entry.name) and _is_folder(entry) and not _leads_back(entry, whole)
    ]


def passed_over(found: Iterable[Found], unused: Iterable[Path] = ()) -> tuple[str, ...]:
    """Return a line for each kind of thing that was passed over."""
    passed, hidden = Counter[str](), 0
    for part in found:
        passed += Counter(part.passed)
        hidden += len(part.hidden)
    lines = (
        [f"not read: {_amounts(Counter({HIDDEN: hidden}) + passed)}"] if hidden or passed else []
    )
    lines += [f"not read: {path.name}/, beside the parts that are" for path in unused]
    return tuple(lines)


@dataclass(frozen=True, kw_only=True)
class _Walk:
    images: list[str]
    hidden: list[str]
    irregular: list[str]
    passed: Counter[str]


def _walk(folder: Path) -> _Walk:
    """Everything below one class folder.

    Links to folders are not followed: they can go round in circles.
    """
    walk = _Walk(images=[], hidden=[], irregular=[], passed=Counter())
    for entry in counted(_below(folder), f"{folder}: files listed"):
        if is_hidden(entry.name):
            walk.hidden.append(entry.path)
        elif _is_folder(entry):
            walk.passed[LINKED] += 1
        elif _ending(entry) not in EXTENSIONS:
            walk.passed[_ending(entry) or _NO_ENDING] += 1
        else:
            (walk.images if _is_file(entry) else walk.irregular).append(entry.path)
    walk.images.sort(key=lambda file: file.split(os.sep))
    return walk


def _below(folder: Path) -> Iterator[os.DirEntry[str]]:
    """All that lies below a folder, at any depth, but folders that are looked into."""
    pending = [folder]
    while pending:
        for entry in _entries(pending.pop()):
            if not is_hidden(entry.name) and entry.is_dir(follow_symlinks=False):
                pending.append(Path(entry.path))
            else:
                yield entry


def _ending(entry: os.DirEntry[str]) -> str:
    return os.path.splitext(entry.name)[1].lower()


def _is_file(entry: os.DirEntry[str]) -> bool:
    try:
        return entry.is_file()
    except OSError:  # a link to itself
        return False


def _is_folder(entry: os.DirEntry[str]) -> bool:
    try:
        return entry.is_dir()
    except OSError:
        return False


def _leads_back(entry: os.DirEntry[str], whole: Path) -> bool:
    """Whether an entry is a link to the folder that it lies in, or to one above."""
    return entry.is_symlink() and whole.is_relative_to(Path(entry.path).resolve())


def _entries(folder: Path) -> list[os.DirEntry[str]]:
    try:
        with os.scandir(folder) as entries:
            return sorted(entries, key=lambda entry: entry.name)
    except OSError as error:
        raise InputError(f"data folder {folder}: cannot be listed ({error.strerror})") from None


def _but(passed: Counter[str]) -> str:
    return f", but {_amounts(passed)}" if passed else ""


def _amounts(counts: Counter[str]) -> str:
    return ", ".join(
        f"{count:,} {kind}" for kind, count in sorted(counts.items(), key=_last_ending)
    )


def _last_ending(item: tuple[str, int]) -> tuple[bool, str]:
    return item[0].startswith("."), item[0]
