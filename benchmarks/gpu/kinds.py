"""Every kind of step of a search and of a training at the sizes of a config, as the loop makes
it."""

from __future__ import annotations

import itertools
from collections.abc import Callable
from dataclasses import replace
from types import SimpleNamespace
from typing import Any

import numpy as np
import torch

from benchmarks.gpu.place import Place, Step
from benchmarks.gpu.sizes import Size, endless, made_up, mask_of
from hwnas.nets.supernet import SkipDropout, build_supernet
from hwnas.search.bilevel import ndarts
from hwnas.search.distributed import shared_weights
from hwnas.space.encoding import sample as uniform
from hwnas.space.family import family
from hwnas.space.genotype import Architecture
from hwnas.space.published import PUBLISHED
from hwnas.space.space import SPACES
from hwnas.training.dataset import batch_count, generator, sample
from hwnas.training.loop import Training
from hwnas.training.recipe import RECIPES

Build = Callable[[Size, int, Place], Step]


def _shared(size: Size, stage: int, place: Place) -> Any:
    settings: Any = size.settings
    of = family(
        SPACES[settings.space],
        channels=settings.channels,
        cells=settings.stages[stage].cells,
        classes=size.classes,
        image=size.image,
        stem=settings.evaluation.stem,
    )
    net = build_supernet(of, seed=0, mask=mask_of(size, stage))
    return shared_weights.optimise(net.to(place.device), settings.weight_step)


def weight_step(size: Size, stage: int, place: Place) -> Step:
    """A weight step of one path or of the mixture, with skip dropout where the config has it."""
    settings: Any = size.settings
    dataset = made_up(size, place, settings.weight_step.batch_size)
    shared, mask = _shared(size, stage, place), mask_of(size, stage)
    space, rng = SPACES[settings.space], np.random.default_rng(0)
    images = endless(dataset, "weights", settings.weight_step.batch_size)
    shares = mask / mask.sum(axis=1, keepdims=True)
    probability, counter = settings.stages[stage].skip_dropout, itertools.count()

    def step() -> object:
        if probability:
            shared.net.dropout = SkipDropout(
                probability=probability, generator=generator(0, next(counter), device=place.device)
            )
        path = (
            shares
            if getattr(settings, "weights", "sampled") == "mixture"
            else uniform(space, rng, mask)
        )
        return shared_weights.weight_step(shared, next(images), path, 0.01)

    return step


def evaluation(size: Size, stage: int, place: Place) -> Step:
    """The images' part of an alpha step of TND-NAS: sampled paths on one validation batch."""
    settings: Any = size.settings
    dataset, shared = made_up(size, place, settings.alpha_step.images), _shared(size, stage, place)
    space, mask, rng = SPACES[settings.space], mask_of(size, stage), np.random.default_rng(0)
    shared.net.dropout, counter = SkipDropout(), itertools.count()

    def step() -> object:
        batch = sample(dataset, "policy", settings.alpha_step.images, (0, next(counter)))
        asked = [uniform(space, rng, mask) for _ in range(settings.alpha_step.samples)]
        return shared_weights.accuracies(shared.net, asked, [batch])

    return step


def _bilevel(size: Size, place: Place) -> tuple[Any, Any, Any, Any]:
    settings: Any = size.settings
    dataset = made_up(size, place, settings.weight_step.batch_size)
    searcher = ndarts.start(settings, np.random.default_rng(0))
    batch = settings.weight_step.batch_size
    return (
        searcher,
        _shared(size, 0, place),
        *(endless(dataset, part, batch) for part in ("weights", "policy")),
    )


def bilevel_weight_step(size: Size, stage: int, place: Place) -> Step:
    """NDARTS: a weight step of the mixture, by SGD."""
    searcher, shared, train, _ = _bilevel(size, place)
    noise = generator(0, device=place.device)
    return lambda: ndarts.weight_step(searcher, shared, next(train), 0.01, noise)


def evolution_step(size: Size, stage: int, place: Place) -> Step:
    """NDARTS: a weight step of the mixture, by the evolution strategy."""
    size = replace(size, settings=SimpleNamespace(**vars(size.settings)))
    size.settings.ndarts = SimpleNamespace(**{**vars(size.settings.ndarts), "weights": "es"})
    searcher, shared, train, _ = _bilevel(size, place)
    noise = generator(0, device=place.device)
    return lambda: ndarts.weight_step(searcher, shared, next(train), 0.01, noise)


def bilevel_alpha_step(size: Size, stage: int, place: Place) -> Step:
    """NDARTS: a step of alpha along the hypergradient."""
    searcher, shared, train, valid = _bilevel(size, place)
    return lambda: ndarts.alpha_step(searcher, shared, next(train), next(valid), 0.01)


def watch(size: Size, stage: int, place: Place) -> Step:
    """NDARTS: what is looked at once per epoch."""
    searcher, shared, _, valid = _bilevel(size, place)
    return lambda: ndarts.monitor(searcher, shared.net, next(valid))


def training_step(
    recipe: str, cell: str, channels: int, cells: int, batch: int | None = None
) -> Build:
    """A step of training one network from scratch."""

    def build(size: Size, stage: int, place: Place) -> Step:
        how = RECIPES[recipe]
        how = replace(how, batch=batch or how.batch)
        width, depth = channels, cells
        if place.tiny:
            how, width, depth = replace(how, batch=4, cutout=min(how.cutout, 4)), 4, 3
        data = made_up(size, place, how.batch)
        architecture = Architecture(PUBLISHED[cell], channels=width, cells=depth)
        stem = size.settings.evaluation.stem
        training = Training(architecture, data, recipe=how, seed=0, stem=stem, device=place.device)
        training.progress.epoch = (
            how.epochs // 2
        )  # so that paths are dropped as in the middle of a training
        training.runner.train()
        images = endless(data, "train", how.batch)

        def step() -> object:
            training.progress.step = (training.progress.step + 1) % max(1, training.steps)
            return training.step(next(images))

        return step

    return build


def testing(size: Size, stage: int, place: Place) -> Step:
    """All of a data set's test images through the trained network once: one batch of it."""
    from hwnas.training.building import build as network

    data = made_up(size, place, 256)
    architecture = Architecture(
        PUBLISHED["DARTS_V2"], channels=4 if place.tiny else 36, cells=3 if place.tiny else 20
    )
    net = (
        network(architecture, data, 0, size.settings.evaluation.stem, False).to(place.device).eval()
    )
    images = endless(data, "policy", min(256, batch_count(data, "policy", 1)))

    def step() -> object:
        with torch.inference_mode():
            return net(next(images).x.contiguous(memory_format=torch.channels_last)).float().cpu()

    return step
