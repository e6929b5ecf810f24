"""Hypervolume over the evaluations of a run."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise
from typing import Any

import numpy as np

from hwnas.runs.front import Bounds, hypervolume, non_dominated, to_minimise
from hwnas.runs.summary import ACCURACY, SearchSummary
from hwnas.runs.trials import Trial

CURVE_POINTS = 150


def volume_curve(trials: Sequence[Trial], summary: SearchSummary) -> list[dict[str, Any]]:
    """Hypervolume of what a stage has evaluated so far, at about 150 moments.

    Accuracies are those of single batches, so noise lifts it; a stage begins anew, since its
    weights do.
    """
    objectives, box = summary.objectives, summary.bounds
    if not trials or not objectives:
        return []
    bounds = Bounds(
        accuracy=(box[ACCURACY][0], box[ACCURACY][1]),
        costs=tuple((box[name][0], box[name][1]) for name in objectives),
    )
    accuracy = np.array([trial.accuracy for trial in trials])
    costs = np.array([[trial.costs[name] for name in objectives] for trial in trials])
    stage = np.array([trial.stage for trial in trials])
    found, kept = [], np.zeros(0, dtype=np.int64)
    edges = np.unique(np.linspace(0, len(trials), CURVE_POINTS + 1).astype(int))
    for begin, end in pairwise(edges):
        now = stage[end - 1]
        rows = np.concatenate([kept, np.arange(begin, end)])
        rows = rows[stage[rows] == now]
        kept = rows[non_dominated(to_minimise(accuracy[rows], costs[rows]))]
        value = hypervolume(accuracy[kept], costs[kept], bounds)
        found.append(
            {"evaluations": int(end), "hypervolume": round(value, 5), "stage": int(now) + 1}
        )
    return found
