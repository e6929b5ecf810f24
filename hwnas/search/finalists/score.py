"""Networks scored with the weights of a search, shared among its processes; and uniform ones to
compare with."""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np
from numpy.typing import NDArray

from hwnas.search.candidates import right_images
from hwnas.search.costs import CostModel
from hwnas.search.distributed import shared_weights
from hwnas.search.evaluate import pieces
from hwnas.search.finalists.scored import Scored
from hwnas.search.finalists.smoothed import smoothed
from hwnas.search.loop import Searched
from hwnas.space.encoding import distinct_rows, project, sample
from hwnas.space.space import Choices, Mask, Probabilities, Space
from hwnas.training.data import Batch

Floats = NDArray[np.float64]


def image_by_image(
    searched: Searched, costs: tuple[CostModel, ...], choices: Choices, images: Iterable[Batch]
) -> Scored:
    """Networks with the share of the images that they get right, and which those are."""
    right = right_images(searched.net, searched.ranks, choices, images)
    return _scored(costs, choices, right.mean(axis=1), right=right)


def score(
    searched: Searched,
    costs: tuple[CostModel, ...],
    choices: Choices,
    images: Iterable[Batch],
    by_likelihood: bool,
    predicted: Floats | None,
) -> Scored:
    """One pass over the images, all networks on each batch: the whole half may not fit beside
    the supernet."""
    searched.net.dropout = type(searched.net.dropout)()
    mine = choices[searched.ranks.own(len(choices))]
    if not by_likelihood:
        own = shared_weights.accuracies(searched.net, mine, images)
        return _scored(costs, choices, searched.ranks.gathered(len(choices), own))
    parts = (piece for batch in images for piece in pieces(batch))
    both = shared_weights.likelihoods(searched.net, mine, parts)
    counted, likelihood = (searched.ranks.gathered(len(choices), each) for each in both)
    return _scored(costs, choices, smoothed(counted, likelihood, predicted), counted=counted)


def _scored(
    costs: tuple[CostModel, ...],
    choices: Choices,
    accuracy: Floats,
    counted: Floats | None = None,
    right: Floats | None = None,
) -> Scored:
    values = np.stack([cost.of(choices) for cost in costs], axis=1)
    return Scored(
        choices=choices,
        accuracy=accuracy,
        predicted=values,
        costs=values,
        low=values,
        high=values,
        outcomes={},
        counted=counted,
        right=right,
    )


def uniform(space: Space, mask: Mask, count: int, generator: np.random.Generator) -> Choices:
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
