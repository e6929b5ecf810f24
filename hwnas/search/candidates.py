"""The candidates of a front that is to cover the costs, and the last epochs, which train no other
path.

Evaluations take more of a search's time than its weight steps do, and the paths of policies that
pursue accuracy stay so many that each of them is hardly trained: large networks look no better than
small ones. So the last epochs evaluate nothing. They train the best few of every bin of costs,
after a third of them the best one, and all the time the cheapest network that was evaluated. What
counts as best, a part of the validation images says (hwnas.search.scoring_images).
"""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np
from numpy.typing import NDArray

from hwnas.config import Config, SearchStage
from hwnas.nets.supernet import Supernet
from hwnas.runs.directory import Run
from hwnas.runs.trials import Trial, read_trials
from hwnas.search.algorithms.algorithm import algorithm_of
from hwnas.search.algorithms.archive import Archive, collect
from hwnas.search.algorithms.asked import finalists
from hwnas.search.algorithms.regression import best_of_bins
from hwnas.search.algorithms.searcher import Searcher, mixture_of
from hwnas.search.costs import CostModel
from hwnas.search.distributed import shared_weights
from hwnas.search.distributed.ranks import Ranks
from hwnas.search.scoring_images import covers, scoring_images
from hwnas.search.state import Candidates, Position, State
from hwnas.space.encoding import distinct_rows, project
from hwnas.space.space import SPACES, Choices
from hwnas.training.data import Batch, Dataset

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]

BINS = 12
"""Bins of equal ratios from the cheapest candidate to the most expensive, shared among the
objectives."""
LISTED = 4
"""Of each bin so many of those that were evaluated join those that the searcher names."""
FEW = 3
"""Of each bin so many are trained at first, and then one."""
GOLDEN = (5**0.5 - 1) / 2


def narrowing(stage: SearchStage) -> tuple[int, ...]:
    """The epochs of a stage at whose start there are fewer candidates."""
    if not stage.finalist_epochs:
        return ()
    return stage.searching, stage.searching + stage.finalist_epochs // 3


def narrow(run: Run, dataset: Dataset, costs: tuple[CostModel, ...], state: State) -> None:
    """At the start of an epoch of ``narrowing``: fewer candidates, by what they score now.

    All ranks call this together.
    """
    config, at, ranks = run.config, state.position, state.shared.ranks
    is_last = at.epoch == narrowing(config.stages[at.stage])[-1]
    found = None if state.candidates is None else state.candidates.choices
    if found is None:
        trials = ranks.broadcast(lambda: [t for t in read_trials(run) if t.stage == at.stage])
        found = ranks.broadcast(lambda: listed(config, costs, state.searcher, trials))
    images = scoring_images(config, dataset).to_choose()
    accuracy = right_images(state.shared.net, ranks, found, images).mean(axis=1)
    paid = objective_costs(config, costs, found)
    best = ranks.broadcast(lambda: cheapest_and_best(accuracy, paid, 1 if is_last else FEW))
    state.candidates = candidates_of(costs, found[best])


def candidates_of(costs: tuple[CostModel, ...], choices: Choices) -> Candidates:
    """Candidates whose shares of the weight steps are as their parameters: large networks need more
    steps, and policies with hard penalties have given the small ones many."""
    sizes = next(cost for cost in costs if cost.name == "params").of(choices)
    order = np.argsort(sizes, kind="stable")
    shares = np.maximum(sizes[order], 1.0)
    return Candidates(choices=choices[order], shares=shares / shares.sum())


def candidate_of_step(config: Config, candidates: Candidates, at: Position, number: int) -> Choices:
    """The path (decisions,) of a weight step of the present epoch.

    Turns follow the golden ratio, so that any few steps in a row are spread over all costs.
    """
    epochs = at.epoch - config.stages[at.stage].searching
    turn = (config.seed + epochs * 1009 + number) * GOLDEN % 1.0
    row = int(np.searchsorted(np.cumsum(candidates.shares), turn, side="right"))
    path: Choices = candidates.choices[min(row, len(candidates.choices) - 1)]
    return path


def listed(
    config: Config, costs: tuple[CostModel, ...], searcher: Searcher, trials: list[Trial]
) -> Choices:
    """What the searcher names, and the best of what was evaluated in each bin: different genotypes
    (N, decisions) as the rule leaves them."""
    space, names = SPACES[config.space], [one.metric for one in config.objectives]
    archive: Archive = collect(trials, names, len(space.decisions))
    count = config.finalists_per_policy
    pairs = finalists(config.algorithm, searcher, space, archive, count)
    table = mixture_of(searcher, space)
    if len(archive.choices):
        rows = cheapest_and_best(archive.accuracy, archive.costs, LISTED)
        pairs += [(archive.choices[row], table) for row in rows]
    chosen = np.stack([project(space, choices, scores) for choices, scores in pairs])
    return chosen[distinct_rows(chosen)]


def cheapest_and_best(accuracy: Floats, costs: Floats, each: int) -> Ints:
    """Rows of the ``each`` best accuracies of every bin of every cost, and of the least of every
    cost: no other network beats that one, and a front without it ends too early.

    accuracy (N,), costs (N, C). Of equal costs the most accurate is taken.
    """
    bins = -(-BINS // costs.shape[1])
    best = [
        best_of_bins(accuracy, column, (float(column.min()), float(column.max())), bins, each)
        for column in costs.T
    ]
    cheapest = [np.lexsort((-accuracy, column))[:1] for column in costs.T]
    return np.unique(np.concatenate(best + cheapest))


def scored_in_the_end(config: Config) -> tuple[int, int]:
    """Finalists and random networks, about, that are scored for the summary."""
    named = algorithm_of(config).finalists(config)
    return (min(BINS, named) if covers(config) else named), named


def scorings(config: Config, dataset: Dataset) -> int:
    """Networks times images, about, that finalists and random networks take to score, candidates
    before them included."""
    images = scoring_images(config, dataset)
    total = sum(scored_in_the_end(config)) * images.printing
    if not covers(config):
        return total
    looked = algorithm_of(config).finalists(config) + (LISTED + FEW + 1) * BINS
    return total + looked * (images.choosing or images.printing)


def objective_costs(config: Config, costs: tuple[CostModel, ...], choices: Choices) -> Floats:
    """What choices (N, decisions) cost in each objective, (N, objectives)."""
    return np.stack([cost.of(choices) for cost in costs[: len(config.objectives)]], axis=1)


def right_images(net: Supernet, ranks: Ranks, choices: Choices, images: Iterable[Batch]) -> Floats:
    """What each network scores on each image, (N, images): of a classification 1 where it is right.

    All ranks call this together.
    """
    net.dropout = type(net.dropout)()
    own = shared_weights.scores(net, choices[ranks.own(len(choices))], images)
    return ranks.gathered(len(choices), own)
