"""Settings that fit the images: how long shared weights train, and how many images judge.

What counts is steps, not epochs: an epoch of 600 images teaches a fifth of what one of 3,000 does.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from hwnas.config.changes import epochs_of_largest

KEPT_ASIDE, JUDGED = 368, 256
"""Images that no weights are trained on, and those of them that candidates are compared on: their
likelihood ranks well (docs/log.md, 2026-11-28). Finalists are scored on all of them."""
SHARES = (0.05, 0.3)
"""Of the training images at least and at most so many judge."""
WHOLE_STEPS, PART_STEPS = 160, 160
"""Of an elastic space: steps that train the whole network, then parts of it, on 32 images each.
More of them make parts better as they are, and little after `train`; fewer of the whole network
cost its parts a point (docs/log.md, 2026-11-29)."""
CHAIN_STEPS = (480, 400, 560)
"""Of chains from random weights, stage by stage: those of the searches beside RESNET8 in
docs/evidence/mobile.md, of 10,000 images."""
FROZEN = (1 / 2, 2 / 5, 2 / 7)
"""The share of each of these stages that trains weights alone."""
MOST_EPOCHS = 60
SMALL_SIDE = 48
"""Pixels below which images are small: chains of six blocks suit them, and weights that were
trained at 224 pixels know too little of them."""
SIDES = (96, 80, 64, 48)
"""Sides that larger images are read at: the largest that they have. At 96 a laptop tunes a network
in minutes."""


@dataclass(frozen=True, kw_only=True)
class Fitting:
    """``settings``: of a config. ``words``: what was chosen, for one line. ``steps``: an epoch."""

    settings: dict[str, Any]
    words: str
    steps: int


def elastic_fit(images: int, side: int, resizable: bool, typed: int | None = None) -> Fitting:
    """For the parts of a trained network, with so many training images of ``side`` pixels, which
    may be read at another side where they are ``resizable``. ``typed``: the epochs of parts that
    were asked for."""
    share = _judging(images)
    steps = max(1, round(images * (1 - share)) // 32)
    whole, parts = _epochs(WHOLE_STEPS, steps), _epochs(PART_STEPS, steps)
    if typed is not None:
        whole, parts = epochs_of_largest(whole, parts, typed), typed
    judged = min(JUDGED, max(1, round(images * share)))
    return Fitting(
        settings={
            "stages": [
                {"epochs": whole, "train": "largest"},
                {"epochs": parts, "frozen_epochs": parts},
                {"epochs": 1, "train": "nothing", "rounds": 6},
            ],
            "data": {"policy_share": share} | _read_at(side, resizable),
            "alpha_step": {"images": judged},
        },
        words=(
            f"{_at(side, resizable)}{whole} + {parts} epochs of {steps:,} steps (--epochs),"
            f" {judged:,} images compare networks"
        ),
        steps=steps,
    )


def chain_fit(images: int, side: int, resizable: bool, typed: int | None = None) -> Fitting:
    """The same for chains of mobile blocks from random weights. ``typed``: the epochs of each
    stage that were asked for."""
    share = _judging(images)
    training = round(images * (1 - share))
    batch = 64 if training >= 20 * 64 else 32
    steps = max(1, training // batch)
    stages = []
    for wanted, frozen in zip(CHAIN_STEPS, FROZEN, strict=True):
        epochs = typed or _epochs(wanted, steps)
        stages.append({"epochs": epochs, "frozen_epochs": int(epochs * frozen)})
    judged = min(128, round(images * share))
    small = side < SMALL_SIDE
    space = "mobile-small" if small else "mobile"
    epochs_of = " + ".join(str(stage["epochs"]) for stage in stages)
    return Fitting(
        settings={
            "space": space,
            "stages": stages,
            "finalists_by": "regression",
            "finalists_per_policy": 2,
            "data": {"policy_share": share} | ({} if small else _read_at(side, resizable)),
            "weight_step": {"batch_size": batch},
            "alpha_step": {"every": max(1, min(8, steps)), "images": max(1, judged)},
        },
        words=(
            f"the space {space} (--space), {'' if small else _at(side, resizable)}"
            f"{epochs_of} epochs of {steps:,} steps (--epochs), {judged:,} images compare networks"
        ),
        steps=steps,
    )


def side_of(side: int) -> int:
    """The side that images of ``side`` pixels are read at; their own where they are smaller than
    all that is offered."""
    return next((offered for offered in SIDES if offered <= side), side)


def _read_at(side: int, resizable: bool) -> dict[str, int]:
    return {"image_size": side_of(side)} if resizable else {}


def _at(side: int, resizable: bool) -> str:
    return f"at {side_of(side)} pixels (--image-size), " if resizable else ""


def _judging(images: int) -> float:
    return round(min(SHARES[1], max(SHARES[0], KEPT_ASIDE / max(1, images))), 3)


def _epochs(wanted: int, steps: int) -> int:
    return min(MOST_EPOCHS, max(1, round(wanted / steps)))
