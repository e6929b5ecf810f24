"""What a training step descends, and by what: loss, optimiser and average, as a recipe says."""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

import torch
from torch import Tensor, nn

from hwnas.nets import task
from hwnas.space.task import Task
from hwnas.training.augment import mixed
from hwnas.training.data import Batch
from hwnas.training.recipe import Recipe


class Mixture(NamedTuple):
    """What is mixed into each image of a batch: the labels (n,) of the others, and the share, in
    1/2..1, that each image keeps."""

    labels: Tensor
    share: float


def mixture(batch: Batch, alpha: float, generator: torch.Generator) -> tuple[Batch, Mixture]:
    """The batch with its images mixed in pairs (hwnas.training.augment.mixed); its labels stay
    those of the larger share."""
    x, partner, share = mixed(batch.x, alpha, generator)
    soft = batch.soft
    if soft is not None:
        soft = torch.lerp(soft[partner], soft, share)
    return Batch(x, batch.y, soft), Mixture(batch.y[partner], share)


def loss_of(
    learned: Task,
    logits: Tensor,
    extra: Tensor | None,
    batch: Batch,
    recipe: Recipe,
    other: Mixture | None,
) -> Tensor:
    """The loss (), of logits (n, classes) and of those of an auxiliary head, where there is one."""
    loss = _labels(learned, logits, batch, recipe, other)
    if batch.soft is not None and recipe.soft_labels:
        taught = task.loss(learned, logits, batch.soft)
        loss = loss + recipe.soft_labels * (taught - loss)
    if extra is not None:
        loss = loss + recipe.auxiliary_weight * _labels(learned, extra, batch, recipe, other)
    return loss


def _labels(
    learned: Task, logits: Tensor, batch: Batch, recipe: Recipe, other: Mixture | None
) -> Tensor:
    """By the labels; of images that were mixed by both of each, in their shares."""
    loss = task.loss(learned, logits, batch.y, recipe.label_smoothing)
    if other is None:
        return loss
    mixed_in = task.loss(learned, logits, other.labels, recipe.label_smoothing)
    return other.share * loss + (1 - other.share) * mixed_in


def sgd(network: nn.Module, recipe: Recipe) -> torch.optim.SGD:
    """The optimiser of a network, with momentum at rest."""
    optimizer = torch.optim.SGD(
        network.parameters(),
        lr=recipe.learning_rate,
        momentum=recipe.momentum,
        weight_decay=recipe.weight_decay,
        nesterov=recipe.nesterov,
        foreach=True,
    )
    for parameter in network.parameters():
        # As if the first step had been made from rest; so that there is always the same set of
        # tensors to save.
        optimizer.state[parameter]["momentum_buffer"] = torch.zeros_like(parameter)
    return optimizer


def follow(average: Mapping[str, Tensor], weights: Mapping[str, Tensor], decay: float) -> None:
    """average <- decay average + (1 - decay) weights, in place; whole numbers are copied."""
    with torch.no_grad():
        for name, value in weights.items():
            if value.is_floating_point():
                average[name].lerp_(value, 1 - decay)
            else:
                average[name].copy_(value)
