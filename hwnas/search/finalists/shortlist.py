"""Which genotypes a search hands back, and what speaks for each: before they are scored and
measured."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from hwnas.config import Config
from hwnas.errors import Stopped
from hwnas.measuring.attached import Say
from hwnas.runs.trials import Trial
from hwnas.search.algorithms import regression
from hwnas.search.algorithms.algorithm import algorithm_of
from hwnas.search.algorithms.archive import Archive, collect
from hwnas.search.algorithms.around_bins import Bins, around_bins
from hwnas.search.algorithms.asked import finalists
from hwnas.search.algorithms.searcher import Searcher, mask_of, mixture_of, policies_of
from hwnas.search.costs import CostModel, CostRange
from hwnas.search.finalists.synflow import log_flows
from hwnas.search.loop import Searched
from hwnas.space.encoding import distinct_rows, project
from hwnas.space.space import SPACES, Choices, Mask, Probabilities
from hwnas.training.data import Dataset

Floats = NDArray[np.float64]
Flows = Callable[[Choices], Floats]

PER_BIN = 32
"""How many genotypes the regression proposes in each cost bin where SynFlow then has a say."""
BY_TRIALS = ("regression", "bins")
"""Ways to choose that ask all trials together; of those that ask the searcher, ``seen``, and
``cover`` without an objective, do not."""
SHORTLISTED = 64
"""How many the searcher shortlists where there are no bins, of which SynFlow then takes those
that are wanted."""


@dataclass(frozen=True, kw_only=True)
class Finalists:
    """Different genotypes (N, edges) as the rule leaves them; ``evidence``: what speaks for each,
    by name.

    ``regression``: accuracy on an average batch, 0..1. ``log_synflow``: ln of SynFlow.
    ``believed``: both in standard deviations of the shortlist, added.
    """

    choices: Choices
    evidence: tuple[dict[str, float], ...]


def choose(
    config: Config,
    dataset: Dataset,
    costs: tuple[CostModel, ...],
    ranges: dict[str, CostRange],
    searched: Searched,
    say: Say = lambda line: None,
) -> Finalists:
    """The finalists of a search whose stages are done: by their mean accuracy, or as ``config``
    says."""
    space = SPACES[config.space]

    def flows(choices: Choices) -> Floats:
        """ln of SynFlow in the last stage's supernet, (N,)."""
        say(f"SynFlow of {len(choices):,} likely genotypes")
        last = config.stage_family(len(config.stages) - 1, dataset.task)
        return log_flows(last, choices, mask_of(searched.searcher, space))

    searcher, pursued = searched.searcher, costs[: len(config.objectives)]
    archive = collect(
        searched.trials, [one.metric for one in config.objectives], len(space.decisions)
    )
    model = _regression(config, searched.trials)
    if model is not None and config.finalists_by == "bins" and pursued:
        archive = _around_bins(config, model, archive, pursued, ranges, mask_of(searcher, space))
    elif model is not None:
        archive = regression.predicted(model, archive, pursued, mask_of(searcher, space))
    if model is not None and (pursued or config.finalists_synflow):
        chosen, evidence = _of_bins(
            config, flows, costs=pursued, ranges=ranges, searcher=searcher, archive=archive
        )
    else:
        chosen, evidence = _shortlisted(config, flows, searcher, archive)
    if model is not None:
        evidence = {"regression": regression.predict(model, chosen), **evidence}
    # Where nothing gets through there is no logarithm to write down.
    return Finalists(
        choices=chosen,
        evidence=tuple(
            {
                name: float(values[row])
                for name, values in evidence.items()
                if np.isfinite(values[row])
            }
            for row in range(len(chosen))
        ),
    )


def _regression(config: Config, trials: Sequence[Trial]) -> regression.Regression | None:
    """What the last stage's trials say together, where the config asks for that and there are
    any."""
    return regression.fit_trials(trials) if config.finalists_by in BY_TRIALS and trials else None


def predictions(config: Config, trials: Sequence[Trial], choices: Choices) -> Floats | None:
    """What the last stage's trials say together of any networks, (N,), where the config asks for
    that, likelihoods are compared, and there are trials."""
    if config.alpha_step.score != "likelihood":
        return None
    model = _regression(config, trials)
    return None if model is None else regression.predict(model, choices)


def named(
    config: Config, searcher: Searcher, archive: Archive, count: int
) -> list[tuple[Choices, Probabilities]]:
    """The genotypes that the searcher itself would hand back, ``count`` per policy, each with the
    probabilities that project it."""
    return finalists(config.algorithm, searcher, SPACES[config.space], archive, count)


