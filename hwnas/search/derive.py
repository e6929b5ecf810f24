"""A front for another target from a search that has ended: the same weights and trials, other
costs, no training step.

What a sub-network's accuracy is does not depend on a target, only what it costs does. So the trials
of the last stage are told the new costs, a regression over them proposes genotypes for each bin of
the new cost (hwnas.search.algorithms.regression), and those are scored with the shared weights.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import torch

from hwnas.catalog import find_device
from hwnas.config import Config, with_data
from hwnas.config.sections import ObjectiveConfig
from hwnas.measuring.attached import Say
from hwnas.runs.directory import Run
from hwnas.runs.environment import read_environment
from hwnas.runs.measurements import kept_table
from hwnas.runs.summary import SearchSummary
from hwnas.runs.trials import Trial, read_trials
from hwnas.search import compute
from hwnas.search.checkpoint import checkpoint, restore
from hwnas.search.costs import CostModel, build_costs, cost_range
from hwnas.search.evaluate import check_choices
from hwnas.search.finalists.finish import finish
from hwnas.search.loop import Searched
from hwnas.search.plan import plan, searcher_of
from hwnas.search.seeds import STAGE, rng
from hwnas.space.encoding import to_choices
from hwnas.space.space import SPACES, Choices
from hwnas.training.data import to_device
from hwnas.training.run_images import check_same
from profilers import device as devices
from profilers.errors import InputError


@dataclass(frozen=True, kw_only=True)
class Derived:
    """One target's front, what its cost is for any network, and the trials of the last stage with
    that cost."""

    target: str
    summary: SearchSummary
    cost: CostModel
    trials: tuple[Trial, ...] = ()


def derive(
    run: Run,
    targets: Sequence[str],
    metric: str,
    tables: Sequence[Path] = (),
    say: Say = lambda line: None,
    root: Path | None = None,
) -> list[Derived]:
    """A front of accuracy and ``metric`` for each target, from the weights and trials of ``run``.

    ``tables``: one for each target, or none. Nothing is measured, trained or written. Raises
    InputError where the run has not ended, or a cost can't be predicted.
    """
    config = run.config
    saved = checkpoint(run)
    if saved is None or saved[1]["position"]["stage"] < len(config.stages):
        raise InputError(
            f"{run.path}: the search has not ended; go on with: hwnas resume {run.path}"
        )
    # What it takes to say a cost is asked first: no weights are read for a target without any.
    config = with_data(config, root=None if root is None else str(root))
    planned = plan(config, say, kept_table(run))
    check_same(run, planned.dataset, read_environment(run.path))
    named: Sequence[Path | None] = tables or [None] * len(targets)
    asked = [
        _asked(config, target, metric, planned.dataset.task.classes, planned.dataset.image, table)
        for target, table in zip(targets, named, strict=True)
    ]
    torch.set_num_threads(config.threads)
    dataset = to_device(planned.dataset, compute.compute_device(config))
    state = restore(run, dataset, searcher_of(planned))
    trials = tuple(one for one in read_trials(run) if one.stage == len(config.stages) - 1)
    check_choices(run, trials)
    found = []
    for other, costs in asked:
        ranges = {
            cost.name: cost_range(SPACES[config.space], cost, rng(config.seed, STAGE))
            for cost in costs
        }
        told = _told(trials, costs)
        searched = Searched(
            searcher=state.searcher,
            net=state.shared.net,
            trials=told,
            evaluations=state.position.trials,
            seconds=0.0,
            candidates=state.candidates,
        )
        say(f"scoring networks for {other.target}")
        finished = finish(other, dataset, costs, ranges, searched, say=say)
        found.append(
            Derived(target=other.target, summary=finished.summary, cost=costs[0], trials=told)
        )
    return found


def _asked(
    config: Config,
    target: str,
    metric: str,
    classes: int,
    image: tuple[int, int, int],
    table: Path | None,
) -> tuple[Config, tuple[CostModel, ...]]:
    """The search that would have asked for this target, and its costs."""
    device = devices.load(find_device(target))
    changes = {
        "target": device.name,
        "objectives": (ObjectiveConfig(metric=metric),),
        "finalists_by": "regression",
        "finalists_synflow": False,
        "require": "any",
    }
    other = config.model_copy(update=changes)
    return other, build_costs(other, device, classes=classes, image=image, table=table)


def _told(trials: tuple[Trial, ...], costs: tuple[CostModel, ...]) -> tuple[Trial, ...]:
    """The same trials with other costs."""
    if not trials:
        return ()
    choices = np.array([trial.choices for trial in trials], dtype=np.int64)
    values = {cost.name: cost.of(choices).tolist() for cost in costs}
    return tuple(
        replace(trial, costs={name: column[row] for name, column in values.items()})
        for row, trial in enumerate(trials)
    )


@dataclass(frozen=True, kw_only=True)
class Price:
    """What the middle of one target's front costs on another: ``value`` there, and ``best``, the
    cheapest of that target's own front that is at least as accurate; None where none is."""

    chosen_for: str
    used_on: str
    accuracy: float
    value: float
    best: float | None

    @property
    def times(self) -> float | None:
        """How many times the best."""
        return None if self.best is None else self.value / self.best


def prices(found: Sequence[Derived]) -> list[Price]:
    """Of every target's middle network on every other target. All fronts are scored with the same
    weights and images."""
    rows = []
    for theirs in found:
        middle = _middle(theirs.summary)
        choices = _choices(theirs.summary, middle)
        accuracy = theirs.summary.front[middle].accuracy.value
        for other in found:
            if other is theirs:
                continue
            name = other.cost.name
            good = [
                float(member.costs[name].value or 0)
                for member in other.summary.front
                if member.accuracy.value >= accuracy
            ]
            value = float(other.cost.of(choices[None])[0])
            rows.append(
                Price(
                    chosen_for=theirs.target,
                    used_on=other.target,
                    accuracy=accuracy,
                    value=value,
                    best=min([*good, value]) if good else None,
                )
            )
    return rows


def _middle(summary: SearchSummary) -> int:
    """The knee's place in the front."""
    from hwnas.runs.models import search_knee

    return [member.key for member in summary.front].index(search_knee(summary) or "")


def _choices(summary: SearchSummary, row: int) -> Choices:
    return to_choices(summary.front[row].architecture.genotype)
