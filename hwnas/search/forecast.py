"""What a search will take, from a few real epochs of it: time, memory and evaluations, before a day
is spent on it.

The search itself is rehearsed in a folder that is thrown away: its own loop, its own supernets, a
few steps of every stage. Where an epoch is long, two shorter ones of different length tell what a
step costs and what the end of an epoch does (checkpoint, monitor). Evaluations are counted, not
estimated.
"""

from __future__ import annotations

import math
import resource
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import torch

from hwnas.config import Config, SearchStage, validate, with_epochs
from hwnas.runs import directory as runs
from hwnas.search import compute
from hwnas.search.algorithms.algorithm import algorithm_of
from hwnas.search.algorithms.asked import ask
from hwnas.search.distributed import shared_weights
from hwnas.search.finalists.finish import SCORING_BATCH
from hwnas.search.loop import Searched, run_stages
from hwnas.search.plan import SearchPlan, searcher_of
from hwnas.search.progress import SearchProgress
from hwnas.search.schedule import (
    evaluations_per_epoch,
    learning_every,
    steps_of,
    steps_per_epoch,
)
from hwnas.search.seeds import rng
from hwnas.space.space import SPACES
from hwnas.training.data import Dataset, equal_batches, size, to_device
from hwnas.training.dataset import generator
from profilers.errors import InputError

WHOLE = 24
"""An epoch of at most so many steps is rehearsed whole."""
SHORT, LONG = 6, 18
"""Steps of the two lengths that stand for a longer epoch; made multiples of what lies between
two alpha steps."""
LEARNING_EPOCHS = 2
MARGIN = 0.3
"""Least half-width of the interval, as a share: steps get cheaper or dearer as policies decide
(docs/log.md)."""
MOST_EPOCHS = 1000

Clock = Callable[[], float]


@dataclass(frozen=True, kw_only=True)
class StageForecast:
    """One stage: cells of its supernet, epochs (the frozen among them), steps of each,
    evaluations, seconds."""

    cells: int
    epochs: int
    frozen_epochs: int
    steps: int
    evaluations: int
    seconds: float
    spread: float


@dataclass(frozen=True, kw_only=True)
class Rates:
    """Seconds of an epoch of each stage, alpha frozen and not, of the end; ``spread``: relative,
    between repeats."""

    frozen: tuple[float, ...]
    learning: tuple[float, ...]
    spread: tuple[float, ...]
    scoring: float


@dataclass(frozen=True, kw_only=True)
class Forecast:
    """A search as it would be: its stages, scoring at the end, and all of it in seconds from
    ``low`` to ``high``.

    ``cpu_seconds`` is what a free core would need; ``seconds`` what the clock says at the present
    load.
    """

    stages: tuple[StageForecast, ...]
    scoring_seconds: float
    seconds: float
    low: float
    high: float
    cpu_seconds: float
    evaluations: int
    memory_mib: float
    device: str
    rehearsal_seconds: float


def rehearse(planned: SearchPlan) -> tuple[Rates, Rates, float]:
    """Seconds by the clock, seconds of CPU, and the peak of memory in MiB of a few epochs of
    every stage."""
    config = planned.config
    torch.set_num_threads(config.threads)
    dataset = to_device(planned.dataset, compute.compute_device(config))
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


def forecast(planned: SearchPlan, config: Config, rates: tuple[Rates, Rates, float]) -> Forecast:
    """The forecast of ``config``, which may differ from the one rehearsed in the number of its
    epochs."""
    wall, cpu, memory = rates
    steps = [steps_of(planned.dataset, config, stage) for stage in config.stages]
    stages, by_cpu = (
        tuple(_stage(config, stage, steps[i], rates, i) for i, stage in enumerate(config.stages))
        for rates in (wall, cpu)
    )
    seconds = sum(stage.seconds for stage in stages) + wall.scoring
    spread = sum(stage.spread * stage.seconds for stage in stages) / seconds
    half = max(MARGIN, spread)
    return Forecast(
        stages=stages,
        scoring_seconds=wall.scoring,
        seconds=seconds,
        low=seconds * (1 - min(half, 0.9)),
        high=seconds * (1 + half),
        cpu_seconds=sum(stage.seconds for stage in by_cpu) + cpu.scoring,
        evaluations=sum(stage.evaluations for stage in stages),
        memory_mib=memory,
        device=str(compute.compute_device(config)),
        rehearsal_seconds=0.0,
    )


