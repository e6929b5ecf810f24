"""How far a search is: what a caller hears after each epoch."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from hwnas.config import Config
from hwnas.search.state import State


@dataclass(frozen=True, kw_only=True, slots=True)
class SearchProgress:
    """The end of an epoch. ``epoch`` counts from 1, ``stage`` from 0; ``share_done`` in 0..1 of all
    epochs by depth.
    """

    stage: int
    stages: int
    epoch: int
    epochs: int
    loss: float
    accuracy: float | None
    entropies: tuple[float, ...]
    evaluations: int
    seconds: float
    share_done: float
    notes: tuple[str, ...] = ()


Watcher = Callable[[SearchProgress], None]


def progress_of(
    config: Config,
    state: State,
    entropies: tuple[float, ...],
    seconds: float,
    notes: tuple[str, ...],
) -> SearchProgress:
    """The progress at the end of the present epoch."""
    at, stage = state.position, config.stages[state.position.stage]
    work = [each.cells * each.epochs for each in config.stages]
    done = sum(work[: at.stage]) + stage.cells * (at.epoch + 1)
    return SearchProgress(
        stage=at.stage,
        stages=len(config.stages),
        epoch=at.epoch + 1,
        epochs=stage.epochs,
        loss=float(np.mean(state.losses)) if state.losses else float("nan"),
        accuracy=float(np.mean(state.accuracies)) if state.accuracies else None,
        entropies=entropies,
        evaluations=at.trials,
        seconds=seconds,
        share_done=done / sum(work),
        notes=notes,
    )
