"""The one door to the images of a run: how they were when its search began, and whether they still
are.

A run keeps digests of its images (environment.json) and which of them were the test set
(test_images.json). Wherever they are read again they are compared: an image that was added after
the search, which has trained on it, must not become a test image.
"""

from __future__ import annotations

import json
import os
from collections import defaultdict
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import torch

from hwnas.config import Config, with_data
from hwnas.nets.trained import Preprocessing, weights_named
from hwnas.nets.trained.grey import grey_preprocessing
from hwnas.runs.directory import Run, ended
from hwnas.runs.environment import (
    Environment,
    ImagesKept,
    ImagesPart,
    damage,
    read_environment,
)
from hwnas.runs.summary import read_front
from hwnas.training.data import NAMES, Dataset, load
from hwnas.training.dataset import halves
from hwnas.training.fingerprint import VERSION, PartPrint, fingerprint
from profilers.errors import InputError

TEST_IMAGES = "test_images.json"
FILES = "file, as seen from the data folder"
ROWS = "row, from 0: of the test images, or of all where a fifth of them is held out"

Say = Callable[[str], None]


def read_images(config: Config, root: Path | None = None, download: bool = False) -> Dataset:
    """Return the data set that a config names; ``root``: where it is now; ``download``: fetch a
    missing one.

    Nothing is fetched because the config says so, nor to a place that it names: a run may come from
    somebody else.
    """
    data = config.data
    dataset = load(
        data.source,
        root=root or (Path(data.root) if data.root and not download else None),
        download=download,
        seed=config.seed,
        noise=data.noise,
        image_size=data.image_size,
        test=Path(data.test) if data.test else None,
        skip_broken=data.skip_broken,
        crop=data.crop,
    )
    return _prepared(config, dataset)


def prepared_for(dataset: Dataset, preprocessing: Preprocessing) -> Dataset:
    """The images normalised as trained weights want them; grey ones as if their channels were
    three equal ones."""
    if dataset.image[0] == 1:
        mean, std = grey_preprocessing(preprocessing)
        return replace(dataset, mean=(mean,), std=(std,))
    return replace(dataset, mean=preprocessing.mean, std=preprocessing.std)


def _prepared(config: Config, dataset: Dataset) -> Dataset:
    """Normalised as the weights want it that a search starts from, and split as the config says.

    Raises InputError where a class has too few images to judge candidates by.
    """
    if config.data.mean is not None and config.data.std is not None:
        dataset = prepared_for(dataset, Preprocessing(mean=config.data.mean, std=config.data.std))
    elif config.weights_from is not None:
        dataset = prepared_for(dataset, weights_named(config.weights_from).preprocessing)
    share = config.data.policy_share
    if share == 0.5:
        return dataset
    weights, policy = halves(dataset.train_labels, config.seed, share)
    found = torch.bincount(dataset.train_labels[policy], minlength=len(dataset.classes))
    if not found.all():
        raise InputError(
            f"data.policy_share: {share:g} of the images of a class is none; take more, such as 0.5"
        )
    return replace(dataset, split={**dataset.split, "weights": weights, "policy": policy})


def located(config: Config) -> Config:
    """The same search with the paths of its images absolute: they mean the same in any folder."""

    def absolute(path: str | None) -> str | None:
        return str(Path(path).expanduser().absolute()) if path else path

    data = config.data
    source = data.source if data.source in NAMES else absolute(data.source)
    return with_data(config, source=source, root=absolute(data.root), test=absolute(data.test))


def moved(run: Run, source: str | None, test: Path | None = None) -> Run:
    """The run with its images where they are now; None: where they were.

    Whether they are the same ones, `images_of` and `check_same` tell. Raises InputError where
    neither is said and they are gone.
    """
    there = run.config.data.source
    if source is None and there not in NAMES and not os.path.exists(os.path.expanduser(there)):
        raise InputError(
            f"{run.path}: the images of its search are not at {there}: say where they are now, with"
            " --data"
        )
    config = with_data(run.config, source=source, test=None if test is None else str(test))
    return replace(run, config=config)


def images_of(
    run: Run, root: Path | None = None, download: bool = False, warn: Say = lambda line: None
) -> Dataset:
    """Return the images that a run was searched on.

    Raises InputError where they are no longer those.
    """
    dataset = read_images(run.config, root, download)
    check_images(run, dataset, warn)
    return dataset


