"""What a forecast is made of: the pieces of a search, timed (hwnas.search.pieces).

Where an algorithm brings its own weight step, or all operations are mixed, a few real epochs of
every stage. They leave nothing behind.
"""

from __future__ import annotations

import math
import resource
import tempfile
import time
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import torch

from hwnas.config import Config, validate
from hwnas.measuring.attached import Say
from hwnas.runs import directory as runs
from hwnas.search import compute
from hwnas.search.algorithms.algorithm import algorithm_of
from hwnas.search.algorithms.asked import ask
from hwnas.search.candidates import scorings
from hwnas.search.distributed import shared_weights
from hwnas.search.loop import Searched, run_stages
from hwnas.search.pieces import Line, Pieces, timed_pieces
from hwnas.search.plan import SearchPlan, searcher_of
from hwnas.search.progress import SearchProgress
from hwnas.search.schedule import (
    evaluations_per_epoch,
    learning_every,
    steps_of,
    steps_per_epoch,
)
from hwnas.search.scoring_images import SCORING_BATCH, scoring_images
from hwnas.search.seeds import rng
from hwnas.space.space import SPACES
from hwnas.training.data import Dataset, equal_batches, size, to_device
from hwnas.training.dataset import generator

WHOLE = 24
"""An epoch of at most so many steps is rehearsed whole."""
SHORT, LONG = 6, 18
"""Steps of the two lengths that stand for a longer epoch; made multiples of what lies between
two alpha steps."""
LEARNING_EPOCHS = 2


@dataclass(frozen=True, kw_only=True)
class Rates:
    """Seconds of an epoch of each stage, alpha frozen and not, of the end, and of the start from
    trained weights; ``spread``: relative, between repeats. ``step``: of a weight step, over MACs,
    where it is known."""

    frozen: tuple[float, ...]
    learning: tuple[float, ...]
    spread: tuple[float, ...]
    scoring: float
    start: float = 0.0
    step: Line | None = None


LIMIT_S = 40.0
"""Seconds of CPU time that a rehearsal may take, about, where no budget says less."""


