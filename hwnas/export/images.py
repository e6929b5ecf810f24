"""What exported files are checked and calibrated on: images of the data set, or random ones
without it."""

from __future__ import annotations

from dataclasses import dataclass, replace

import torch
import torch.nn.functional as F
from torch import Tensor

from hwnas.nets.network import Network
from hwnas.space.build import own_image
from hwnas.space.size import Task
from hwnas.training.augment import middle_window
from hwnas.training.data import Dataset
from hwnas.training.dataset import generator
from hwnas.training.statistics import calibrate
from hwnas.training.weights import Weights
from profilers.errors import InputError

MOST_NUMBERS = 1 << 28
"""Test images are held in memory as float32; of larger test sets some images are drawn."""


@dataclass(frozen=True, kw_only=True)
class CheckImages:
    """What files are checked and calibrated on: batches of uint8 (n, c, h, w) or normalised images,
    and labels.

    ``labels`` is None for random images, which say whether two files agree but not how good they
    are.
    """

    test: list[Tensor]
    labels: Tensor | None
    calibration: list[Tensor]


def images_for(
    weights: Weights, dataset: Dataset | None, *, raw: bool, calibration: int = 128
) -> CheckImages:
    """Test images to check on and training images to calibrate with; random ones without a data
    set.

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
    drawn = torch.randperm(len(dataset.train), generator=generator(0))[:calibration]
    calibrating = _batches(_seen(dataset.train[drawn], weights), weights, raw, 16)
    return CheckImages(
        test=_sized(_batches(test, weights, raw), weights),
        labels=labels,
        calibration=_sized(calibrating, weights),
    )


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
    test, calibration = (
        [batch.permute(order).contiguous() for batch in part]
        for part in (images.test, images.calibration)
    )
    return replace(images, test=test, calibration=calibration)


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
