"""The epochs of one call of a training: decided before it starts, and kept where a time decided, so
that a call that was stopped goes on by the same decision."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Mapping, Sequence

import numpy as np
import torch

from hwnas import files
from hwnas.costs.counts import count
from hwnas.runs.directory import Run
from hwnas.runs.models import Model
from hwnas.space.encoding import to_genotype
from hwnas.space.genotype import Architecture
from hwnas.space.space import SPACES
from hwnas.training.checkpoint import StoredTraining, stored_training
from hwnas.training.data import Dataset, size
from hwnas.training.epochs import EpochPlan, Pace, enough, kept_or, times_of_part, within_time
from hwnas.training.inherited import inherits
from hwnas.training.pace import pace_of
from hwnas.training.recipe import Recipe
from hwnas.training.start import Start
from profilers.errors import InputError

PLAN = "training_plan.json"


def plan_epochs(
    run: Run,
    models: Sequence[Model],
    dataset: Dataset,
    recipe: Recipe,
    seed: int,
    *,
    typed: int | None = None,
    time_s: float | None = None,
    began: float | None = None,
    fresh: bool = False,
    device: str | torch.device = "cpu",
    start: Callable[[Model], Start | None] = lambda model: None,
) -> EpochPlan:
    """The epochs of every model of a call. ``typed``: those that were asked for. ``time_s``:
    seconds that the call may take, over all models; it began at ``began`` (time.monotonic).

    Raises InputError where the time is too short.
    """
    began = time.monotonic() if began is None else began
    stored = {model.name: None if fresh else _stored(model, recipe) for model in models}
    images = round(size(dataset, "train") * (1 - recipe.hold_out))
    wanted, line = (typed, None) if typed is not None else enough(recipe, images)
    if time_s is None:
        longer = typed is None and recipe.name == "tune"
        times = _times_of_parts(run, models, dataset) if longer else {}
        return kept_or(wanted, stored, typed is not None, line, times)
    words = {
        "seconds": time_s,
        "epochs": typed,
        "recipe": recipe.to_dict(),
        "seed": seed,
        "models": sorted(stored),
    }
    kept = None if fresh else _kept(run, words)
    if kept is not None:
        return kept
    paces: dict[str, Pace] = {}
    for model in models:
        before = stored[model.name]
        if before is not None and before.ended and before.done >= wanted:
            paces[model.name] = Pace(epoch_s=0.0)
            continue
        paces[model.name] = pace_of(
            model.architecture,
            dataset,
            recipe,
            seed,
            device=device,
            stem=run.config.evaluation.stem,
            start=start(model),
        )
    left = time_s - (time.monotonic() - began)
    found = within_time(time_s, max(left, 0.0), wanted, stored, paces)
    content = json.dumps({"words": words, "epochs": dict(found.epochs)}, indent=1)
    files.replace(run.path / PLAN, run.path, content.encode())
    return found if line is None else EpochPlan(epochs=found.epochs, lines=(line, *found.lines))


def forget_plan(run: Run) -> None:
    """Nothing is left to do of the call that was planned last."""
    files.remove(run.path / PLAN, run.path)


def _times_of_parts(run: Run, models: Sequence[Model], dataset: Dataset) -> dict[str, int]:
    """How many times as long each model is trained, by name, where they are parts of one
    network."""
    if not inherits(run) or not models:
        return {}
    space = SPACES[run.config.space]
    whole = to_genotype(space, np.zeros(len(space.decisions), dtype=np.int64))
    at = run.config.evaluation
    largest = Architecture(whole, channels=at.channels, cells=at.cells)
    _, most = count(largest, len(dataset.classes), dataset.image, at.stem)
    return {model.name: times_of_part(model.costs["macs"].value / most) for model in models}


def _stored(model: Model, recipe: Recipe) -> StoredTraining | None:
    """What the model's folder holds of this recipe."""
    found = stored_training(model.folder)
    return found if found is not None and found.recipe == recipe.name else None


def _kept(run: Run, words: Mapping[str, object]) -> EpochPlan | None:
    """What an earlier call with the same words decided, where it was stopped."""
    if not files.exists(run.path / PLAN, run.path):
        return None
    try:
        content = json.loads(files.read(run.path / PLAN, run.path))
        if content["words"] != json.loads(json.dumps(words)):
            return None
        epochs = {str(name): int(number) for name, number in content["epochs"].items()}
    except InputError:
        raise
    except (OSError, ValueError, KeyError, TypeError, AttributeError, RecursionError):
        return None
    if set(epochs) != set(content["words"]["models"]) or min(epochs.values(), default=0) < 1:
        return None
    lines = ("--time: goes on by what the call decided that was stopped",)
    return EpochPlan(epochs=epochs, lines=lines)
