"""Is the search still searching? What goes wrong in silence, found in what a run has written down,
with advice.

Pure functions of history, trials and config: the search calls them at the end of each stage,
``hwnas doctor RUN`` at any time, and both find the same.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from hwnas.config import Config
from hwnas.runs.history import Epoch
from hwnas.runs.trials import Trial
from hwnas.search.algorithms.algorithm import Algorithm, algorithm_of
from hwnas.search.bilevel.collapse import SKIPS, skip_share
from hwnas.search.diagnostic import Diagnostic, Rollback
from hwnas.space.space import SPACES, Space
from hwnas.space.task import Task
from profilers.agreement import kendall_tau
from profilers.errors import asking

GONE = 0.02
"""A policy has decided when its entropy is below this share of what it began the stage with."""
EARLY = 0.5
"""Deciding is early in the first half of a stage's learning epochs."""
CHANCE = 1.2
"""Shared weights have learnt nothing below this many times the accuracy of guessing."""
JUDGED = 5
"""Whether they have is judged from so many trials on."""
RANKS = 0.2
"""Shared weights do not rank when Kendall's tau with trained accuracies is below this; of five
pairs or more.
"""


def diagnose(
    config: Config,
    task: Task | None,
    history: Sequence[Epoch],
    trials: Sequence[Trial],
    rollbacks: Sequence[Rollback] = (),
) -> list[Diagnostic]:
    """All that is to be said about a search so far, stage by stage.

    ``task``: None where not known, then guessing is not judged.
    """
    algorithm = algorithm_of(config)
    diagnostics = [_slowed(rollback) for rollback in rollbacks]
    for stage in sorted({line.stage for line in history}):
        lines = [line for line in history if line.stage == stage]
        of_stage = [trial for trial in trials if trial.stage == stage]
        if algorithm.training is None:
            diagnostics += _untaught(config, lines, of_stage)
        diagnostics += _decided(config, lines) + _collapsed(config, algorithm, lines)
        diagnostics += _guessing(task, of_stage)
        with asking(f"search algorithm {algorithm.name!r} (hwnas.algorithms)", "diagnose"):
            diagnostics += algorithm.diagnose(config, of_stage)
    return diagnostics


def verdict(config: Config, summary: Mapping[str, Any]) -> list[Diagnostic]:
    """A note where the front of a search is no better than uniform networks on the same weights."""
    better = summary["hypervolume"] > summary["baseline"]["random_hypervolume"]
    if better or not algorithm_of(config).searches:
        return []
    return [
        Diagnostic(
            stage=len(config.stages) - 1,
            kind="random",
            text="the front is no better than uniform networks on the same weights and images",
            advice="more epochs or more images: this search found nothing that chance would not",
        )
    ]


def ranking(shared: Sequence[float], trained: Sequence[float]) -> tuple[float, list[Diagnostic]]:
    """Kendall's tau between accuracies with shared weights and after training, and a note where
    they do not rank.
    """
    tau = kendall_tau(np.array(shared), np.array(trained)) if len(shared) > 1 else math.nan
    if len(shared) < 5 or not tau < RANKS:
        return tau, []
    text = (
        f"shared-weights accuracies do not rank trained ones (Kendall tau {tau:.2f} on"
        f" {len(shared)} networks)"
    )
    advice = (
        "trust trained accuracies only; more epochs or a lower weight_step.head_rate may mend it"
    )
    return tau, [Diagnostic(stage=0, kind="ranking", text=text, advice=advice)]


def _slowed(rollback: Rollback) -> Diagnostic:
    seen = "no number" if rollback.loss is None else f"{rollback.loss:.3g}"
    return Diagnostic(
        stage=rollback.stage,
        kind="loss",
        text=(
            f"loss {seen} in epoch {rollback.epoch + 1}: went on from the last good checkpoint at"
            f" {rollback.rate:g} of the rate"
        ),
        advice="a lower weight_step.lr from the start will do better",
    )


def _untaught(config: Config, lines: Sequence[Epoch], trials: Sequence[Trial]) -> list[Diagnostic]:
    stage = lines[0].stage
    settings = config.stages[stage]
    if trials or len(lines) < settings.epochs or settings.waits == settings.epochs:
        return []
    return [
        Diagnostic(
            stage=stage,
            kind="untaught",
            text=f"no network was evaluated in {len(lines)} epochs: nothing was learnt about any",
            advice="more --epochs or images, or [alpha_step] every = 1 in a --config file",
        )
    ]


def _decided(config: Config, lines: Sequence[Epoch]) -> list[Diagnostic]:
    """Policies whose entropy is gone while most of the stage was still to come."""
    stage = config.stages[lines[0].stage]
    learning = [line for line in lines if stage.learns(line.epoch)]
    if not learning or not lines[0].entropies:
        return []
    early = learning[: max(1, int(EARLY * (stage.searching - stage.waits)))]
    diagnostics = []
    for policy, start in enumerate(lines[0].entropies):
        gone = [line for line in early if start > 0 and line.entropies[policy] < GONE * start]
        if gone:
            diagnostics.append(
                Diagnostic(
                    stage=lines[0].stage,
                    kind="entropy",
                    text=(
                        f"policy {policy + 1} had decided by epoch {gone[0].epoch + 1} of"
                        f" {stage.epochs}"
                    ),
                    advice="a lower alpha_step.lr, or some alpha_step.entropy, lets it look longer",
                )
            )
    return diagnostics


def _collapsed(config: Config, algorithm: Algorithm, lines: Sequence[Epoch]) -> list[Diagnostic]:
    """skip_connect leading on most edges of the policy that pursues accuracy most."""
    space: Space = SPACES[config.space]
    last = lines[-1]
    if not last.probabilities:
        return []
    policy = algorithm.accuracy_policy(config)
    table = np.array(last.probabilities[min(policy, len(last.probabilities) - 1)], dtype=float)
    share = skip_share(space, table)
    if (
        share <= SKIPS
        or last.entropies[min(policy, len(last.entropies) - 1)] > 0.9 * lines[0].entropies[0]
    ):
        return []  # a policy that has hardly moved has not collapsed
    return [
        Diagnostic(
            stage=last.stage,
            kind="collapse",
            text=(
                f"skip_connect leads on {share:.0%} of the edges of the policy that pursues"
                " accuracy"
            ),
            advice=(
                "more frozen_epochs or skip_dropout; look at the network after training before you"
                " trust it"
            ),
        )
    ]


def _guessing(task: Task | None, trials: Sequence[Trial]) -> list[Diagnostic]:
    if task is None or len(trials) < JUDGED:
        return []
    latest = trials[-max(20, len(trials) // 10) :]
    mean = float(np.mean([trial.accuracy for trial in latest]))
    guess = task.score_range[0]
    if mean >= CHANCE * guess:
        return []
    return [
        Diagnostic(
            stage=trials[0].stage,
            kind="chance",
            text=(
                f"sub-networks with shared weights are right on {mean:.1%} of the images, guessing"
                f" on {guess:.1%}"
            ),
            advice=(
                "more epochs, another weight_step.lr, or more images: what was chosen here was"
                " chosen by chance"
            ),
        )
    ]