def rehearse(
    planned: SearchPlan, limit_s: float = LIMIT_S, say: Say = lambda line: None
) -> tuple[Rates, Rates, float]:
    """Seconds by the clock, seconds of CPU, and the peak of memory in MiB of a few steps or epochs
    of every stage."""
    config = planned.config
    torch.set_num_threads(config.threads)
    dataset = to_device(planned.dataset, compute.compute_device(config))
    if algorithm_of(config).training is None and config.weights == "sampled":
        timed = timed_pieces(planned, dataset, limit_s, say)
        wall, cpu = (_of_pieces(config, dataset, pieces) for pieces in timed)
        return wall, cpu, _peak_mib(dataset.device)
    say("rehearsing a few epochs of every stage")
    whole = steps_per_epoch(dataset, config)
    if whole <= WHOLE:
        wall, cpu = _run(planned, dataset)
    else:
        every = learning_every(config, whole)
        lengths = [-(-steps // every) * every for steps in (SHORT, LONG)]
        size = config.weight_step.batch_size
        shorter = [_run(planned, _fewer(dataset, steps * size)) for steps in lengths]
        wall, cpu = (_extended([rates[i] for rates in shorter], lengths, whole) for i in (0, 1))
    return wall, cpu, _peak_mib(dataset.device)


def _of_pieces(config: Config, dataset: Dataset, pieces: Pieces) -> Rates:
    """Epochs are so many steps and evaluations, and a checkpoint."""
    frozen, learning = [], []
    one = pieces.evaluation.at(pieces.evaluated_macs)
    for number, stage in enumerate(config.stages):
        steps = steps_of(dataset, config, stage)
        rounds = evaluations_per_epoch(config, stage, steps, learns=True)
        trained = 0.0 if stage.train == "nothing" else steps * pieces.steps[number]
        frozen.append(trained + pieces.end)
        learning.append(trained + pieces.end + rounds * config.alpha_step.samples * one)
    judged = min(config.alpha_step.images, size(dataset, "policy"))
    return Rates(
        frozen=tuple(frozen),
        learning=tuple(learning),
        spread=(0.0,) * len(config.stages),
        scoring=one * scorings(config, dataset) / max(1, judged),
        start=pieces.start,
        step=pieces.step,
    )


def _run(planned: SearchPlan, dataset: Dataset) -> tuple[Rates, Rates]:
    """Rehearse with the images of ``dataset``: rates by the clock and by the CPU."""
    config = _shortened(planned.config)
    marks: list[tuple[float, float]] = []

    def watch(progress: SearchProgress) -> None:
        marks.append((time.monotonic(), time.process_time()))

    with tempfile.TemporaryDirectory(prefix="hwnas-plan-") as folder:
        run = runs.create(Path(folder) / "run", config, [], "")
        began = (time.monotonic(), time.process_time())
        searched = run_stages(
            run, dataset, planned.costs, searcher_of(replace(planned, config=config)), watch
        )
    scoring = _scoring(config, dataset, searched)
    wall, cpu = (_rates(config, began[i], [mark[i] for mark in marks], scoring[i]) for i in (0, 1))
    return wall, cpu


def _shortened(config: Config) -> Config:
    """One epoch to warm up, one frozen where there are any, and some that learn, in every stage."""
    stages = [
        {
            **stage.model_dump(),
            "epochs": 1 + waits + (LEARNING_EPOCHS if stage.waits < stage.epochs else 0),
            "frozen_epochs": 1 + waits if stage.frozen_epochs else 0,
            "finalist_epochs": 0,
        }
        for stage in config.stages
        for waits in [min(1, stage.waits)]
    ]
    return validate({**config.model_dump(), "stages": stages}, "plan")


def _rates(config: Config, began: float, marks: list[float], scoring: float) -> Rates:
    """From the times at which epochs ended; the first epoch of each stage warms up and is left
    out. What comes before it, with trained weights, is the start."""
    frozen, learning, spread, at = [], [], [], 0
    for stage in config.stages:
        taken = np.diff(marks[at : at + stage.epochs])
        at += stage.epochs
        learns = stage.waits < stage.epochs
        learn = taken[-LEARNING_EPOCHS:] if learns else taken
        learning.append(float(learn.mean()) if learns else 0.0)
        frozen.append(float(taken[0]) if stage.waits else 0.0)
        spread.append(float((learn.max() - learn.min()) / max(learn.mean(), 1e-9)))
    start = max(0.0, marks[0] - began - max(frozen[0], learning[0]))
    return Rates(
        frozen=tuple(frozen),
        learning=tuple(learning),
        spread=tuple(spread),
        scoring=scoring,
        start=start if config.weights_from is not None else 0.0,
    )


def _scoring(config: Config, dataset: Dataset, searched: Searched) -> tuple[float, float]:
    """Seconds, by the clock and by the CPU, of scoring finalists and as many uniform networks."""
    images = scoring_images(config, dataset).printing
    drawn = equal_batches(dataset, "policy", SCORING_BATCH, (config.seed, 0), images)
    few = [batch for batch, _ in zip(drawn, range(4), strict=False)]
    space = SPACES[config.space]
    asked = ask(config.algorithm, searched.searcher, space, 4, rng(config.seed, 0))
    shared_weights.accuracy(searched.net, asked[0], few[:1])
    wall, cpu = time.monotonic(), time.process_time()
    shared_weights.accuracies(searched.net, asked, few)
    batches = math.ceil(scorings(config, dataset) / SCORING_BATCH)
    share = batches / (len(asked) * len(few))
    return (time.monotonic() - wall) * share, (time.process_time() - cpu) * share


def _extended(rates: list[Rates], lengths: list[int], whole: int) -> Rates:
    """A line through epochs of two lengths, at the length of a whole epoch."""
    short, long = rates

    def at_whole(first: float, second: float) -> float:
        per_step = max(0.0, second - first) / (lengths[1] - lengths[0])
        return max(second + per_step * (whole - lengths[1]), second)

    def pairs(first: tuple[float, ...], second: tuple[float, ...]) -> tuple[float, ...]:
        return tuple(at_whole(a, b) for a, b in zip(first, second, strict=True))

    spread = tuple(max(a, b) for a, b in zip(short.spread, long.spread, strict=True))
    return Rates(
        frozen=pairs(short.frozen, long.frozen),
        learning=pairs(short.learning, long.learning),
        spread=spread,
        scoring=long.scoring,
        start=at_whole(short.start, long.start),
    )


def _fewer(dataset: Dataset, images: int) -> Dataset:
    """The same data set with only so many images to train weights on, of all classes alike."""
    members = dataset.split["weights"]
    drawn = members[torch.randperm(len(members), generator=generator(images))[:images]]
    return replace(dataset, split={**dataset.split, "weights": drawn.sort().values})


def _peak_mib(device: torch.device) -> float:
    """The most memory that this process had: the GPU's where it computes there."""
    if device.type == "cuda":
        return torch.cuda.max_memory_allocated(device) / 2**20
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**10
