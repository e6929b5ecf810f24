"""A search algorithm as one value: how it begins, what it needs, and the weight step that it may
bring.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

import numpy as np

from hwnas.algorithms import ALGORITHMS
from hwnas.search.algorithms.reward import Objective
from hwnas.search.algorithms.searcher import Searcher
from hwnas.search.diagnostic import Diagnostic

if TYPE_CHECKING:
    import torch
    from torch import Tensor

    from hwnas.config import Config
    from hwnas.runs.trials import Trial
    from hwnas.search.distributed.shared_weights import SharedWeights
    from hwnas.training.dataset import Batch


@dataclass(frozen=True, kw_only=True)
class StepContext:
    """One weight step of a search, as an algorithm with a step of its own sees it.

    ``batch``: this rank's images, None on a rank without any. ``lr``: the learning rate of one
    batch; ``count``: how many batches the ranks take together. ``learns``: alpha has its turn after
    this step; ``ends``: the epoch ends with it. ``validation``: a batch of validation images for
    this rank and this step, and, where the epoch ends, one that is the same on all ranks.
    ``noise``: a generator on the weights' device, the same on all ranks.
    """

    shared: SharedWeights
    batch: Batch | None
    lr: float
    count: int
    learns: bool
    ends: bool
    validation: Callable[[], Batch]
    last_validation: Callable[[], Batch]
    noise: torch.Generator


@dataclass(frozen=True, kw_only=True)
class OwnTraining:
    """The weight step that an algorithm brings, where it learns from gradients and not from
    evaluated samples.

    ``step`` takes the searcher and returns it with the loss before the step. ``every``: weight
    steps from one alpha step to the next. ``images``: how many of them an epoch trains on, None for
    all. ``maps``: what a step keeps in memory, in multiples of the maps of a mixture supernet.
    Evaluations then only fill the archive, once an epoch.
    """

    step: Callable[[Any, StepContext], tuple[Any, float | Tensor]]
    every: Callable[[Config], int]
    images: Callable[[Config], int | None] = lambda config: None
    maps: Callable[[Config], int] = lambda config: 1


@dataclass(frozen=True, kw_only=True)
class Algorithm:
    """A search algorithm by name.

    ``start(config, objectives, rng)`` gives a fresh searcher; objectives: those of each policy
    (hwnas.search.costs.objectives_of). ``check`` raises InputError for settings that it can't work
    with. ``finalists``: how many genotypes it hands back. ``finalists_from``: what it picks them
    from, the genotypes that were ``evaluated``, or those that its policies find ``likely``; then
    SynFlow may choose among them. ``policy_names``: what its policies are called;
    ``accuracy_policy``: which of them pursues accuracy most. ``diagnose``: what is to be said of
    the trials of one stage. ``training``: its own weight step, where it has one.
    ``searches``: whether it compares networks; one that does not hands all of them back.
    """

    name: str
    start: Callable[[Config, tuple[tuple[Objective, ...], ...], np.random.Generator], Searcher]
    check: Callable[[Config], None] = lambda config: None
    finalists: Callable[[Config], int] = lambda config: (
        len(config.exponents) * config.finalists_per_policy
    )
    finalists_from: Literal["evaluated", "likely"] = "evaluated"
    policy_names: Callable[[Config], list[str]] = lambda config: [config.algorithm]
    accuracy_policy: Callable[[Config], int] = lambda config: 0
    diagnose: Callable[[Config, Sequence[Trial]], list[Diagnostic]] = lambda config, trials: []
    training: OwnTraining | None = None
    searches: bool = True


def algorithm_of(config: Config) -> Algorithm:
    """The algorithm that a config names. Raises InputError where its package is broken."""
    found: Algorithm = ALGORITHMS[config.algorithm]
    return found
