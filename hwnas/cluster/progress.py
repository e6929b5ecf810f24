"""Where tasks on other nodes are, read from the files that they leave: a line a minute while
none of them ends."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable
from pathlib import Path

from hwnas.cluster.sweep_file import state_of
from hwnas.runs.directory import open_run
from hwnas.runs.history import read_history
from hwnas.runs.models import Model
from hwnas.training.checkpoint import epochs_done
from profilers.errors import InputError

MINUTE = 60.0
MOST = 8
"""Tasks that a line names; of more, how many more there are."""


def once_a_minute(
    look: Callable[[], list[str]],
    say: Callable[[str], None],
    clock: Callable[[], float] = time.monotonic,
) -> Callable[[], None]:
    """A function to be called often, which says what ``look`` sees once a minute, and only where
    that is new."""
    last, before = clock(), ""

    def tick() -> None:
        nonlocal last, before
        if clock() - last < MINUTE:
            return
        last, seen = clock(), look()
        more = [f"{len(seen) - MOST} more"] if len(seen) > MOST else []
        line = ", ".join([*seen[:MOST], *more])
        if line and line != before:
            say(line)
        before = line

    return tick


def trainings(models: Iterable[Model], epochs: int) -> list[str]:
    """``KEY epoch 3/20`` of every training that is under way."""
    done = {model.name: epochs_done(model.folder) for model in models}
    return [
        f"{name} epoch {number}/{epochs}" for name, number in done.items() if 0 < number < epochs
    ]


def searches(paths: Iterable[Path]) -> list[str]:
    """``NAME stage 1 epoch 3`` of every search that is under way."""
    found = []
    for path in paths:
        if state_of(path) != "started":
            continue
        try:
            run = open_run(path)
            last = read_history(run)[-1]
        except (InputError, IndexError, OSError):  # no epoch has ended, or a line is being written
            continue
        found.append(
            f"{path.name} stage {last.stage + 1}/{len(run.config.stages)} epoch {last.epoch + 1}"
        )
    return found
