"""The end of a search: finalists scored on the validation half, the front, and a random
baseline."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import partial

import numpy as np
from numpy.typing import NDArray

from hwnas.config import Config
from hwnas.measuring.attached import AttachedTarget, Say
from hwnas.runs.front import (
    Bounds,
    ParetoFront,
    hypervolume,
    pareto_front,
    thinned,
    within_target,
)
from hwnas.runs.summary import Baseline, SearchSummary
from hwnas.runs.told_apart import groups
from hwnas.search.algorithms.algorithm import algorithm_of
from hwnas.search.algorithms.searcher import mask_of
from hwnas.search.costs import CostModel, CostRange, target_value
from hwnas.search.finalists.cover import ScoredToChoose, covering, front_rows
from hwnas.search.finalists.members import believed_of, columns_of, marked, member_of
from hwnas.search.finalists.score import image_by_image, score, uniform
from hwnas.search.finalists.scored import (
    Scored,
    bounds_of,
    measured,
    notes_of,
    part,
    point,
    records,
    undecided,
    with_memory,
)
from hwnas.search.finalists.shortlist import Finalists, choose, predictions
from hwnas.search.finalists.told import told
from hwnas.search.loop import Searched
from hwnas.search.scoring_images import ScoringImages, covers, scoring_images
from hwnas.search.seeds import FINAL, rng
from hwnas.search.state import Candidates
from hwnas.space.encoding import distinct_rows, to_genotype
from hwnas.space.space import SPACES, Choices
from hwnas.training.data import Dataset
from profilers.measurement import Outcome

Floats = NDArray[np.float64]

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
    """Score the finalists and uniform genotypes, same weights, same images; the summary of the
    run.

    All ranks call this together and come to the same summary, but for what is measured.
    ``attached_target``: the target, the leading rank's, where it is attached; then latencies are
    measured, and the front drawn with their intervals.
    """
    space, names = SPACES[config.space], tuple(cost.name for cost in costs)
    objectives, images = len(config.objectives), scoring_images(config, dataset)
    by_images: ScoredToChoose | None = None
    if covers(config):
        by_images = covering(config, costs, searched, images)
        finalists = Finalists(
            choices=by_images.choices, evidence=tuple({} for _ in by_images.choices)
        )
    else:
        # The leading rank's choice: sums in another order on another machine might choose others.
        finalists = searched.ranks.broadcast(
            lambda: _with_candidates(
                choose(config, dataset, costs=costs, ranges=ranges, searched=searched, say=say),
                searched.candidates,
            )
        )
    count = len(finalists.choices)
    more = max(count, algorithm_of(config).finalists(config)) if by_images else count
    random = uniform(space, mask_of(searched.searcher, space), more, rng(config.seed, FINAL))
    both = _score(config, costs, searched, np.concatenate([finalists.choices, random]), images, say)
    if attached_target is not None:
        both = measured(both, names, attached_target, say)
    scored, chance = part(both, slice(count)), part(both, slice(count, None))
    bounds = Bounds(
        accuracy=dataset.task.score_range,
        costs=tuple(
            bounds_of(both, column, ranges[name].bounds)
            for column, name in enumerate(names[:objectives])
        ),
    )
    keys = [to_genotype(space, one).key for one in scored.choices]
    if by_images is None:
        front = _best(config, dataset, scored, keys, names[:objectives], bounds, images.printing)
    else:
        rows = searched.ranks.broadcast(partial(front_rows, by_images, scored, objectives))
        front = _of_rows(scored, rows, keys, names[:objectives], bounds)
    on_front = [one.key for one in front.points]
    if attached_target is not None and "memory" in names:
        scored = with_memory(scored, attached_target, [keys.index(key) for key in on_front], say)
    complete = {
        key
        for key, paid in zip(keys, scored.costs[:, :objectives], strict=True)
        if np.isfinite(paid).all()
    }
    members = {
        key: member_of(config, costs, scored=scored, row=row, evidence=finalists.evidence[row])
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
        scored_images=images.printing,
        choosing_images=images.choosing or None,
        finalist_epochs=config.stages[-1].finalist_epochs,
        evaluations=searched.evaluations,
        seconds=round(searched.seconds, 1),
        hypervolume=front.hypervolume,
        reference_point=front.reference_point,
        bounds=bounds.to_dict(front.names),
        baseline=Baseline(
            random_hypervolume=hypervolume(chance.accuracy, chance.costs[:, :objectives], bounds),
            random_evaluations=len(random),
            random=columns_of(chance, names),
        ),
        targets=targets,
        within_target=[one.key for one in within_target(front, targets)] if targets else None,
        front=[marked(members[key], front, targets) for key in on_front],
        alike=_alike(scored, keys, on_front),
        believed=believed_of([members[key] for key in keys if key in complete], names[:objectives]),
        dominated=[members[key] for key in keys if key in complete and key not in on_front],
        failed=[members[key] for key in keys if key not in complete],
        measured={
            name: notes_of(found) for name, found in {**scored.outcomes, **both.outcomes}.items()
        },
    )
    measurements = records(space, scored, "latency") + records(space, scored, "memory")
    return Finished(summary=summary, measurements=measurements)


def _with_candidates(found: Finalists, candidates: Candidates | None) -> Finalists:
    """Finalists, and the candidates that the last epochs trained alone, where the front is drawn
    for another target: their weights are the best trained."""
    if candidates is None:
        return found
    both = np.concatenate([found.choices, candidates.choices])
    evidence: tuple[dict[str, float], ...] = (*found.evidence, *({} for _ in candidates.choices))
    rows = distinct_rows(both)
    return Finalists(choices=both[rows], evidence=tuple(evidence[row] for row in rows))


def _score(
    config: Config,
    costs: tuple[CostModel, ...],
    searched: Searched,
    every: Choices,
    images: ScoringImages,
    say: Say,
) -> Scored:
    """Finalists and uniform networks, on the images that accuracies are printed from."""
    watched = told(images.to_print(), images.printing, len(every), say)
    if covers(config):
        return image_by_image(searched, costs, every, watched)
    by_likelihood = config.alpha_step.score == "likelihood"
    predicted = searched.ranks.broadcast(lambda: predictions(config, searched.trials, every))
    return score(searched, costs, every, watched, by_likelihood, predicted)


def _best(
    config: Config,
    dataset: Dataset,
    scored: Scored,
    keys: Sequence[str],
    names: Sequence[str],
    bounds: Bounds,
    images: int,
) -> ParetoFront:
    """The front of all finalists by the accuracies that are printed."""
    of_bins = config.finalists_by == "bins" and len(names) == 1
    error = undecided(scored, dataset.task, images) if of_bins else 0.0
    error = error if algorithm_of(config).searches else math.inf  # without a search all stay
    points = [point(key, scored, row, len(names), error) for row, key in enumerate(keys)]
    front = pareto_front(points, names, bounds)
    return thinned(front, APART) if of_bins else front


def _of_rows(
    scored: Scored, rows: list[int], keys: Sequence[str], names: Sequence[str], bounds: Bounds
) -> ParetoFront:
    """The front of rows that were chosen by other images, and the hypervolume that they have on
    those that are printed from."""
    points = tuple(point(keys[row], scored, row, len(names)) for row in rows)
    costs = scored.costs[rows][:, : len(names)]
    front = pareto_front(points, names, bounds)
    return replace(
        front, points=points, hypervolume=hypervolume(scored.accuracy[rows], costs, bounds)
    )


def _alike(scored: Scored, keys: Sequence[str], on_front: Sequence[str]) -> list[list[str]] | None:
    """Keys of the front in groups of which a paired test tells no two apart; None where images were
    not looked at one by one."""
    if scored.right is None:
        return None
    right = scored.right[[keys.index(key) for key in on_front]] > 0.5
    return [[on_front[row] for row in group] for group in groups(right)]
