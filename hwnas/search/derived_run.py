"""A derived front as a run directory of its own: it is shown, trained, exported and reported like
that of a search."""

from __future__ import annotations

from pathlib import Path

from hwnas.config.files import validate
from hwnas.runs.checkpoint import load_checkpoint, save_checkpoint
from hwnas.runs.directory import Run, create
from hwnas.runs.environment import read_environment
from hwnas.runs.history import append_epoch, read_history
from hwnas.runs.summary import write_front
from hwnas.runs.trials import append_trials
from hwnas.search.config_kept import settled
from hwnas.search.derive import Derived
from profilers.errors import InputError


def keep(run: Run, derived: Derived, target: str, path: Path) -> Run:
    """Write what ``run`` would have been, had it been asked for this ``target`` (as it is typed):
    the same weights, the trials of its last stage with the new costs, and the new front.

    Raises InputError where something stands at ``path``, or the run's own search can't be one for
    a cost.
    """
    objectives = [{"metric": derived.cost.name}]
    data = {**run.config.model_dump(), "target": target, "objectives": objectives}
    config = validate(data, f"{run.path}: as a search for {target}")
    saved, was = load_checkpoint(run), read_environment(run.path)
    if saved is None:
        raise InputError(f"{run.path}: its checkpoint is gone, and the shared weights with it")
    command = ["hwnas", "derive", str(run.path), "--target", target]
    kept = create(path, config, command, was.data_digest or "", was.images, None, was.computed_by)
    save_checkpoint(kept, saved[0], {**saved[1], "config": settled(config)})
    append_trials(kept, derived.trials)
    for line in read_history(run):
        append_epoch(kept, line)
    write_front(kept, derived.summary.model_copy(update={"target": derived.target}))
    return kept