def within(planned: SearchPlan, rates: tuple[Rates, Rates, float], budget: float) -> Config:
    """The same search with as many epochs per stage as end within ``budget`` seconds, by the upper
    bound.

    Raises InputError where not even one epoch of each does.
    """
    fitting = None
    for epochs in range(1, MOST_EPOCHS + 1):
        config = with_epochs(planned.config, epochs)
        expected = forecast(planned, config, rates)
        if expected.high > budget:
            if fitting is None:
                raise InputError(
                    f"budget: one epoch of each stage may take {expected.high:,.0f} s, not"
                    f" {budget:,.0f} s"
                )
            break
        fitting = config
    assert fitting is not None
    return fitting


def plan_ahead(
    planned: SearchPlan, budget: float | None = None, clock: Clock = time.monotonic
) -> tuple[Config, Forecast]:
    """Rehearse, and forecast the search as configured, or with the epochs that ``budget``
    seconds allow."""
    began = clock()
    rates = rehearse(planned)
    config = planned.config if budget is None else within(planned, rates, budget)
    return config, replace(forecast(planned, config, rates), rehearsal_seconds=clock() - began)


def _stage(
    config: Config, stage: SearchStage, steps: int, rates: Rates, number: int
) -> StageForecast:
    learning = stage.epochs - stage.waits
    rounds = stage.waits * evaluations_per_epoch(config, stage, steps, learns=False)
    rounds += learning * evaluations_per_epoch(config, stage, steps, learns=True)
    seconds = stage.waits * rates.frozen[number] + learning * rates.learning[number]
    return StageForecast(
        cells=stage.cells,
        epochs=stage.epochs,
        frozen_epochs=stage.frozen_epochs,
        steps=steps,
        evaluations=rounds * config.alpha_step.samples,
        seconds=seconds,
        spread=rates.spread[number],
    )


def _run(planned: SearchPlan, dataset: Dataset) -> tuple[Rates, Rates]:
    """Rehearse with the images of ``dataset``: rates by the clock and by the CPU."""
    config = _shortened(planned.config)
    marks: list[tuple[float, float]] = []

    def watch(progress: SearchProgress) -> None:
        marks.append((time.monotonic(), time.process_time()))

    with tempfile.TemporaryDirectory(prefix="hwnas-plan-") as folder:
        run = runs.create(Path(folder) / "run", config, [], "")
        searched = run_stages(
            run, dataset, planned.costs, searcher_of(replace(planned, config=config)), watch
        )
    scoring = _scoring(config, dataset, searched)
    return _rates(config, [mark[0] for mark in marks], scoring[0]), _rates(
        config, [mark[1] for mark in marks], scoring[1]
    )


def _shortened(config: Config) -> Config:
    """One epoch to warm up, one frozen where there are any, and some that learn, in every stage."""
    stages = [
        {
            **stage.model_dump(),
            "epochs": 1 + waits + (LEARNING_EPOCHS if stage.waits < stage.epochs else 0),
            "frozen_epochs": 1 + waits if stage.frozen_epochs else 0,
        }
        for stage in config.stages
        for waits in [min(1, stage.waits)]
    ]
    return validate({**config.model_dump(), "stages": stages}, "plan")


def _rates(config: Config, marks: list[float], scoring: float) -> Rates:
    """From the times at which epochs ended; the first epoch of each stage warms up and is left
    out."""
    frozen, learning, spread, at = [], [], [], 0
    for stage in config.stages:
        taken = np.diff(marks[at : at + stage.epochs])
        at += stage.epochs
        learns = stage.waits < stage.epochs
        learn = taken[-LEARNING_EPOCHS:] if learns else taken
        learning.append(float(learn.mean()) if learns else 0.0)
        frozen.append(float(taken[0]) if stage.waits else 0.0)
        spread.append(float((learn.max() - learn.min()) / max(learn.mean(), 1e-9)))
    return Rates(
        frozen=tuple(frozen), learning=tuple(learning), spread=tuple(spread), scoring=scoring
    )


def _scoring(config: Config, dataset: Dataset, searched: Searched) -> tuple[float, float]:
    """Seconds, by the clock and by the CPU, of scoring finalists and as many uniform networks."""
    networks = 2 * algorithm_of(config).finalists(config)
    images = size(dataset, "policy")
    images = min(images, config.scoring_images or images)
    drawn = equal_batches(dataset, "policy", SCORING_BATCH, (config.seed, 0), images)
    few = [batch for batch, _ in zip(drawn, range(4), strict=False)]
    space = SPACES[config.space]
    asked = ask(config.algorithm, searched.searcher, space, 4, rng(config.seed, 0))
    shared_weights.accuracy(searched.net, asked[0], few[:1])
    wall, cpu = time.monotonic(), time.process_time()
    shared_weights.accuracies(searched.net, asked, few)
    share = networks * math.ceil(images / SCORING_BATCH) / (len(asked) * len(few))
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
