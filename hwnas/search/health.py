"""Is the search still searching? What goes wrong in silence, found in what a run has written down, with advice.

Pure functions of history, trials and config: the search calls them at the end of each stage, ``hwnas doctor RUN``
at any time, and both find the same.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

from hwnas.config import Config
from hwnas.runs.history import Epoch
from hwnas.runs.trials import Trial
from hwnas.search.bilevel.collapse import SKIPS, skip_share
from hwnas.space.space import SPACES, Space
from profilers.agreement import kendall_tau

GONE = 0.02
"""A policy has decided when its entropy is below this share of what it began the stage with."""
EARLY = 0.5
"""Deciding is early in the first half of a stage's learning epochs."""
LAG = 1.0
"""A baseline lags when the accuracy outruns it by more than this many standard deviations of a batch."""
CHANCE = 1.2
"""Shared weights have learnt nothing below this many times the accuracy of guessing."""
RANKS = 0.2
"""Shared weights do not rank when Kendall's tau with trained accuracies is below this; of five pairs or more."""


@dataclass(frozen=True, slots=True)
class Note:
    """Something that a person should know about a search: where, what kind, what was seen, what to do."""

    stage: int
    kind: str
    text: str
    advice: str

    def __str__(self) -> str:
        return f"stage {self.stage + 1}: {self.text}; {self.advice}"

    def to_dict(self) -> dict[str, Any]:
        """As front.json holds it."""
        return asdict(self)


@dataclass(frozen=True, slots=True)
class Setback:
    """A loss that was no number or far too large: the search went back to a checkpoint and slowed down."""

    stage: int
    epoch: int
    step: int
    loss: float | None
    rate: float


def diagnose(
    config: Config,
    classes: int | None,
    history: Sequence[Epoch],
    trials: Sequence[Trial],
    setbacks: Sequence[Setback] = (),
    alarm: bool = False,
) -> list[Note]:
    """All that is to be said about a search so far, stage by stage.

    ``classes``: None where not known, then guessing is not judged. ``alarm``: that of hwnas.search.bilevel.collapse.
    """
    notes: list[Note] = [_slowed(setback) for setback in setbacks]
    for stage in sorted({line.stage for line in history}):
        lines = [line for line in history if line.stage == stage]
        mine = [trial for trial in trials if trial.stage == stage]
        notes += _untaught(config, lines, mine)
        notes += _decided(config, lines) + _collapsed(config, lines) + _guessing(classes, mine)
        notes += _lagging(config, mine)
    if alarm:
        notes.append(
            Note(
                max((line.stage for line in history), default=0),
                "curvature",
                "the validation loss has become sharp in alpha, which goes before a collapse (Zela et al.)",
                (
                    ""
                    if config.finalists_synflow
                    else "the network derived before the alarm is among the finalists; "
                )
                + "try fewer epochs or more weight decay",
            )
        )
    return notes


def verdict(stage: int, summary: Mapping[str, Any]) -> list[Note]:
    """A note where the front is no better than uniform networks on the same weights."""
    if summary["hypervolume"] > summary["baseline"]["random_hypervolume"]:
        return []
    return [
        Note(
            stage,
            "random",
            "the front is no better than uniform networks on the same weights and images",
            "more epochs or more images: this search found nothing that chance would not",
        )
    ]


def ranking(shared: Sequence[float], trained: Sequence[float]) -> tuple[float, list[Note]]:
    """Kendall's tau between accuracies with shared weights and after training, and a note where they do not rank."""
    tau = kendall_tau(np.array(shared), np.array(trained)) if len(shared) > 1 else math.nan
    if len(shared) < 5 or not tau < RANKS:
        return tau, []
    text = f"shared-weights accuracies do not rank trained ones (Kendall tau {tau:.2f} on {len(shared)} networks)"
    advice = "trust trained accuracies only; more epochs or a lower weight_step.head_rate may mend it"
    return tau, [Note(0, "ranking", text, advice)]


def _slowed(setback: Setback) -> Note:
    seen = "no number" if setback.loss is None else f"{setback.loss:.3g}"
    return Note(
        setback.stage,
        "loss",
        f"loss {seen} in epoch {setback.epoch + 1}: went on from the last good checkpoint at {setback.rate:g}"
        " of the rate",
        "a lower weight_step.lr from the start will do better",
    )


