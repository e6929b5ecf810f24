"""The parts of a folder of images: `train/` with `test/` or `val/`, told by their names and
contents."""

from __future__ import annotations

import os
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

from hwnas.training.scan import is_hidden, visible_folders
from profilers.errors import InputError

_ROLES = {
    "train": "train(?:ing)?|trn",
    "test": "test(?:ing|s)?|tst|holdout",
    "val": "val(?:id(?:ation|ate)?)?|dev(?:el(?:opment)?)?|eval(?:uation)?",
}
# No word is made of others: a name can be read in one way only, and is matched in one pass.
_FILLER = "(?:data|sets?|images?|imgs?|photos?|pictures?|pics?|files?|split|part|folder|dir)"
_NAMES = {role: re.compile(f"{_FILLER}*(?:{words}){_FILLER}*") for role, words in _ROLES.items()}


@dataclass(frozen=True, kw_only=True)
class Parts:
    """The folder of the training images, that of the test images if there is one, and what is
    not read."""

    train: Path
    test: Path | None
    unused: tuple[Path, ...] = ()


def parts(path: Path, test: Path | None = None) -> Parts:
    """Tell a folder of classes from one of parts, `train/` with `test/` or `val/`, by names and
    contents.

    A part is named like one, whatever its case and ending, and holds folders. `test`: the folder of
    the test images where the user names one. Raises `InputError` where names and contents do not
    tell what is meant.
    """
    folders = {name: bool(visible_folders(path / name)) for name in visible_folders(path)}
    split = {name: role(name) for name, nested in folders.items() if nested and role(name)}
    train, tests, val = ([name for name in split if split[name] == part] for part in _ROLES)
    held_out = [] if test is not None else tests or val
    for names in (train, held_out):
        if len(names) > 1:
            raise InputError(
                f"data folder {path}: {_listed(names)} are named alike; leave one of them"
            )
    if test is not None:
        return _with_test(path, test, folders, train)
    if not split:
        _refuse_parts_by_a_word(path, folders)
        _refuse_equal_folders(path, folders)
        _refuse_parts_without_classes(path, folders)
        return Parts(train=path, test=None)
    if not train or not held_out:
        raise InputError(f"data folder {path}: {_incomplete(folders, (train or held_out)[0])}")
    used = {train[0], held_out[0]}
    unused = tuple(path / name for name in folders if name not in used)
    return Parts(train=path / train[0], test=path / held_out[0], unused=unused)


def _with_test(path: Path, test: Path, folders: Iterable[str], train: list[str]) -> Parts:
    """The parts where the user names the folder of the test images."""
    if not os.path.isdir(test):
        raise InputError(f"data.test {test}: no such folder")
    # Where `path` has a folder for each class of the test images, they are its classes.
    training = path / train[0] if train and not set(visible_folders(test)) <= set(folders) else path
    if test == training or training in test.parents or test in training.parents:
        raise InputError(
            f"data.test {test}: one in the other with the training images in {training}; keep them"
            " apart, so that no image is in both"
        )
    used = {training, test, *test.parents}
    unused = (
        ()
        if training == path
        else tuple(path / name for name in folders if path / name not in used)
    )
    return Parts(train=training, test=test, unused=unused)


def _refuse_parts_by_a_word(path: Path, folders: Mapping[str, bool]) -> None:
    """Refuse `seg_train/` with `seg_test/` and the like, which hold folders: they are hardly
    classes."""
    words = {
        name: {role(word) for word in re.split(r"[\W\d_]+", name.casefold())}
        for name, nested in folders.items()
        if nested
    }
    named = {part: [name for name, found in words.items() if part in found] for part in _ROLES}
    if named["train"] and (named["test"] or named["val"]):
        both = [*named["train"], *named["test"], *named["val"]]
        raise InputError(
            f"data folder {path}: {_listed(both)} are named like parts of a data set and hold"
            " folders, not images; call them train/ and test/, with one folder per class directly"
            " below"
        )


def _refuse_equal_folders(path: Path, folders: Mapping[str, bool]) -> None:
    """Refuse `fold1/CLASS` with `fold2/CLASS`: folders that all hold the same two or more
    folders, and no images."""
    inside = [frozenset(visible_folders(path / name)) for name in folders]
    if len(inside) < 2 or len(set(inside)) > 1 or len(inside[0]) < 2:
        return
    entries = (entry for name in folders for entry in (path / name).iterdir())
    if any(entry.is_file() and not is_hidden(entry.name) for entry in entries):
        return
    raise InputError(
        f"data folder {path}: {_listed(list(folders)[:3])} hold the same folders and no images, so"
        " they are hardly classes; call two of them train/ and test/, or name one:"
        f" {path / next(iter(folders))}"
    )


def role(name: str) -> str | None:
    """Return "train", "test" or "val" where a folder is named so, whatever its case and ending,
    else None.

    >>> [role(name) for name in ("TRAIN", "Testing", "val_images", "training set 2", "trains",
    "contest")] ['train', 'test', 'val', 'train', None, None]
    """
    letters = re.sub(r"[\W\d_]+", "", name.casefold())
    return next((part for part, pattern in _NAMES.items() if pattern.fullmatch(letters)), None)


def _incomplete(folders: Mapping[str, bool], part: str) -> str:
    """What is wrong where `part`, named like a part of a data set, stands without its
    counterpart."""
    others = {"test", "val"} if role(part) == "train" else {"train"}
    flat = [name for name, nested in folders.items() if not nested and role(name) in others]
    if flat:
        return f"{_listed(flat)} beside {part}/ holds no folders; expected one per class"
    classes = [name for name in folders if not role(name)]
    lacks = "test/ or val/" if role(part) == "train" else "train/"
    beside = f", and {_listed(classes[:3])} may be classes" if classes else ""
    return (
        f"{part}/ without {lacks} beside it{beside}; {part}/ is named like a part of a data set and"
        " holds folders. Rename it, or name the folder of the classes itself"
    )


def _refuse_parts_without_classes(path: Path, folders: Mapping[str, bool]) -> None:
    roles = {role(name) for name in folders}
    if len(folders) > 1 and None not in roles and "train" in roles:
        raise InputError(
            f"data folder {path}: {_listed(folders)} hold no folders; expected one per class in"
            " each"
        )


def _listed(names: Iterable[str]) -> str:
    return ", ".join(f"{name}/" for name in names)
