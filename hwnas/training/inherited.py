"""The weights that networks inherit from the supernet of their search, and from each other.

In one call they are trained from the largest to the smallest. Each leaves what it learned in the
shared weights, where the next one finds it: about a point for small networks, at no cost
(docs/log.md, 2026-11-29).
"""

from __future__ import annotations

import shlex
from collections.abc import Sequence
from dataclasses import replace

import torch
from torch import Tensor, nn

from hwnas.nets.inherit import hand_back, inherited
from hwnas.runs.checkpoint import load_checkpoint
from hwnas.runs.directory import Run
from hwnas.runs.models import Model
from hwnas.space import SPACES
from hwnas.space.build import architecture_graph, graph_at, key_of
from hwnas.space.encoding import to_choices
from hwnas.space.genotype import Architecture
from hwnas.space.graph import Graph
from hwnas.space.size import CellSize, Task
from hwnas.training.start import Start, Starts
from profilers.errors import InputError

INHERITED = "shared weights of the search"


def inherits(run: Run) -> bool:
    """Whether networks of this run begin with the weights of its supernet: where options share
    weights, each network is a part of it."""
    return SPACES[run.config.space].shares_weights


def starts(run: Run, task: Task, inherit: bool) -> Starts:
    """What the models of one call begin with: their parts of the shared weights, or random ones.

    Raises InputError where the shared weights are gone.
    """
    if not inherit:
        return Starts()
    shared = shared_state(run)
    learned = {name: tensor.clone() for name, tensor in shared.items()}
    teachers: list[str] = []

    def of(model: Model) -> Start:
        own = start_of(run, shared, model.architecture, task)
        if not teachers:
            return own
        now = start_of(run, learned, model.architecture, task)
        return replace(now, after=tuple(teachers), before=own.digest)

    def learn(model: Model, network: nn.Module) -> None:
        hand_back(learned, *_graphs(run, model.architecture, task), network.state_dict())
        teachers.append(model.name)

    return Starts(of=of, order=largest_first, learn=learn)


def largest_first(models: Sequence[Model]) -> list[Model]:
    """From the most MACs to the fewest."""
    return sorted(models, key=lambda model: (-model.costs["macs"].value, model.name))


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
    try:
        tensors = inherited(state, *_graphs(run, architecture, task))
    except (KeyError, IndexError, ValueError, RuntimeError) as error:
        raise InputError(
            f"{run.checkpoint_path}: not the weights of this search ({error!r:.120})"
        ) from None
    return Start(tensors=tensors, origin=INHERITED, of_search=True)


def _graphs(run: Run, architecture: Architecture, task: Task) -> tuple[Graph, Graph]:
    """The supernet at the size of a network, and the network."""
    space, at = SPACES[run.config.space], run.config.evaluation
    size = CellSize(channels=architecture.channels, cells=architecture.cells, stem=at.stem)
    whole = graph_at(space, size, task, key_of(space, to_choices(architecture.genotype)))
    return whole, architecture_graph(architecture, task, at.stem)
