"""How many epochs each network of a call is trained for: as typed, as planned before, enough for
few images, or as many as a time allows.

A training keeps the epochs that it was planned for, as its learning rate falls to the end of them
(hwnas.training.legs). So only what is not begun is cut to a time, and what has ended is prolonged.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, replace
from types import MappingProxyType

from hwnas.training.checkpoint import StoredTraining
from hwnas.training.recipe import Recipe
from profilers.errors import InputError

LEAST_STEPS = {"quick": 200, "tune": 80}
"""Steps that a preset makes at least. The presets were tried on 1,438 digits (``quick``: 220 steps)
and 2,934 photos (``tune``: 91 steps); their epochs of a few hundred images are too few steps."""
PARTS_TIMES = ((0.5, 2),)
"""Times the epochs of ``tune`` for parts of a network: below so large a share of its MACs, so many.

Those below half gained 1.3 points (standard error 0.2, 19 networks) by the second epoch and as much
again by the third, those up to 0.75 gained 1.1 (0.3, 5) by the second, on a part of the flowers'
training photos. All that costs a front a quarter as much again, so it is for ``--epochs``
(docs/log.md, 2026-11-29)."""
MOST_TIMES = 20
"""Times the epochs of a preset that few images are trained for at most."""
MARGIN = 0.9
"""Share of a time that is planned for: other work on the machine takes some of it."""


@dataclass(frozen=True, kw_only=True)
class Pace:
    """What a network takes, in seconds: an epoch with its share of tests, and once, what comes
    before and after them all."""

    epoch_s: float
    once_s: float = 0.0


@dataclass(frozen=True, kw_only=True)
class EpochPlan:
    """The epochs of each network by name, counted from the start of its training, and lines that
    say why."""

    epochs: Mapping[str, int]
    lines: tuple[str, ...] = ()

    def recipe(self, name: str, recipe: Recipe) -> Recipe:
        """The recipe of a network."""
        return replace(recipe, epochs=self.epochs.get(name, recipe.epochs))


def enough(recipe: Recipe, images: int) -> tuple[int, str | None]:
    """The epochs of a preset where nothing was said, and a line where few images need more of
    them.

    ``images`` that train.
    """
    steps = max(1, images // min(recipe.batch, images))
    least = LEAST_STEPS.get(recipe.name, 0)
    epochs = min(math.ceil(least / steps), MOST_TIMES * recipe.epochs)
    if epochs <= recipe.epochs:
        return recipe.epochs, None
    return epochs, (
        f"{epochs} epochs instead of the {recipe.epochs} of recipe {recipe.name}: {images:,} images"
        f" make {steps} steps an epoch, and fewer than {least} steps teach little (--epochs)"
    )


def times_of_part(share: float) -> int:
    """Times the epochs that a part gets which has this ``share``, in 0..1, of the whole network's
    MACs."""
    return next((times for below, times in PARTS_TIMES if share < below), 1)


def kept_or(
    wanted: int,
    stored: Mapping[str, StoredTraining | None],
    typed: bool,
    line: str | None = None,
    times: Mapping[str, int] = MappingProxyType({}),
) -> EpochPlan:
    """Each network's epochs where no time is given: those wanted, or, where they were not typed,
    those that an earlier call planned. ``times``: how many times as many the parts of a network
    get, by name (``times_of_part``)."""
    own = {name: wanted * times.get(name, 1) for name in stored}
    epochs = {
        name: own[name] if one is None or typed else one.epochs for name, one in stored.items()
    }
    kept = [number for name, number in epochs.items() if number != own[name]]
    others = sorted(set(kept))
    lines = [line] if line is not None and len(kept) < len(epochs) else []
    longer = [name for name in epochs if times.get(name, 1) > 1 and epochs[name] == own[name]]
    if longer:
        counts = sorted({own[name] for name in longer}, reverse=True)
        each = ", ".join(
            f"{sum(own[name] == number for name in longer)} for {number} epochs"
            for number in counts
        )
        lines.append(
            f"of {len(epochs)} networks, small parts of the whole are trained longer: {each},"
            f" instead of {wanted} (--epochs)"
        )
    if others:
        count = len(kept)
        words = "1 network keeps" if count == 1 else f"{count} networks keep"
        planned = ", ".join(map(str, others))
        lines.append(f"{words} the {planned} epochs that an earlier call planned (--epochs)")
    return EpochPlan(epochs=epochs, lines=tuple(lines))


def within_time(
    time_s: float,
    left_s: float,
    wanted: int,
    stored: Mapping[str, StoredTraining | None],
    paces: Mapping[str, Pace],
) -> EpochPlan:
    """The most epochs, the same for all networks and at most ``wanted``, that fit into a time.

    ``time_s``: seconds of the whole call; ``left_s``: those that are left, of which a margin stays
    free. What was begun ends as it was
    planned. Raises InputError where the time is too short for the least that can be done.
    """

    def goal(name: str, number: int) -> int:
        one = stored[name]
        begun = 0 if one is None else one.done if one.ended else one.epochs
        return max(begun, number)

    def seconds(number: int) -> float:
        total = 0.0
        for name, pace in paces.items():
            one = stored[name]
            more = goal(name, number) - (0 if one is None else one.done)
            total += more * pace.epoch_s + pace.once_s if more > 0 else 0.0
        return total

    budget = MARGIN * left_s
    begun = any(one is not None and not one.ended for one in stored.values())
    new = any(one is None for one in stored.values())
    # The fewest epochs at which this call does anything.
    done = [one.done for one in stored.values() if one is not None]
    least = 1 if new else min(done) + (0 if begun else 1)
    least = min(least, wanted)
    number = max((n for n in range(least, wanted + 1) if seconds(n) <= budget), default=None)
    if number is None and (new or not begun) and seconds(wanted) > 0:
        raise InputError(
            f"--time: {clock(time_s)} is too short for {_more(least, done, new)} of"
            f" {_networks(len(paces))}, which takes about {clock(seconds(least))}: say --time"
            f" {math.ceil(seconds(least) / MARGIN + time_s - left_s)}s or more, or fewer networks"
        )
    number = least if number is None else number
    epochs = {name: goal(name, number) for name in stored}
    took = seconds(number)
    lines = [_decided(time_s, number, wanted, len(paces), took)]
    if begun and took > budget:
        lines = [
            f"--time: what earlier calls began is ended as it was planned, in about {clock(took)},"
            f" which is more than {clock(time_s)}"
        ]
    return EpochPlan(epochs=epochs, lines=tuple(lines))


def _decided(time_s: float, number: int, wanted: int, networks: int, took: float) -> str:
    if not took:
        return "--time: all networks are trained; more epochs (--epochs) would train them on"
    if number == wanted:
        return (
            f"--time: {clock(time_s)} are enough for all {wanted} epochs of {_networks(networks)},"
            f" about {clock(took)}"
        )
    return (
        f"--time: {number} of {wanted} epochs of {_networks(networks)} fit into"
        f" {clock(time_s)}, in about {clock(took)}; the learning rate's schedule is cut to them"
    )


def _more(least: int, done: list[int], new: bool) -> str:
    return "one epoch" if new or not done else f"epoch {least}"


def _networks(count: int) -> str:
    return "1 network" if count == 1 else f"each of {count} networks"


def clock(seconds: float) -> str:
    """A time as people say it: 5.2 s, 100 s, 6.5 min, 2.5 h."""
    if seconds < 120:
        return f"{seconds:.1f} s" if seconds < 10 else f"{seconds:.0f} s"
    if seconds < 7200:
        return f"{seconds / 60:.1f} min" if seconds < 600 else f"{seconds / 60:.0f} min"
    return f"{seconds / 3600:.1f} h"