def _untaught(config: Config, lines: Sequence[Epoch], trials: Sequence[Trial]) -> list[Note]:
    stage = lines[0].stage
    if trials or config.algorithm == "ndarts" or len(lines) < config.stages[stage].epochs:
        return []
    return [
        Note(
            stage,
            "untaught",
            f"no network was evaluated in {len(lines)} epochs: nothing was learnt about any",
            "more --epochs or images, or [alpha_step] every = 1 in a --config file",
        )
    ]


def _decided(config: Config, lines: Sequence[Epoch]) -> list[Note]:
    """Policies whose entropy is gone while most of the stage was still to come."""
    stage = config.stages[lines[0].stage]
    learning = [line for line in lines if line.epoch >= stage.frozen_epochs]
    if not learning or not lines[0].entropies:
        return []
    early = learning[: max(1, int(EARLY * (stage.epochs - stage.frozen_epochs)))]
    found = []
    for policy, start in enumerate(lines[0].entropies):
        gone = [line for line in early if start > 0 and line.entropies[policy] < GONE * start]
        if gone:
            found.append(
                Note(
                    lines[0].stage,
                    "entropy",
                    f"policy {policy + 1} had decided by epoch {gone[0].epoch + 1} of {stage.epochs}",
                    "a lower alpha_step.lr, or some alpha_step.entropy, lets it look longer",
                )
            )
    return found


def _collapsed(config: Config, lines: Sequence[Epoch]) -> list[Note]:
    """skip_connect leading on most edges of the policy that pursues accuracy most."""
    space: Space = SPACES[config.space]
    last = lines[-1]
    if not last.probabilities:
        return []
    policy = int(np.argmax(config.exponents)) if config.algorithm == "tndnas" else 0
    table = np.array(last.probabilities[min(policy, len(last.probabilities) - 1)], dtype=float)
    share = skip_share(space, table)
    if share <= SKIPS or last.entropies[min(policy, len(last.entropies) - 1)] > 0.9 * lines[0].entropies[0]:
        return []  # a policy that has hardly moved has not collapsed
    return [
        Note(
            last.stage,
            "collapse",
            f"skip_connect leads on {share:.0%} of the edges of the policy that pursues accuracy",
            "more frozen_epochs or skip_dropout; look at the network after training before you trust it",
        )
    ]


def _guessing(classes: int | None, trials: Sequence[Trial]) -> list[Note]:
    if classes is None or len(trials) < 20:
        return []
    latest = trials[-max(20, len(trials) // 10) :]
    mean = float(np.mean([trial.accuracy for trial in latest]))
    if mean >= CHANCE / classes:
        return []
    return [
        Note(
            trials[0].stage,
            "chance",
            f"sub-networks with shared weights are right on {mean:.1%} of the images, guessing on {1 / classes:.1%}",
            "more epochs, another weight_step.lr, or more images: what was chosen here was chosen by chance",
        )
    ]


def _lagging(config: Config, trials: Sequence[Trial]) -> list[Note]:
    """Accuracy that outruns REINFORCE's running baseline: drift per update times the baseline's memory."""
    size = config.alpha_step.samples
    if config.algorithm != "tndnas" or len(trials) < 20 * size:
        return []
    batches = np.array([trial.accuracy for trial in trials])[: len(trials) // size * size].reshape(-1, size)
    drift = float(np.polyfit(np.arange(len(batches)), batches.mean(axis=1), 1)[0])
    memory = config.alpha_step.baseline_decay / (1 - config.alpha_step.baseline_decay)
    spread = float(batches.std(axis=1).mean())
    if abs(drift) * memory <= LAG * max(spread, 1e-9):
        return []
    return [
        Note(
            trials[0].stage,
            "baseline",
            f"accuracy rises faster than the mean reward that policies compare with ({drift:+.4f} per update): for a"
            " while every network looks good to them",
            "[alpha_step] baseline_decay = 0.8, or more frozen_epochs in [[stages]], in a --config file",
        )
    ]
