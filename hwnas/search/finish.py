"""The end of a search: finalists scored on the whole validation half, the front, and a random baseline."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from hwnas.config import Config
from hwnas.results.front import Bounds, ParetoFront, Point, hypervolume, pareto_front, within_target
from hwnas.search import shared_weights
from hwnas.search.archive import collect
from hwnas.search.costs import Cost, Reach, target_value
from hwnas.search.loop import FINAL, Searched, rng
from hwnas.space.encoding import project, sample, to_genotype
from hwnas.space.space import SPACES, Choices, Mask, Probabilities, Space
from hwnas.space.text import format_text
from hwnas.training.data import Batch, Dataset, batches

SHARED = "shared weights (validation)"
SCORING_BATCH = 256


@dataclass(frozen=True)
class Scored:
    """Networks that obey the derivation rule: choices (N, edges), accuracy (N,) in 0..1, costs (N, all costs)."""

    choices: Choices
    accuracy: NDArray[np.float64]
    costs: NDArray[np.float64]


def finish(
    config: Config, dataset: Dataset, costs: tuple[Cost, ...], reaches: dict[str, Reach], searched: Searched
) -> dict[str, Any]:
    """Score the finalists and as many uniform genotypes, same weights, same images; the summary of the run."""
    space, names = SPACES[config.space], tuple(cost.name for cost in costs)
    archive = collect(searched.trials, [one.metric for one in config.objectives], len(space.slots))
    finalists = searched.searcher.finalists(archive, config.finalists_per_policy)
    images = list(batches(dataset, "policy", SCORING_BATCH))
    chosen = _distinct([project(space, choices, table) for choices, table in finalists])
    scored = _score(searched, costs, chosen, images)
    uniform = _uniform(space, searched.searcher.mask(), len(chosen), rng(config.seed, FINAL))
    random = _score(searched, costs, uniform, images)
    bounds = Bounds(
        (1.0 / len(dataset.classes), 1.0), tuple(reaches[one.metric].bounds for one in config.objectives)
    )
    objectives = len(config.objectives)
    keys = [to_genotype(space, one).key for one in scored.choices]
    points = [
        Point(key, float(accuracy), tuple(float(value) for value in row[:objectives]))
        for key, accuracy, row in zip(keys, scored.accuracy, scored.costs, strict=True)
    ]
    front = pareto_front(points, names[:objectives], bounds)
    members = {key: _member(config, space, costs, scored, row) for row, key in enumerate(keys)}
    targets: dict[str, float] = {
        one.metric: target_value(one.target, reaches[one.metric]) for one in config.objectives if one.target
    }
    return {
        "space": config.space,
        "algorithm": config.algorithm,
        "seed": config.seed,
        "target": config.target,
        "data": dataset.name,
        "classes": list(dataset.classes),
        "image": list(dataset.image),
        "stem": config.evaluation.stem,
        "scored_images": sum(len(batch.y) for batch in images),
        "evaluations": searched.evaluations,
        "seconds": round(searched.seconds, 1),
        "hypervolume": front.hypervolume,
        "reference_point": front.reference_point,
        "bounds": bounds.to_dict(front.names),
        "baseline": {
            "random_hypervolume": hypervolume(random.accuracy, random.costs[:, :objectives], bounds),
            "random_evaluations": len(uniform),
            "random": _columns(random, names),
        },
        "targets": targets,
        "within_target": [point.key for point in within_target(front, targets)] if targets else None,
        "front": [_marked(members[point.key], front, targets) for point in front.points],
        "dominated": [members[key] for key in keys if key not in {point.key for point in front.points}],
    }


def _columns(scored: Scored, names: tuple[str, ...]) -> dict[str, list[float]]:
    """{"accuracy": [...], <cost>: [...], ...}: every network that was scored, in order."""
    costs = {name: [_whole(value) for value in scored.costs[:, i].tolist()] for i, name in enumerate(names)}
    return {"accuracy": scored.accuracy.tolist(), **costs}


def _marked(member: dict[str, Any], front: ParetoFront, targets: dict[str, float]) -> dict[str, Any]:
    if not targets:
        return member
    met = {point.key for point in within_target(front, targets)}
    return {**member, "within_target": member["key"] in met}


def _member(
    config: Config, space: Space, costs: tuple[Cost, ...], scored: Scored, row: int
) -> dict[str, Any]:
    genotype = to_genotype(space, scored.choices[row])
    return {
        "key": genotype.key,
        "genotype": genotype.to_dict(),
        "text": format_text(genotype),
        "channels": config.evaluation.channels,
        "cells": config.evaluation.cells,
        "accuracy": {"value": float(scored.accuracy[row]), "origin": SHARED},
        "costs": {
            cost.name: {"value": _whole(float(value)), "unit": cost.unit, "origin": cost.origin}
            for cost, value in zip(costs, scored.costs[row], strict=True)
        },
    }


def _whole(value: float) -> float | int:
    """A count is written as a whole number."""
    return int(value) if value.is_integer() else value


def _score(searched: Searched, costs: tuple[Cost, ...], chosen: Choices, images: Sequence[Batch]) -> Scored:
    searched.net.dropout = type(searched.net.dropout)()
    accuracy = np.array([shared_weights.accuracy(searched.net, one, images) for one in chosen])
    return Scored(chosen, accuracy, np.stack([cost.of(chosen) for cost in costs], axis=1))


def _uniform(space: Space, mask: Mask, count: int, generator: np.random.Generator) -> Choices:
    """Different uniform samples of the surviving operations, as the derivation rule leaves them."""
    drawn: list[Choices] = []
    for _ in range(20 * count):
        drawn = list(_distinct([*drawn, project(space, *_one(space, mask, generator))]))
        if len(drawn) == count:
            break
    return np.stack(drawn)


def _one(space: Space, mask: Mask, generator: np.random.Generator) -> tuple[Choices, Probabilities]:
    return sample(space, generator, mask), np.where(mask, generator.random(mask.shape), 0.0)


def _distinct(choices: Sequence[Choices]) -> Choices:
    """The different rows in order of first appearance, (N, edges)."""
    return np.stack(list({one.tobytes(): one for one in choices}.values()))
