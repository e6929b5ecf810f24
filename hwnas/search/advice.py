"""Whether to search, and for how long: a forecast, a time, and what is known to be too little."""

from __future__ import annotations

from dataclasses import dataclass, replace

from hwnas.config import Config, with_epochs
from hwnas.measuring.attached import Say
from hwnas.search.forecast import Forecast, forecast, timed, within
from hwnas.search.plan import SearchPlan
from hwnas.search.worth import doubts, trained_steps
from hwnas.space.space import SPACES
from hwnas.training.data import size
from profilers.errors import InputError

ENOUGH = 3
"""Times the epochs that fit the images: with more of them, fronts hardly changed, and the time is
better spent on training what was found."""


@dataclass(frozen=True, kw_only=True)
class Advice:
    """``search``: whether to. ``why``: in words. ``config`` and ``forecast``: of the search, also
    where the advice is not to. ``narrow``: networks that are equally narrow can be had instead."""

    search: bool
    why: tuple[str, ...]
    config: Config
    forecast: Forecast
    narrow: bool


def advise(
    planned: SearchPlan, budget: float | None = None, say: Say = lambda line: None
) -> Advice:
    """Time the pieces of a search, and say what is best done, within ``budget`` seconds where there
    is one; ``say`` hears what is timed."""
    rates, took = timed(planned, budget, say)
    config, late = planned.config, ""
    if budget is not None:
        try:
            most = within(planned, rates, budget)
            longest = with_epochs(config, ENOUGH * max(stage.epochs for stage in config.stages))
            config = min(most, longest, key=lambda one: trained_steps(one, planned.dataset))
        except InputError as error:
            late = str(error).removeprefix("budget: ")
            config = with_epochs(config, 1)
    found = replace(forecast(planned, config, rates), rehearsal_seconds=took)
    reasons = doubts(config, planned.dataset)
    why = [*([late] if late else []), *reasons]
    if why:
        return _advice(planned, config, found, False, why)
    steps, images = trained_steps(config, planned.dataset), size(planned.dataset, "policy")
    judged = min(config.alpha_step.images, images)
    why = [f"{steps:,} steps train shared weights, {found.evaluations:,} networks are compared on"]
    why[-1] += f" {judged:,} images"
    return _advice(planned, config, found, True, why)


def _advice(
    planned: SearchPlan, config: Config, found: Forecast, search: bool, why: list[str]
) -> Advice:
    narrow = SPACES[planned.config.space].shares_weights
    return Advice(search=search, why=tuple(why), config=config, forecast=found, narrow=narrow)
