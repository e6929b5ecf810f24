"""The sizes of the named configs, read from their files without hwnas.config, which needs
pydantic; made-up images."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from types import SimpleNamespace
from typing import Any

import numpy as np
import torch

from benchmarks.gpu.place import Place
from hwnas.catalog import find_config, read_toml
from hwnas.space.space import SPACES, Mask
from hwnas.training.augment import Augment
from hwnas.training.dataset import Batch, Dataset, batches

# As in hwnas.config; tests/benchmarks/test_gpu.py holds them to it.
DEFAULTS: dict[str, dict[str, Any]] = {
    "weight_step": {
        "paths": "policies",
        "lr": 0.15,
        "head_rate": 0.1,
        "label_smoothing": 0.0,
        "lr_end": 0.0,
        "momentum": 0.9,
        "nesterov": False,
        "weight_decay": 3e-4,
        "clip": 5.0,
        "batch_size": 32,
        "precision": "float32",
    },
    "alpha_step": {"samples": 10, "every": 4, "images": 32, "augment": False},
    "evaluation": {"channels": 8, "cells": 5, "stem": "cifar"},
    "ndarts": {
        "terms": 2,
        "gamma": "lr",
        "weight_steps": 4,
        "alpha_lr": 3e-4,
        "alpha_weight_decay": 1e-3,
        "hypergradient": "neumann",
        "weights": "sgd",
        "samples_per_epoch": None,
        "sigma": 0.01,
        "population": 10,
        "es_lr": 1e-2,
        "pooled": False,
    },
}
# Classes, image, training images: of which a search trains weights on one half.
SHAPES = {
    "cifar10": (10, (3, 32, 32), 50_000),
    "cifar100": (100, (3, 32, 32), 50_000),
    "imagenet": (1000, (3, 224, 224), 1_281_167),
}
TINY_IMAGE, TINY_BATCH = 16, 4


@dataclass(frozen=True, kw_only=True)
class Size:
    """One named config at its full size, or cut down where there is no GPU."""

    name: str
    settings: SimpleNamespace
    """As Config: algorithm, space, channels, stages, weight_step, alpha_step, evaluation,
    ndarts."""
    classes: int
    image: tuple[int, int, int]
    images: int

    def steps(self) -> int:
        """Weight steps per epoch at the full size of the data."""
        size = self.settings.weight_step.batch_size
        part = self.settings.ndarts.samples_per_epoch
        return max(1, min(self.images // 2, part or self.images) // size)


def read(name: str, place: Place, deep: bool = False) -> Size:
    """The sizes that a named config states; ``deep``: its depths, too, where the rest is cut
    down."""
    data = read_toml(find_config(name))
    for table, values in DEFAULTS.items():
        data[table] = SimpleNamespace(**{**values, **data.get(table, {})})
    classes, image, images = SHAPES[data["data"]["source"]]
    stages = [
        SimpleNamespace(**{"frozen_epochs": 0, "skip_dropout": 0.0, **one})
        for one in data["stages"]
    ]
    settings = SimpleNamespace(**{**data, "stages": stages, "seed": 0})
    if place.tiny:
        least = 3
        settings.channels, classes, image = 4, 5, (3, TINY_IMAGE, TINY_IMAGE)
        settings.weight_step.batch_size = TINY_BATCH
        settings.alpha_step.images, settings.alpha_step.samples = TINY_BATCH, 2
        for stage in stages:
            stage.cells = stage.cells if deep else least
        if settings.evaluation.stem == "imagenet":
            image = (3, 2 * TINY_IMAGE, 2 * TINY_IMAGE)
    return Size(name=name, settings=settings, classes=classes, image=image, images=images)


def mask_of(size: Size, stage: int) -> Mask:
    """As many random survivors per edge as the space keeps at a stage, all in the first."""
    space, rng = SPACES[size.settings.space], np.random.default_rng(stage)
    if stage == 0:
        return space.mask
    keep = np.array(
        [
            space.survivors[slot.cell][min(stage, len(space.survivors[slot.cell]) - 1)]
            for slot in space.slots
        ]
    )
    rank = np.where(space.mask, rng.random(space.mask.shape), 2.0).argsort(axis=1).argsort(axis=1)
    return np.asarray(space.mask & (rank < keep[:, None]))


def made_up(size: Size, place: Place, least: int) -> Dataset:
    """Random images of the data's shape, on the device, ``least`` of them or more, with its
    augmentation."""
    count = max(least, 2 * size.settings.weight_step.batch_size, 32 if place.tiny else 1024)
    pixels = torch.randint(0, 256, (2 * count, *size.image), dtype=torch.uint8)
    labels = torch.arange(2 * count) % size.classes
    order = torch.arange(2 * count)
    side = size.image[1]
    photo = side > 64
    return Dataset(
        name=size.name,
        classes=tuple(map(str, range(size.classes))),
        image=size.image,
        train=pixels.to(place.device),
        train_labels=labels,
        test=pixels[:count].to(place.device),
        test_labels=labels[:count],
        mean=(0.5,) * 3,
        std=(0.25,) * 3,
        split={"weights": order[0::2], "policy": order[1::2], "train": order},
        augment=Augment(smallest_area=0.08, flip=True)
        if photo
        else Augment(crop_padding=side // 8, flip=True),
        device=place.device,
    )


def endless(dataset: Dataset, split: Any, batch: int) -> Iterator[Batch]:
    """Augmented batches, epoch after epoch."""
    epoch = 0
    while True:
        yield from batches(
            dataset, split, batch, (0, epoch), augment=dataset.augment, drop_last=True
        )
        epoch += 1
