"""The one door to the images of a run: how they were when its search began, and whether they still are.

A run keeps digests of its images (environment.json) and which of them were the test set (test_images.json).
Wherever they are read again they are compared: an image that was added after the search, which has trained on it,
must not become a test image.
"""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Callable, Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any

from hwnas.config import Config
from hwnas.runs.directory import Run, ended, read_environment, read_front
from hwnas.training.data import Dataset, load
from hwnas.training.fingerprint import VERSION, fingerprint
from profilers.errors import InputError

TEST_IMAGES = "test_images.json"
FILES = "file, as seen from the data folder"
ROWS = "row, from 0: of the test images, or of all where a fifth of them is held out"

Say = Callable[[str], None]


def read_images(config: Config, root: Path | None = None, download: bool = False) -> Dataset:
    """Return the data set that a config names; ``root``: where it is now; ``download``: fetch a missing one.

    Nothing is fetched because the config says so, nor to a place that it names: a run may come from somebody else.
    """
    data = config.data
    return load(
        data.source,
        root=root or (Path(data.root) if data.root and not download else None),
        download=download,
        seed=config.seed,
        noise=data.noise,
        image_size=data.image_size,
        test=Path(data.test) if data.test else None,
        skip_broken=data.skip_broken,
    )


def images_of(
    run: Run, root: Path | None = None, download: bool = False, warn: Say = lambda line: None
) -> Dataset:
    """Return the images that a run was searched on. Raises InputError where they are no longer those."""
    dataset = read_images(run.config, root, download)
    check_images(run, dataset, warn)
    return dataset


def parts_of(dataset: Dataset) -> dict[str, Any]:
    """What a run keeps of both parts of its images in environment.json: plain JSON."""
    found = fingerprint(dataset)
    return {"train": asdict(found.train), "test": asdict(found.test)}


def record_of_test(dataset: Dataset) -> bytes:
    """The text of test_images.json: which images are the test set, by class, and what they are called by."""
    by_class: dict[str, list[str | int]] = defaultdict(list)
    for name, label in zip(dataset.test_names, dataset.test_labels.tolist(), strict=True):
        by_class[dataset.classes[label]].append(name)
    rows = all(isinstance(name, int) for name in dataset.test_names)
    said = {
        "count": len(dataset.test_names),
        "named_by": ROWS if rows else FILES,
        "images": {name: sorted(by_class[name], key=lambda one: (str(type(one)), one)) for name in by_class},
    }
    return (json.dumps(said, indent=1) + "\n").encode()


def check_images(run: Run, dataset: Dataset, warn: Say = lambda line: None) -> None:
    """Raise InputError unless ``dataset`` holds the images that the run was searched on.

    Of a run that an earlier version wrote, classes and size of images are compared, and ``warn`` is told.
    """
    if ended(run):
        _check_kind(run, dataset)
    kept = read_environment(run)
    if comparable(kept):
        _check_parts(run, dataset, kept)
    else:
        warn(
            f"{run.path} was written by an earlier version of hwnas: whether these are the images of its search "
            "can't be told; where no test folder was given, it may have trained on images that are test images now"
        )


def check_same(run: Run, dataset: Dataset, kept: Mapping[str, Any]) -> None:
    """Raise InputError unless a search that was stopped can go on with ``dataset`` as if it had not been.

    For that the images also have to lie in the same order and halves. ``kept``: what its environment.json says.
    """
    if not comparable(kept):
        raise InputError(
            f"{run.path}: begun by an earlier version of hwnas, which took images in another order; search again"
        )
    _check_parts(run, dataset, kept)
    if kept["data_digest"] != fingerprint(dataset).whole:
        raise InputError(
            f"{run.path}: these are the images of its search, but in another order: a folder of this size goes by "
            "its file names; give the files their names of before, or search again"
        )


def comparable(kept: Mapping[str, Any]) -> bool:
    """Whether what a run kept of its images is made as it is made now."""
    return str(kept.get("data_digest")).startswith(VERSION)


def _check_kind(run: Run, dataset: Dataset) -> None:
    """Raise InputError unless ``dataset`` has the classes and the size of images that the run was made for."""
    summary = read_front(run)
    if list(dataset.classes) != summary["classes"]:
        raise InputError(
            f"data set '{dataset.name}': {len(dataset.classes)} classes beginning with "
            f"{dataset.classes[0]!r}, but {run.path} was searched for {len(summary['classes'])} beginning with "
            f"{summary['classes'][0]!r}"
        )
    if list(dataset.image) != summary["image"]:
        raise InputError(
            f"data set '{dataset.name}': images of {tuple(dataset.image)}, but {run.path} was searched for "
            f"{tuple(summary['image'])} (channels, height, width)"
        )


def _check_parts(run: Run, dataset: Dataset, kept: Mapping[str, Any]) -> None:
    found, before = fingerprint(dataset), kept.get("images")
    parts = {"training": ("train", found.train), "test": ("test", found.test)}
    then = {name: _part(before, key) for name, (key, _) in parts.items()}
    if all(asdict(now) == then[name] for name, (_, now) in parts.items()):
        return
    said = "; ".join(_said(name, asdict(now), then[name]) for name, (_, now) in parts.items())
    raise InputError(
        f"{run.path}: these are not the images of its search: {said} ({TEST_IMAGES} in it says which the test images "
        f"were); put them back as they were, or search again on these"
    )


def _part(kept: Any, key: str) -> Mapping[str, Any]:
    found = kept.get(key) if isinstance(kept, dict) else None
    return found if isinstance(found, dict) else {}


def _said(name: str, now: Mapping[str, Any], then: Mapping[str, Any]) -> str:
    if now == then:
        return f"the {name} images are the same"
    before, count = then.get("count"), now["count"]
    if before == count:
        return f"of {count:,} {name} images some are others"
    return f"{count:,} {name} images, then {before if isinstance(before, int) else 'unknown'}"