def _shortlisted(
    config: Config, flows: Flows, searcher: Searcher, archive: Archive
) -> tuple[Choices, dict[str, Floats]]:
    """Those that the searcher names; with SynFlow it names a longer list, of which those with
    most flow are taken."""
    count = config.finalists_per_policy
    if not config.finalists_synflow:
        return projected(config, named(config, searcher, archive, count)), {}
    chosen = projected(config, named(config, searcher, archive, max(SHORTLISTED, count)))
    flow = flows(chosen)
    best = np.argsort(-flow, kind="stable")[: _count(config, searcher)]
    return chosen[best], {"log_synflow": flow[best]}


def _of_bins(
    config: Config,
    flows: Flows,
    costs: tuple[CostModel, ...],
    ranges: dict[str, CostRange],
    searcher: Searcher,
    archive: Archive,
) -> tuple[Choices, dict[str, Floats]]:
    """As many as the policies would name: the best of each bin of each cost; without a cost, the
    best of all.

    ``archive``: predicted accuracies. With SynFlow the shortlist is what the prediction puts first
    in each bin, and the best of a bin is that with the largest sum of both, in standard deviations
    over the shortlist.
    """
    count = _count(config, searcher)
    bins = -(-count // max(1, len(costs)))
    if config.finalists_by == "bins":
        bins = _bins(config, costs)
    space = SPACES[config.space]
    table = mixture_of(searcher, space)

    def best(predicted: Floats, paid: Floats, each: int) -> NDArray[np.int64]:
        """Rows, in order of first appearance."""
        if not costs:
            return np.argsort(-predicted, kind="stable")[: count * each].astype(np.int64)
        rows = [
            regression.best_of_bins(
                predicted, paid[:, column], ranges[cost.name].bounds, bins, each
            )
            for column, cost in enumerate(costs)
        ]
        return np.array(list(dict.fromkeys(np.concatenate(rows).tolist())), dtype=np.int64)

    if not config.finalists_synflow:
        rows = best(archive.accuracy, archive.costs, 1)
        return projected(config, [(choices, table) for choices in archive.choices[rows]]), {}
    rows = best(archive.accuracy, archive.costs, PER_BIN)
    shortlist = np.stack([project(space, choices, table) for choices in archive.choices[rows]])
    flow = flows(shortlist)
    alive = np.isfinite(flow) if np.isfinite(flow).any() else np.ones(len(flow), dtype=bool)
    rows, shortlist, flow = rows[alive], shortlist[alive], flow[alive]
    both = _standardised(archive.accuracy[rows]) + _standardised(flow)
    final = best(both, archive.costs[rows], 1)
    # Two of the shortlist may be one genotype once the rule has dropped edges; the first stands for
    # both.
    final = final[distinct_rows(shortlist[final])]
    return shortlist[final], {"log_synflow": flow[final], "believed": both[final]}


def _around_bins(
    config: Config,
    model: regression.Regression,
    archive: Archive,
    costs: Sequence[CostModel],
    ranges: dict[str, CostRange],
    mask: Mask,
) -> Archive:
    """Candidates round the best of every cost bin, with predicted scores."""

    def paid(choices: Choices) -> Floats:
        return np.stack([cost.of(choices) for cost in costs], axis=1)

    bounds = [ranges[cost.name].bounds for cost in costs]
    bins = Bins(cost=paid, bounds=bounds, count=_bins(config, costs))
    found = around_bins(model, archive.choices, bins, mask)
    return Archive(
        choices=found,
        accuracy=regression.predict(model, found),
        costs=paid(found),
        seen=np.zeros(len(found), dtype=np.int64),
    )


def _bins(config: Config, costs: Sequence[CostModel]) -> int:
    """Bins of each cost, from each of which a finalist comes: as many in all as the algorithm hands
    back."""
    return max(1, algorithm_of(config).finalists(config) // max(1, len(costs)))


def _count(config: Config, searcher: Searcher) -> int:
    policies = len(policies_of(searcher, SPACES[config.space]).probabilities)
    return max(1, policies) * config.finalists_per_policy


def _standardised(values: Floats) -> Floats:
    """In standard deviations from the mean of those that are finite; zeros where all are equal."""
    finite = values[np.isfinite(values)]
    if not len(finite) or not finite.std():
        return np.where(np.isfinite(values), 0.0, values)
    return np.asarray((values - finite.mean()) / finite.std())


def projected(config: Config, finalists: Sequence[tuple[Choices, Probabilities]]) -> Choices:
    """The different genotypes that the rule leaves of them, in order of first appearance, (N,
    edges)."""
    if not finalists:  # a run of an older version, whose epochs were too short for it
        raise Stopped(
            "no network was evaluated in the last stage, so there is none to hand back; search anew"
            " with more --epochs"
        )
    space = SPACES[config.space]
    chosen = np.stack([project(space, choices, table) for choices, table in finalists])
    return chosen[distinct_rows(chosen)]
