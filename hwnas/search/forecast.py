"""What a search will take, from a few real epochs of it: time, memory and evaluations, before a day
is spent on it.

Its pieces are timed, or a few epochs of it rehearsed in a folder that is thrown away
(hwnas.search.rehearsal). Steps and evaluations are counted, not estimated.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from hwnas.config import Config, SearchStage, with_epochs
from hwnas.measuring.attached import Say, sampling_s
from hwnas.search import compute
from hwnas.search.candidates import scored_in_the_end
from hwnas.search.plan import SearchPlan
from hwnas.search.rehearsal import LIMIT_S, Rates, rehearse
from hwnas.search.schedule import (
    evaluations_per_epoch,
    steps_of,
)
from hwnas.space.space import SPACES
from hwnas.training.data import size
from hwnas.training.epochs import enough, times_of_part
from hwnas.training.recipe import RECIPES
from profilers.errors import InputError

MARGIN = 0.3
"""Least half-width of the interval, as a share: steps get cheaper or dearer as policies decide
(docs/log.md)."""
SURE_MARGIN = 0.15
"""The same where no policy decides: paths are drawn alike from the first step to the last."""
MOST_EPOCHS = 1000

Clock = Callable[[], float]


@dataclass(frozen=True, kw_only=True)
class StageForecast:
    """One stage: cells of its supernet, epochs (the frozen and the finalists' among them), steps
    of each, evaluations, seconds."""

    cells: int
    epochs: int
    frozen_epochs: int
    finalist_epochs: int
    steps: int
    evaluations: int
    seconds: float
    spread: float


@dataclass(frozen=True, kw_only=True)
class Forecast:
    """A search as it would be: its stages, scoring at the end, and all of it in seconds from
    ``low`` to ``high``. ``start_seconds``: fitting a classifier to trained weights.
    ``measuring_seconds``: latencies of finalists on an attached target. ``tuning_seconds``:
    training the front afterwards; both are part of the whole, too.

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
    measuring_seconds: float = 0.0
    tuning_seconds: float = 0.0
    tuning_cpu_seconds: float = 0.0


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
    measuring = _measuring(planned, config)
    rest, rest_cpu = (
        rates.scoring + rates.start + measuring + trained
        for rates, trained in ((wall, tuning), (cpu, tuning_cpu))
    )
    seconds = sum(stage.seconds for stage in stages) + rest
    spread = sum(stage.spread * stage.seconds for stage in stages) / seconds
    policies = config.weight_step.paths == "policies"
    half = max(MARGIN if policies else SURE_MARGIN, spread)
    return Forecast(
        stages=stages,
        scoring_seconds=wall.scoring,
        seconds=seconds,
        low=seconds * (1 - min(half, 0.9)),
        high=seconds * (1 + half),
        cpu_seconds=sum(one.seconds for one in by_cpu) + rest_cpu,
        evaluations=sum(stage.evaluations for stage in stages),
        memory_mib=memory,
        device=str(compute.compute_device(config)),
        rehearsal_seconds=0.0,
        start_seconds=wall.start,
        measuring_seconds=measuring,
        tuning_seconds=tuning,
        tuning_cpu_seconds=tuning_cpu,
    )


TUNED = 8
"""Members of a front, about."""
LOOKS = 256
"""Images that BatchNorm's statistics are estimated on after a training, beside the test images that
are looked at twice. A look at an image takes a third of training on it."""
MEASURING_S = (5.0, 0.3)
"""Seconds that measuring takes beside its sampling: once, and of each network."""


def _measuring(planned: SearchPlan, config: Config) -> float:
    """Seconds of latencies of the finalists and as many random networks, where the target is
    attached."""
    asked = {one.metric for one in config.objectives}
    if planned.attached_target is None or "latency" not in asked:
        return 0.0
    count = sum(scored_in_the_end(config))
    return MEASURING_S[0] + count * (MEASURING_S[1] + sampling_s(count))


def _tuning(planned: SearchPlan, config: Config, rates: Rates) -> float:
    """Seconds of `hwnas train --all` by its default recipe, of networks that are spread over the
    range of MACs."""
    if rates.step is None:
        return 0.0
    inherit = SPACES[config.space].shares_weights
    recipe = RECIPES["tune" if inherit else "quick"]
    images = size(planned.dataset, "train")
    epochs, _ = enough(recipe, images)
    low, high = planned.cost_ranges["macs"].bounds
    looks = (2 * size(planned.dataset, "test") + min(LOOKS, images)) / 3
    seconds = 0.0
    for macs in np.geomspace(max(1.0, low), max(1.0, high), TUNED):
        times = times_of_part(macs / high) if inherit else 1
        of_image = rates.step.at(float(macs)) / config.weight_step.batch_size
        seconds += of_image * (times * epochs * images + looks)
    return seconds


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
                    f"budget: {budget:,.0f} s are too few. One epoch of each stage takes about"
                    f" {expected.seconds:,.0f} s in all{rest_words(expected)}, and may take up to"
                    f" {expected.high:,.0f} s"
                )
            break
        fitting = config
    assert fitting is not None
    return fitting


def rest_words(expected: Forecast) -> str:
    """What a forecast counts beside its stages, where that is most of it. These seconds are part
    of ``expected.seconds``, not of its upper end."""
    parts = {
        "measure its finalists": expected.measuring_seconds,
        "train its front afterwards": expected.tuning_seconds,
    }
    if 2 * sum(parts.values()) < expected.seconds:
        return ""
    words = " and ".join(f"{seconds:,.0f} s {name}" for name, seconds in parts.items() if seconds)
    return f" (of these, {words})"


def timed(
    planned: SearchPlan,
    budget: float | None = None,
    say: Say = lambda line: None,
    clock: Clock = time.monotonic,
) -> tuple[tuple[Rates, Rates, float], float]:
    """Rates, and the seconds that timing them took: of CPU time a tenth of the budget at most,
    about."""
    began = clock()
    rates = rehearse(planned, LIMIT_S if budget is None else min(LIMIT_S, budget / 10), say)
    return rates, clock() - began


def _stage(
    config: Config, stage: SearchStage, steps: int, rates: Rates, number: int
) -> StageForecast:
    learning = stage.searching - stage.waits
    alone = stage.epochs - learning
    rounds = alone * evaluations_per_epoch(config, stage, steps, learns=False)
    rounds += learning * evaluations_per_epoch(config, stage, steps, learns=True)
    seconds = alone * rates.frozen[number] + learning * rates.learning[number]
    return StageForecast(
        cells=stage.cells,
        epochs=stage.epochs,
        frozen_epochs=stage.frozen_epochs,
        finalist_epochs=stage.finalist_epochs,
        steps=steps,
        evaluations=rounds * config.alpha_step.samples,
        seconds=seconds,
        spread=rates.spread[number],
    )
