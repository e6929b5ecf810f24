"""One weight step of the supernet: a drawn path, a mixture, or the step that an algorithm
brings."""

from __future__ import annotations

from dataclasses import replace
from functools import partial

import numpy as np
import torch
from numpy.typing import NDArray

from hwnas.config import Config, SearchStage
from hwnas.errors import Stopped, is_memory
from hwnas.nets.fitting import in_pieces
from hwnas.nets.supernet import SkipDropout, Supernet
from hwnas.search.algorithms.algorithm import OwnTraining, StepContext
from hwnas.search.algorithms.asked import plugin_words, searcher_from
from hwnas.search.algorithms.progressive import skip_dropout
from hwnas.search.algorithms.searcher import mask_of, mixture_of, path_of
from hwnas.search.candidates import candidate_of_step
from hwnas.search.costs import CostModel
from hwnas.search.distributed import grouping, shared_weights
from hwnas.search.distributed.ranks import PeerLost
from hwnas.search.schedule import learning_every
from hwnas.search.seeds import ALPHA, DROPOUT, NOISE, PATHS, rng
from hwnas.search.state import SearchDiverged, State
from hwnas.space.space import SPACES, Choices, Probabilities
from hwnas.space.spread import spread_path
from hwnas.training.data import Batch, Dataset, sample
from hwnas.training.dataset import generator
from profilers.errors import FaultyPlugin, asking, kind_of

Drawn = dict[int, Choices]
"""The paths (edges,) of the next weight steps, by batch."""
_ANY = 2**30
"""Pieces that a process without a batch of its own goes along with: as many as the others take."""


def sampling_step(
    config: Config,
    costs: tuple[CostModel, ...],
    state: State,
    batch: Batch | None,
    lr: float,
    numbers: range,
    steps: int,
    drawn: Drawn,
) -> Drawn:
    """Train the paths of these batches, one per rank, or a mixture; returns the paths that are
    drawn by now.

    ``numbers``: those of the batches that the ranks take, of the epoch's ``steps``; ``drawn``:
    paths so far.
    """
    at, ranks, space = state.position, state.shared.ranks, SPACES[config.space]
    first, last = numbers.start, numbers.stop
    # Candidates are trained by themselves, whatever was before.
    mixed = config.weights == "mixture" and state.candidates is None
    if not mixed and first not in drawn:
        learns = config.stages[at.stage].learns(at.epoch)
        every = learning_every(config, steps) if learns else None
        drawn = grouping.paths(
            partial(path_of_batch, config, state),
            partial(_macs, costs),
            first=first,
            steps=steps,
            every=every,
            size=ranks.size,
        )
    path = mixture_of(state.searcher, space) if mixed else drawn[min(first + ranks.rank, last - 1)]
    state.unread.append((first, weight_step(state, batch, path, lr * len(numbers))))
    return drawn


def path_of_batch(config: Config, state: State, number: int) -> Choices:
    """The path (edges,) that is drawn for a batch of the present epoch."""
    at = state.position
    if config.stages[at.stage].train == "largest":
        assert state.shared.net.largest is not None
        return state.shared.net.largest
    if state.candidates is not None:
        return candidate_of_step(config, state.candidates, at, number)
    space = SPACES[config.space]
    words = rng(config.seed, at.stage, at.epoch, number, PATHS)
    if config.weight_step.paths == "spread":
        costs = state.shared.net.relative_costs
        return spread_path(space, costs, mask_of(state.searcher, space), words)
    return path_of(state.searcher, space, words, config.weight_step.paths == "uniform")


def _macs(costs: tuple[CostModel, ...], choices: Choices) -> NDArray[np.float64]:
    """What stands for the time that choices (M, edges) take, (M,)."""
    return np.asarray(
        next(cost for cost in costs if cost.name == "macs").of(choices), dtype=np.float64
    )


def own_step(
    config: Config,
    training: OwnTraining,
    dataset: Dataset,
    state: State,
    batch: Batch | None,
    lr: float,
    numbers: range,
    steps: int,
) -> None:
    """The weight step that the algorithm brings; ``numbers`` and ``steps`` as in
    ``sampling_step``."""
    at, ranks = state.position, state.shared.ranks
    seed = (config.seed, at.stage, at.epoch)

    def validation(number: int) -> Batch:
        # As the training images are: on others alpha runs away (decision 019).
        words = (*seed, number, ALPHA)
        return sample(
            dataset, "policy", config.weight_step.batch_size, words, augment=dataset.augment
        )

    together = -(-steps // ranks.size)  # steps of all ranks together
    turn = (numbers.start // ranks.size + 1) % learning_every(config, together) == 0
    context = StepContext(
        shared=state.shared,
        batch=batch,
        lr=lr,
        count=len(numbers),
        learns=turn and config.stages[at.stage].learns(at.epoch),
        ends=numbers.stop == steps,
        validation=lambda: validation(numbers.start + ranks.rank),
        last_validation=lambda: validation(steps - 1),
        noise=generator(*seed, numbers.start, NOISE, device=dataset.device),
    )
    plugin = plugin_words(config.algorithm)
    with asking(plugin, "the weight step", Stopped, PeerLost, SearchDiverged):
        found: object = training.step(state.searcher, context)
    if not isinstance(found, tuple) or len(found) != 2:
        raise FaultyPlugin(
            f"{plugin}: the weight step gave {kind_of(found)}; it must give the searcher and the"
            " loss"
        )
    state.searcher, loss = searcher_from(config.algorithm, "the weight step", found[0]), found[1]
    state.unread.append((numbers.start, loss))


def weight_step(
    state: State, batch: Batch | None, path: Choices | Probabilities, lr: float
) -> float | torch.Tensor:
    """A weight step, in twice as many micro-batches from now on where the device's memory is too
    small.

    Raises Stopped where not even two images fit.
    """
    most = _ANY if batch is None else len(batch.y) // 2  # BatchNorm needs more than one image
    tried = state.position.micro_batches

    def step(pieces: int) -> float | torch.Tensor:
        nonlocal tried
        tried = pieces
        return shared_weights.weight_step(state.shared, batch, path, lr, pieces)

    try:
        loss, pieces = in_pieces(step, tried, most)
    except (RuntimeError, MemoryError) as error:
        if batch is None or isinstance(error, Stopped) or not is_memory(error):
            raise
        raise Stopped(
            f"the device's memory is too small for {len(batch.y) // tried} images at once; take"
            " fewer channels or cells (channels, stages in a --config file)"
        ) from None
    if pieces != state.position.micro_batches:
        state.position = replace(state.position, micro_batches=pieces)
    return loss


def set_dropout(
    net: Supernet, stage: SearchStage, epoch: int, seed: tuple[int, ...], device: torch.device
) -> None:
    """Dropout on skip_connect for the next step, as the stage's schedule has it in this epoch."""
    p = skip_dropout(stage, epoch)
    words = (*seed, DROPOUT)
    net.dropout = (
        SkipDropout(probability=p, generator=generator(*words, device=device))
        if p > 0
        else SkipDropout()
    )
