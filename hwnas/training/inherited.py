"""The weights that a network inherits from the supernet of its search."""

from __future__ import annotations

import shlex
from collections.abc import Callable

import torch
from torch import Tensor

from hwnas.nets.inherit import inherited
from hwnas.runs.checkpoint import load_checkpoint
from hwnas.runs.directory import Run
from hwnas.runs.models import Model
from hwnas.space import SPACES
from hwnas.space.build import architecture_graph, graph_at, key_of
from hwnas.space.encoding import to_choices
from hwnas.space.genotype import Architecture
from hwnas.space.size import CellSize, Task
from hwnas.training.start import Start
from profilers.errors import InputError

INHERITED = "shared weights of the search"


def inherits(run: Run) -> bool:
    """Whether networks of this run begin with the weights of its supernet: where options share
    weights, each network is a part of it."""
    return SPACES[run.config.space].shares_weights


def starts(run: Run, task: Task, inherit: bool) -> Callable[[Model], Start | None]:
    """What each model of a run begins with: its part of the shared weights, or None.

    Raises InputError where the shared weights are gone.
    """
    state = shared_state(run) if inherit else {}
    return lambda model: start_of(run, state, model.architecture, task) if inherit else None


def shared_state(run: Run) -> dict[str, Tensor]:
    """The supernet's tensors at the end of a search. Raises InputError where they are gone."""
    saved = load_checkpoint(run)
    if saved is None:
        raise InputError(
            f"{run.checkpoint_path.parent}: no checkpoint, so the shared weights are gone; train"
            f" from random ones: hwnas train {shlex.quote(str(run.path))} --from-scratch"
        )
    start = "weight."
    return {
        name.removeprefix(start): torch.from_numpy(array)
        for name, array in saved[0].items()
        if name.startswith(start)
    }


def start_of(run: Run, state: dict[str, Tensor], architecture: Architecture, task: Task) -> Start:
    """What a network of the run begins with; ``state``: the supernet's tensors.

    Raises InputError where the supernet is another space's.
    """
    space, at = SPACES[run.config.space], run.config.evaluation
    size = CellSize(channels=architecture.channels, cells=architecture.cells, stem=at.stem)
    whole = graph_at(space, size, task, key_of(space, to_choices(architecture.genotype)))
    part = architecture_graph(architecture, task, at.stem)
    try:
        tensors = inherited(state, whole, part)
    except (KeyError, IndexError, ValueError, RuntimeError) as error:
        raise InputError(
            f"{run.checkpoint_path}: not the weights of this search ({error!r:.120})"
        ) from None
    return Start(tensors=tensors, origin=INHERITED, of_search=True)
