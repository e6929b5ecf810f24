"""What a search will take, from a few real epochs of it: time, memory and evaluations, before a day
is spent on it.

The search itself is rehearsed in a folder that is thrown away: its own loop, its own supernets, a
few steps of every stage. Where an epoch is long, two shorter ones of different length tell what a
step costs and what the end of an epoch does (checkpoint, monitor). Evaluations are counted, not
estimated.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass, replace

from hwnas.config import Config, SearchStage, with_epochs
from hwnas.search import compute
from hwnas.search.plan import SearchPlan
from hwnas.search.rehearsal import Rates, rehearse
from hwnas.search.schedule import (
    evaluations_per_epoch,
    steps_of,
)
from hwnas.space.space import SPACES
from hwnas.training.data import size
from hwnas.training.recipe import RECIPES
from profilers.errors import InputError

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
class Forecast:
    """A search as it would be: its stages, scoring at the end, and all of it in seconds from
    ``low`` to ``high``. ``start_seconds``: fitting a classifier to trained weights.
    ``tuning_seconds``: training the front afterwards, where networks go on from shared weights;
    it is part of the whole, too.

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
    start_seconds: float = 0.0
    tuning_seconds: float = 0.0


def forecast(planned: SearchPlan, config: Config, rates: tuple[Rates, Rates, float]) -> Forecast:
    """The forecast of ``config``, which may differ from the one rehearsed in the number of its
    epochs."""
    wall, cpu, memory = rates
    steps = [steps_of(planned.dataset, config, stage) for stage in config.stages]
    stages, by_cpu = (
        tuple(_stage(config, stage, steps[i], rates, i) for i, stage in enumerate(config.stages))
        for rates in (wall, cpu)
    )
    tuning, tuning_cpu = (_tuning(planned, config, rates) for rates in (wall, cpu))
    seconds = sum(stage.seconds for stage in stages) + wall.scoring + wall.start + tuning
    spread = sum(stage.spread * stage.seconds for stage in stages) / seconds
    half = max(MARGIN, spread)
    return Forecast(
        stages=stages,
        scoring_seconds=wall.scoring,
        seconds=seconds,
        low=seconds * (1 - min(half, 0.9)),
        high=seconds * (1 + half),
        cpu_seconds=sum(one.seconds for one in by_cpu) + cpu.scoring + cpu.start + tuning_cpu,
        evaluations=sum(stage.evaluations for stage in stages),
        memory_mib=memory,
        device=str(compute.compute_device(config)),
        rehearsal_seconds=0.0,
        start_seconds=wall.start,
        tuning_seconds=tuning,
    )


TUNED = 8
"""Members of a front, about."""


def _tuning(planned: SearchPlan, config: Config, rates: Rates) -> float:
    """Seconds of `hwnas train --all` by its default recipe, where it begins with shared weights.

    Its epochs are as long as those of paths, on all training images.
    """
    paths = [number for number, stage in enumerate(config.stages) if stage.train == "paths"]
    if not SPACES[config.space].shares_weights or not paths:
        return 0.0
    epoch = max(rates.frozen[paths[-1]], rates.learning[paths[-1]])
    more = size(planned.dataset, "train") / max(1, size(planned.dataset, "weights"))
    return TUNED * RECIPES["tune"].epochs * epoch * more


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
