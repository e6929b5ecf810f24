"""What exported files are checked and calibrated on: images of the data set, or random ones
without it."""

from __future__ import annotations

from dataclasses import dataclass, field, replace

import torch
import torch.nn.functional as F
from torch import Tensor

from hwnas.nets.network import Network
from hwnas.space.build import own_image
from hwnas.space.size import Task
from hwnas.training.augment import middle_window
from hwnas.training.data import Dataset
from hwnas.training.dataset import Split, generator
from hwnas.training.statistics import calibrate
from hwnas.training.weights import Weights
from profilers.errors import InputError

MOST_NUMBERS = 1 << 28
"""Test images are held in memory as float32; of larger test sets some images are drawn."""
MOST_VALIDATION = 5_000
"""Validation images that every file is run on; of more some are drawn."""


@dataclass(frozen=True, kw_only=True)
class CheckImages:
    """What files are checked and calibrated on: batches of uint8 (n, c, h, w) or normalised images,
    and labels.

    ``labels`` is None for random images, which say whether two files agree but not how good they
    are. ``validation``: images by which precisions are compared, so that test images choose
    nothing; none without ``validation_labels``.
    """

    test: list[Tensor]
    labels: Tensor | None
    calibration: list[Tensor]
    validation: list[Tensor] = field(default_factory=list)
    validation_labels: Tensor | None = None


def images_for(
    weights: Weights, dataset: Dataset | None, *, raw: bool, calibration: int = 128
) -> CheckImages:
    """Test images to check on, images of the data set's split "weights" to calibrate with, and of
    "policy" to validate on; random ones without a data set.

    Raises InputError where the data set's classes or image size are not those that the weights were
    trained for.
    """
    if dataset is None:
        pixels = torch.randint(
            0, 256, (64, *weights.image), generator=generator(0), dtype=torch.uint8
        )
        batches = _sized(_batches(pixels, weights, raw), weights)
        return CheckImages(test=batches, labels=None, calibration=batches)
    _check_data(weights, dataset)
    channels, height, width = weights.image
    # Drawn from all of it: a test set lies class by class, and of some checks its first images are
    # all.
    count = min(len(dataset.test), MOST_NUMBERS // (channels * height * width))
    chosen = torch.randperm(len(dataset.test), generator=generator(0))[:count]
    test, labels = _seen(dataset.test[chosen], weights), dataset.test_labels[chosen]
    # Never by the images that files are compared on.
    drawn = _drawn(dataset, "weights", calibration)
    calibrating = _batches(_seen(dataset.train[drawn], weights), weights, raw, 16)
    held = _drawn(dataset, "policy", min(MOST_VALIDATION, MOST_NUMBERS // test[0].numel()))
    validating = _batches(_seen(dataset.train[held], weights), weights, raw)
    return CheckImages(
        test=_sized(_batches(test, weights, raw), weights),
        labels=labels,
        calibration=_sized(calibrating, weights),
        validation=_sized(validating, weights),
        validation_labels=dataset.train_labels[held] if len(held) else None,
    )


def _drawn(dataset: Dataset, split: Split, count: int) -> Tensor:
    """So many indices of a part of the training images, always the same ones."""
    members = dataset.split[split].cpu()
    return members[torch.randperm(len(members), generator=generator(0))[:count]]


def _seen(pixels: Tensor, weights: Weights) -> Tensor:
    """What networks see of whole pictures: their middle, of the size that they were trained for."""
    return middle_window(pixels, weights.image[1:])


def untrained(weights: Weights, seed: int = 0) -> Weights:
    """Random weights in the place of ``weights.tensors``, with BatchNorm statistics of random
    images.

    Without those an untrained network answers with its classifier's bias alone, and every
    comparison would pass.
    """
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        network = Network(weights.architecture, len(weights.classes), weights.image, weights.stem)
    pixels = torch.randint(
        0, 256, (64, *weights.image), generator=generator(seed), dtype=torch.uint8
    )
    calibrate(network, _batches(pixels, weights, raw=False))
    tensors = {name: tensor.detach().clone() for name, tensor in network.state_dict().items()}
    return replace(weights, tensors=tensors)


def cut_out_of_pictures(weights: Weights) -> str:
    """What a network sees of a picture, as one sentence."""
    sides = [round(side / weights.crop) for side in weights.image[1:]]
    return (
        f"the middle square of a picture is resized to {sides[0]}x{sides[1]} pixels, and its middle"
        f" {weights.image[1]}x{weights.image[2]} is cut out"
    )


def averaged_down(
    image: tuple[int, int, int], own: tuple[int, int, int], *, raw: bool = False
) -> str:
    """How images of the task become those that the files take, as one sentence; empty where they
    are the same.

    ``image``, ``own``: (channels, height, width) of both. ``raw``: the files take uint8 pixels.
    """
    if image == own:
        return ""
    sides, small = f"{image[1]}x{image[2]}", f"{own[1]}x{own[2]}"
    call = f"torch.nn.functional.adaptive_avg_pool2d(images{'.float()' * raw}, {own[1:]})"
    rounded = ", rounded to whole pixels" if raw else ""
    return (
        f"the network takes {small} pixels: average images of {sides} down first, {call}{rounded}"
    )


def _batches(pixels: Tensor, weights: Weights, raw: bool, size: int = 64) -> list[Tensor]:
    if raw:
        return list(torch.split(pixels, size))
    mean, std = (torch.tensor(values).view(-1, 1, 1) for values in (weights.mean, weights.std))
    return [
        torch.addcmul(-mean / std, part.float(), 1 / (255 * std))
        for part in torch.split(pixels, size)
    ]


def _sized(batches: list[Tensor], weights: Weights) -> list[Tensor]:
    """Averaged down to the side that the files take, where the network has chosen a smaller one."""
    task = Task(classes=len(weights.classes), image=weights.image)
    size = own_image(weights.architecture, task)[1:]
    if size == weights.image[1:]:
        return batches
    small = [F.adaptive_avg_pool2d(batch.float(), size) for batch in batches]
    return [
        part.round().to(torch.uint8) if batch.dtype == torch.uint8 else part
        for batch, part in zip(batches, small, strict=True)
    ]


def channels_moved(images: CheckImages, *, to_last: bool) -> CheckImages:
    """Batches (n, c, h, w) as (n, h, w, c), or back."""
    order = (0, 2, 3, 1) if to_last else (0, 3, 1, 2)
    test, calibration, validation = (
        [batch.permute(order).contiguous() for batch in part]
        for part in (images.test, images.calibration, images.validation)
    )
    return replace(images, test=test, calibration=calibration, validation=validation)


def _check_data(weights: Weights, dataset: Dataset) -> None:
    where = f"data set '{dataset.name}'"
    if dataset.image != weights.image:
        raise InputError(
            f"{where}: images of {dataset.image}, but the weights were trained on {weights.image} "
            "(channels, height, width)"
        )
    if len(dataset.classes) != len(weights.classes):
        raise InputError(
            f"{where}: {len(dataset.classes)} classes, but the weights were trained for"
            f" {len(weights.classes)}"
        )
    for ours, theirs in zip(dataset.classes, weights.classes, strict=True):
        if ours != theirs:
            raise InputError(
                f"{where}: class {ours!r} where the weights were trained for {theirs!r}"
            )
