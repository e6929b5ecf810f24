"""Every evaluated genotype once, with the mean of the accuracies that were seen for it."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from pymoo.util.nds.non_dominated_sorting import NonDominatedSorting

from hwnas.runs.front import to_minimise
from hwnas.runs.trials import Trial
from hwnas.space.space import Choices

Floats = NDArray[np.float64]


@dataclass(frozen=True, kw_only=True)
class Archive:
    """N different genotypes: choices (N, edges), mean accuracy (N,), costs (N, objectives), seen
    (N,) times."""

    choices: Choices
    accuracy: Floats
    costs: Floats
    seen: NDArray[np.int64]


def collect(trials: Iterable[Trial], names: Sequence[str], edges: int) -> Archive:
    """The archive of ``trials`` in order of first appearance, costs in the order of ``names``."""
    found: dict[tuple[int, ...], list[Trial]] = {}
    for trial in trials:
        found.setdefault(trial.choices, []).append(trial)
    groups = list(found.values())
    return Archive(
        choices=np.array(list(found), dtype=np.int64).reshape(len(groups), edges),
        accuracy=np.array([np.mean([trial.score for trial in group]) for group in groups]),
        costs=np.array([[group[0].costs[name] for name in names] for group in groups]).reshape(
            len(groups), len(names)
        ),
        seen=np.array([len(group) for group in groups], dtype=np.int64),
    )


def by_rank(archive: Archive, count: int) -> Choices:
    """The ``count`` best of the archive by non-dominated sorting, (count, edges); earlier seen
    first in a rank."""
    if not len(archive.choices):
        return archive.choices
    ranks = NonDominatedSorting().do(to_minimise(archive.accuracy, archive.costs))
    order = np.concatenate([np.sort(rank) for rank in ranks]).astype(np.int64)
    return archive.choices[order[:count]]
