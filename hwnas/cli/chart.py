"""The present front as a small chart of characters, for the terminal in which a search runs."""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Sequence
from pathlib import Path

from hwnas import files

WIDTH, HEIGHT = 56, 9
LOG_FROM = 8.0

Dot = tuple[float, float]
"""(cost, accuracy)"""


def follow(trials: Path, metric: str | None) -> Callable[[], list[Dot]]:
    """A function that returns what the last stage in trials.jsonl has evaluated, reading only what
    is new.

    ``metric``: the cost; None takes the first of each trial.
    """
    offset, stage, dots = 0, -1, list[Dot]()

    def read() -> list[Dot]:
        nonlocal offset, stage
        if not files.exists(trials, trials.parent):
            return list(dots)
        size = trials.lstat().st_size
        if size < offset:  # the search went back to a checkpoint
            offset, stage = 0, -1
            dots.clear()
        if size > offset:
            with files.reading(trials, trials.parent) as file:
                file.seek(offset)
                for line in file:
                    if not line.endswith(b"\n"):
                        break
                    offset += len(line)
                    trial = json.loads(line)
                    if trial["stage"] != stage:
                        stage = trial["stage"]
                        dots.clear()
                    costs = trial["costs"]
                    dots.append((costs[metric or next(iter(costs))], trial["accuracy"]))
        return list(dots)

    return read


def front(dots: Sequence[Dot]) -> list[Dot]:
    """The non-dominated dots by rising cost."""
    kept: list[Dot] = []
    for cost, accuracy in sorted(dots, key=lambda dot: (dot[0], -dot[1])):
        if not kept or accuracy > kept[-1][1]:
            kept.append((cost, accuracy))
    return kept


def chart(dots: Sequence[Dot], metric: str, width: int = WIDTH, height: int = HEIGHT) -> str:
    """Accuracy (up) against cost (to the right): a dot per evaluation, a disc per member of the
    front."""
    if not dots:
        return ""
    costs, accuracies = [dot[0] for dot in dots], [dot[1] for dot in dots]
    low, high = min(costs), max(costs)
    bottom, top = min(accuracies), max(accuracies)
    log = low > 0 and high / low >= LOG_FROM
    rows = [[" "] * width for _ in range(height)]

    def put(dot: Dot, mark: str) -> None:
        x = (
            _share(math.log(dot[0]), math.log(low), math.log(high))
            if log
            else _share(dot[0], low, high)
        )
        y = _share(dot[1], bottom, top)
        rows[round((1 - y) * (height - 1))][round(x * (width - 1))] = mark

    for dot in dots:
        put(dot, "\u00b7")
    for dot in front(dots):
        put(dot, "\u25cf")
    labels = [f"{top:6.1%} ", *["       "] * (height - 2), f"{bottom:6.1%} "]
    lines = [label + "\u2502" + "".join(row) for label, row in zip(labels, rows, strict=True)]
    left, right = f"{low:,.4g}", f"{high:,.4g}"
    axis = " " * 7 + "\u2514" + "\u2500" * width
    return "\n".join(
        [*lines, axis, " " * 8 + left + right.rjust(width - len(left)), " " * 8 + metric]
    )


def _share(value: float, low: float, high: float) -> float:
    return (value - low) / (high - low) if high > low else 0.5
