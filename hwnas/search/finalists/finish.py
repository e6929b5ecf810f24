"""The end of a search: finalists scored on the whole validation half, the front, and a random
baseline."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from hwnas.config import Config
from hwnas.measuring.attached import AttachedTarget, Say
from hwnas.runs.front import (
    Bounds,
    ParetoFront,
    hypervolume,
    non_dominated,
    pareto_front,
    thinned,
    to_minimise,
    within_target,
)
from hwnas.runs.summary import Accuracy, Baseline, Member, SearchSummary
from hwnas.search.algorithms.algorithm import algorithm_of
from hwnas.search.algorithms.searcher import mask_of
from hwnas.search.costs import CostModel, CostRange, target_value
from hwnas.search.distributed import shared_weights
from hwnas.search.evaluate import pieces
from hwnas.search.finalists.scored import (
    Scored,
    bounds_of,
    cost_of,
    measured,
    notes_of,
    part,
    point,
    records,
    undecided,
    whole,
    with_memory,
)
from hwnas.search.finalists.shortlist import choose, predictions
from hwnas.search.finalists.smoothed import smoothed
from hwnas.search.finalists.told import told
from hwnas.search.loop import Searched
from hwnas.search.seeds import FINAL, rng
from hwnas.space.encoding import distinct_rows, project, sample, to_genotype
from hwnas.space.space import SPACES, Choices, Mask, Probabilities, Space
from hwnas.space.text import format_text
from hwnas.training.data import Batch, Dataset, equal_batches, size
from profilers.measurement import Outcome

Floats = NDArray[np.float64]

SHARED = "shared weights (validation)"
BY_LIKELIHOOD = "shared weights (validation, by likelihood)"
SCORING_BATCH = 256
APART = 1.1
"""Members of a front that bins were searched for differ by this factor in their cost: each is
trained in the end, and of two alike one is enough."""


@dataclass(frozen=True, kw_only=True)
class Finished:
    """The summary of a run, and what was measured of its finalists, with their keys."""

    summary: SearchSummary
    measurements: tuple[tuple[str, Outcome], ...]


def finish(
    config: Config,
    dataset: Dataset,
    costs: tuple[CostModel, ...],
    ranges: dict[str, CostRange],
    searched: Searched,
    attached_target: AttachedTarget | None = None,
    say: Say = lambda line: None,
) -> Finished:
    """Score the finalists and as many uniform genotypes, same weights, same images; the summary of
    the run.

    All ranks call this together and come to the same summary, but for what is measured.
    ``attached_target``: the target, the leading rank's, where it is attached; then latencies are
    measured, and the front drawn with their intervals.
    """
    space, names = SPACES[config.space], tuple(cost.name for cost in costs)
    images = scoring_images(config, dataset)
    # The leading rank's choice: sums in another order on another machine might choose others.
    finalists = searched.ranks.broadcast(
        lambda: choose(config, dataset, costs=costs, ranges=ranges, searched=searched, say=say)
    )
    chosen = finalists.choices
    uniform = _uniform(
        space, mask_of(searched.searcher, space), len(chosen), rng(config.seed, FINAL)
    )
    by_likelihood = config.alpha_step.score == "likelihood"
    every = np.concatenate([chosen, uniform])
    watched = told(images, _count(config, dataset), len(every), say)
    predicted = searched.ranks.broadcast(lambda: predictions(config, searched.trials, every))
    both = _score(searched, costs, every, watched, by_likelihood, predicted)
    if attached_target is not None:
        both = measured(both, names, attached_target, say)
    scored, random = part(both, slice(len(chosen))), part(both, slice(len(chosen), None))
    objectives = len(config.objectives)
    bounds = Bounds(
        accuracy=dataset.task.score_range,
        costs=tuple(
            bounds_of(both, column, ranges[name].bounds)
            for column, name in enumerate(names[:objectives])
        ),
    )
    keys = [to_genotype(space, one).key for one in scored.choices]
    of_bins = config.finalists_by == "bins" and objectives == 1
    error = undecided(scored, dataset.task, _count(config, dataset)) if of_bins else 0.0
    error = error if algorithm_of(config).searches else math.inf  # without a search all stay
    points = [point(key, scored, row, objectives, error) for row, key in enumerate(keys)]
    front = pareto_front(points, names[:objectives], bounds)
    if of_bins:
        front = thinned(front, APART)
    complete = {one.key for one in points if np.isfinite(one.costs).all()}
    on_front = [one.key for one in front.points]
    if attached_target is not None and "memory" in names:
        scored = with_memory(scored, attached_target, [keys.index(key) for key in on_front], say)
    members = {
        key: _member(
            config, space, costs=costs, scored=scored, row=row, evidence=finalists.evidence[row]
        )
        for row, key in enumerate(keys)
    }
    targets: dict[str, float] = {
        one.metric: target_value(one.target, ranges[one.metric])
        for one in config.objectives
        if one.target
    }
    summary = SearchSummary(
        space=config.space,
        algorithm=config.algorithm,
        seed=config.seed,
        target=config.target,
        data=dataset.name,
        classes=list(dataset.classes),
        image=list(dataset.image),
        stem=config.evaluation.stem,
        scored_images=_count(config, dataset),
        evaluations=searched.evaluations,
        seconds=round(searched.seconds, 1),
        hypervolume=front.hypervolume,
        reference_point=front.reference_point,
        bounds=bounds.to_dict(front.names),
        baseline=Baseline(
            random_hypervolume=hypervolume(random.accuracy, random.costs[:, :objectives], bounds),
            random_evaluations=len(uniform),
            random=_columns(random, names),
        ),
        targets=targets,
        within_target=[one.key for one in within_target(front, targets)] if targets else None,
        front=[_marked(members[key], front, targets) for key in on_front],
        believed=_believed([members[key] for key in keys if key in complete], names[:objectives]),
        dominated=[members[key] for key in keys if key in complete and key not in on_front],
        failed=[members[key] for key in keys if key not in complete],
        measured={
            name: notes_of(found) for name, found in {**scored.outcomes, **both.outcomes}.items()
        },
    )
    measurements = records(space, scored, "latency") + records(space, scored, "memory")
    return Finished(summary=summary, measurements=measurements)


def scoring_images(config: Config, dataset: Dataset) -> Iterable[Batch]:
    """The validation half, or as many of its images as the config says, shuffled, in equal batches,
    one at a time.

    Sub-networks normalise by the statistics of their batch, and images lie class by class: a batch
    of one class would lose what tells it from the others, and a batch of few images has poor
    statistics.
    """
    return equal_batches(
        dataset, "policy", SCORING_BATCH, (config.seed, FINAL), config.scoring_images
    )


def _count(config: Config, dataset: Dataset) -> int:
    """How many images ``scoring_images`` gives."""
    there = size(dataset, "policy")
    return there if config.scoring_images is None else min(there, config.scoring_images)


def _believed(members: Sequence[Member], names: Sequence[str]) -> list[str]:
    """Keys of those that SynFlow and what was learnt find best at their costs, most expensive last;
    none without SynFlow.

    Shared weights draw the front, and are what SynFlow was asked to correct.
    """
    asked = [member for member in members if member.accuracy.log_synflow is not None]
    scores = [
        member.accuracy.log_synflow
        if member.accuracy.believed is None
        else member.accuracy.believed
        for member in asked
    ]
    belief = np.array(scores, dtype=np.float64)
    costs = np.array([[member.costs[name].value for name in names] for member in asked])
    best = non_dominated(to_minimise(belief, costs.reshape(len(asked), len(names))))
    return [asked[row].key for row in sorted(best, key=lambda row: (*costs[row], row))]


def _columns(scored: Scored, names: tuple[str, ...]) -> dict[str, list[float]]:
    """{"accuracy": [...], <cost>: [...], ...}: every network that was scored, in order."""
    rows = np.isfinite(scored.costs).all(axis=1)
    costs = {
        name: [whole(value) for value in scored.costs[rows, i].tolist()]
        for i, name in enumerate(names)
    }
    return {"accuracy": scored.accuracy[rows].tolist(), **costs}


def _marked(member: Member, front: ParetoFront, targets: dict[str, float]) -> Member:
    if not targets:
        return member
    met = {one.key for one in within_target(front, targets)}
    return member.model_copy(update={"within_target": member.key in met})


def _member(
    config: Config,
    space: Space,
    costs: tuple[CostModel, ...],
    scored: Scored,
    row: int,
    evidence: dict[str, float],
) -> Member:
    genotype = to_genotype(space, scored.choices[row])
    return Member(
        key=genotype.key,
        genotype=genotype.to_dict(),
        text=format_text(genotype),
        channels=config.evaluation.channels,
        cells=config.evaluation.cells,
        accuracy=_accuracy(scored, row, evidence),
        costs={cost.name: cost_of(cost, scored, row, column) for column, cost in enumerate(costs)},
    )


def _accuracy(scored: Scored, row: int, evidence: dict[str, float]) -> Accuracy:
    value = float(scored.accuracy[row])
    if scored.counted is None:
        return Accuracy(value=value, provenance=SHARED, **evidence)
    counted = float(scored.counted[row])
    return Accuracy(value=value, provenance=BY_LIKELIHOOD, counted=counted, **evidence)


def _score(
    searched: Searched,
    costs: tuple[CostModel, ...],
    chosen: Choices,
    images: Iterable[Batch],
    by_likelihood: bool,
    predicted: Floats | None,
) -> Scored:
    """One pass over the images, all networks on each batch: the whole half may not fit beside
    the supernet."""
    searched.net.dropout = type(searched.net.dropout)()
    mine, counted = chosen[searched.ranks.own(len(chosen))], None
    if by_likelihood:
        parts = (piece for batch in images for piece in pieces(batch))
        own = shared_weights.likelihoods(searched.net, mine, parts)
        counted, likelihood = (searched.ranks.gathered(len(chosen), each) for each in own)
        accuracy = smoothed(counted, likelihood, predicted)
    else:
        own = shared_weights.accuracies(searched.net, mine, images)
        accuracy = searched.ranks.gathered(len(chosen), own)
    values = np.stack([cost.of(chosen) for cost in costs], axis=1)
    return Scored(
        choices=chosen,
        accuracy=accuracy,
        predicted=values,
        costs=values,
        low=values,
        high=values,
        outcomes={},
        counted=counted,
    )


def _uniform(space: Space, mask: Mask, count: int, generator: np.random.Generator) -> Choices:
    """Different uniform samples of the remaining operations, as the derivation rule leaves them."""
    drawn = np.zeros((0, len(space.decisions)), dtype=np.int64)
    for _ in range(20 * count):
        drawn = np.concatenate([drawn, project(space, *_one(space, mask, generator))[None]])
        drawn = drawn[distinct_rows(drawn)]
        if len(drawn) == count:
            break
    return drawn


def _one(space: Space, mask: Mask, generator: np.random.Generator) -> tuple[Choices, Probabilities]:
    return sample(space, generator, mask), np.where(mask, generator.random(mask.shape), 0.0)
