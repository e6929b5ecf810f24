"""The parts of a training that went on after its end, each with a schedule of its own.

A training of 10 epochs that goes on to 20 has made the first 10 by their own schedule: its learning
rate had fallen to the last one. So the epochs after it are a schedule again, of 10 epochs: warm-up,
in a quarter of them at most, the first rate, and down (a warm restart, arXiv 1608.03983). Drop-path
rises again too.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from hwnas.training.recipe import Recipe, drop_path_probability, learning_rate


def last_end(ends: Sequence[int], done: int) -> int:
    """Where the part of the last of ``done`` epochs began."""
    return max((end for end in ends if end < done), default=0)


def leg_of(ends: Sequence[int], epochs: int, epoch: int) -> tuple[int, int]:
    """(first epoch, end) of the part that ``epoch``, from 0, lies in. ``ends``: where earlier
    parts ended; the last one ends at ``epochs``."""
    begin = max((end for end in ends if end <= epoch), default=0)
    return begin, min((end for end in (*ends, epochs) if end > epoch), default=epochs)


def rate_of(recipe: Recipe, ends: Sequence[int], epoch: int, step: int, steps: int) -> float:
    """The learning rate of a step of ``epoch``, by the schedule of its part."""
    begin, end = leg_of(ends, recipe.epochs, epoch)
    length, warm = end - begin, recipe.warmup_epochs
    # However short a part is that was added, it does not end at a high rate.
    part = replace(recipe, epochs=length, warmup_epochs=min(warm, length / 4) if begin else warm)
    return learning_rate(part, epoch - begin, step, steps)


def drop_path_of(recipe: Recipe, ends: Sequence[int], epoch: int) -> float:
    """The probability of drop-path in ``epoch``, by the schedule of its part."""
    begin, end = leg_of(ends, recipe.epochs, epoch)
    return drop_path_probability(replace(recipe, epochs=end - begin), epoch - begin)
