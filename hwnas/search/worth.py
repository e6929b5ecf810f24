"""Whether a search can be better than chance, known before it starts.

The rule and how often it errs: docs/evidence/first-hour.md.
"""

from __future__ import annotations

from hwnas.config import Config
from hwnas.search.algorithms.algorithm import algorithm_of
from hwnas.search.schedule import evaluations_per_epoch, steps_of
from hwnas.training.data import Dataset, size

LEAST_STEPS = 60
"""Steps that train shared weights. With fewer, inherited accuracies are those of a guess."""
LEAST_JUDGED = 60
"""Images that networks are compared on."""
LEAST_EVALUATIONS = 20
"""Networks that are compared, or chance had as many tries."""


def doubts(config: Config, dataset: Dataset) -> list[str]:
    """Why a search will find nothing that chance would not; empty where it may, or where
    nothing is searched. One that learns from gradients has no evaluations to count."""
    found: list[str] = []
    if not algorithm_of(config).searches:
        return found
    steps = trained_steps(config, dataset)
    if steps < LEAST_STEPS:
        found.append(f"{steps:,} steps train the shared weights, and at least {LEAST_STEPS} should")
    if algorithm_of(config).training is not None:
        return found
    judged = min(config.alpha_step.images, size(dataset, "policy"))
    if judged < LEAST_JUDGED:
        found.append(f"{judged:,} images compare networks, and at least {LEAST_JUDGED} should")
    networks = evaluated(config, dataset)
    if networks < LEAST_EVALUATIONS:
        found.append(f"{networks:,} networks are compared, and {LEAST_EVALUATIONS} should be")
    return found


def trained_steps(config: Config, dataset: Dataset) -> int:
    """Weight steps of all stages."""
    return sum(
        stage.epochs * steps_of(dataset, config, stage)
        for stage in config.stages
        if stage.train != "nothing"
    )


def evaluated(config: Config, dataset: Dataset) -> int:
    """Networks that all stages evaluate."""
    total = 0
    for stage in config.stages:
        steps = steps_of(dataset, config, stage)
        learning = stage.searching - stage.waits
        for learns, epochs in ((False, stage.epochs - learning), (True, learning)):
            total += epochs * evaluations_per_epoch(config, stage, steps, learns=learns)
    return total * config.alpha_step.samples