def parts_of(dataset: Dataset) -> ImagesKept:
    """What a run keeps of both parts of its images in environment.json."""
    found = fingerprint(dataset)
    return ImagesKept(train=_kept(found.train), test=_kept(found.test))


def _kept(part: PartPrint) -> ImagesPart:
    return ImagesPart(count=part.count, digest=part.digest)


def record_of_test(dataset: Dataset) -> bytes:
    """The text of test_images.json: which images are the test set, by class, and what they are
    called by."""
    by_class: dict[str, list[str | int]] = defaultdict(list)
    for name, label in zip(dataset.test_names, dataset.test_labels.tolist(), strict=True):
        by_class[dataset.classes[label]].append(name)
    rows = all(isinstance(name, int) for name in dataset.test_names)
    said = {
        "count": len(dataset.test_names),
        "named_by": ROWS if rows else FILES,
        "images": {
            name: sorted(by_class[name], key=lambda one: (str(type(one)), one)) for name in by_class
        },
    }
    return (json.dumps(said, indent=1) + "\n").encode()


def check_images(run: Run, dataset: Dataset, warn: Say = lambda line: None) -> None:
    """Raise InputError unless ``dataset`` holds the images that the run was searched on.

    Of a run that an earlier version wrote, classes and size of images are compared, and ``warn`` is
    told.
    """
    if ended(run):
        _check_kind(run, dataset)
    kept = read_environment(run.path)
    if comparable(kept):
        _check_parts(run, dataset, kept)
    else:
        why = damage(run.path) or f"{run.path} was written by an earlier version of hwnas"
        warn(
            f"{why}: whether these are the images"
            " of its search can't be told; where no test folder was given, it may have trained on"
            " images that are test images now"
        )


def check_same(run: Run, dataset: Dataset, kept: Environment) -> None:
    """Raise InputError unless a search that was stopped can go on with ``dataset`` as if it had not
    been.

    For that the images also have to lie in the same order and halves. ``kept``: what its
    environment.json says.
    """
    if not comparable(kept):
        raise InputError(
            damage(run.path)
            or f"{run.path}: begun by an earlier version of hwnas, which took images in another"
            " order; search again"
        )
    _check_parts(run, dataset, kept)
    if kept.data_digest != fingerprint(dataset).whole:
        raise InputError(
            f"{run.path}: these are the images of its search, but in another order: a folder of"
            " this size goes by its file names; give the files their names of before, or search"
            " again"
        )


def comparable(kept: Environment) -> bool:
    """Whether what a run kept of its images is made as it is made now."""
    return (kept.data_digest or "").startswith(VERSION)


def _check_kind(run: Run, dataset: Dataset) -> None:
    """Raise InputError unless ``dataset`` has the classes and the size of images that the run
    was made for."""
    summary = read_front(run)
    if list(dataset.classes) != summary.classes:
        raise InputError(
            f"data set '{dataset.name}': {len(dataset.classes)} classes beginning with"
            f" {dataset.classes[0]!r}, but {run.path} was searched for {len(summary.classes)}"
            f" beginning with {summary.classes[0]!r}"
        )
    if list(dataset.image) != summary.image:
        raise InputError(
            f"data set '{dataset.name}': images of {tuple(dataset.image)}, but {run.path} was"
            f" searched for {summary.shape} (channels, height, width)"
        )


def _check_parts(run: Run, dataset: Dataset, kept: Environment) -> None:
    now, then = parts_of(dataset), kept.images or ImagesKept()
    pairs = {"training": (now.train, then.train), "test": (now.test, then.test)}
    if all(_same(*pair) for pair in pairs.values()):
        return
    differences = "; ".join(_difference(name, *pair) for name, pair in pairs.items())
    raise InputError(
        f"{run.path}: these are not the images of its search: {differences} ({TEST_IMAGES} in it"
        " says which the test images were); put them back as they were, or search again on these"
    )


def _same(now: ImagesPart | None, then: ImagesPart | None) -> bool:
    return (
        now is not None
        and then is not None
        and (now.count, now.digest) == (then.count, then.digest)
    )


def _difference(name: str, now: ImagesPart | None, then: ImagesPart | None) -> str:
    if _same(now, then):
        return f"the {name} images are the same"
    count = now.count if now else 0
    if then is not None and then.count == count:
        return f"of {count:,} {name} images some are others"
    return f"{count:,} {name} images, then {'unknown' if then is None else then.count}"
