"""How many steps an epoch has, and after which of them something is learnt about architectures."""

from __future__ import annotations

from hwnas.config import Config, SearchStage
from hwnas.search.algorithms.algorithm import algorithm_of
from hwnas.training.data import Dataset, batch_count


def steps_of(dataset: Dataset, config: Config, stage: SearchStage) -> int:
    """Steps of an epoch of one stage: weight steps, or rounds of evaluations where it trains
    nothing."""
    return stage.rounds if stage.train == "nothing" else steps_per_epoch(dataset, config)


def steps_per_epoch(dataset: Dataset, config: Config) -> int:
    """Weight steps per epoch; an algorithm may train each epoch on a random part of the images."""
    size, training = config.weight_step.batch_size, algorithm_of(config).training
    steps = batch_count(dataset, "weights", size, drop_last=drops_last(dataset, config))
    images = training.images(config) if training else None
    return steps if images is None else max(1, min(steps, images // size))


def evaluating_every(config: Config, stage: SearchStage, steps: int) -> int:
    """Steps from one round of evaluations to the next in one stage."""
    return 1 if stage.train == "nothing" else learning_every(config, steps)


def learning_every(config: Config, steps: int) -> int:
    """Weight steps from one look at validation images to the next, in an epoch of so many
    ``steps``.

    As the config says, but at least one look an epoch: with few images nothing else would be learnt
    at all.
    """
    training = algorithm_of(config).training
    return min(training.every(config) if training else config.alpha_step.every, max(1, steps))


def evaluations_per_epoch(config: Config, stage: SearchStage, steps: int, learns: bool) -> int:
    """How many times an epoch of so many ``steps`` evaluates samples; ``learns``: alpha is no
    longer frozen.

    Where alpha learns from gradients, evaluations only fill the archive: once at the end of every
    epoch.
    """
    if algorithm_of(config).training:
        return 1
    return steps // evaluating_every(config, stage, steps) if learns else 0


def drops_last(dataset: Dataset, config: Config) -> bool:
    """A ragged last batch gives BatchNorm poor statistics: leave it out where a whole batch
    remains.
    """
    return batch_count(dataset, "weights", config.weight_step.batch_size, drop_last=True) > 0
