"""Where a search stands between two steps: all that changes while it runs.

There is no random state in it: every draw is a function of the position (hwnas.search.loop).
"""

from __future__ import annotations

import zlib
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from hwnas.config import Config
from hwnas.nets.supernet import build_supernet
from hwnas.search.algorithms.searcher import Searcher, begin_stage, mask_of
from hwnas.search.diagnostic import Rollback
from hwnas.search.distributed import shared_weights
from hwnas.search.distributed.ranks import ALONE, Ranks
from hwnas.search.distributed.shared_weights import SharedWeights
from hwnas.search.seeds import STAGE, rng
from hwnas.space.space import SPACES, Choices, Space
from hwnas.training.data import Dataset

EXPLODED = 1e4  # a cross-entropy that no guess of a network with finite weights comes to


class SearchDiverged(Exception):
    """The last step's loss is no number, or far too large."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Position:
    """The next weight step: stage, epoch in it, step in the epoch, and trials and seconds so far.

    Steps count batches: N processes take N of them at once, so that a position means the same to
    any N. ``lr_scale``: what rollbacks have left of the learning rate. ``micro_batches``: pieces
    that a batch is trained in, more after the memory was too small.
    """

    stage: int = 0
    epoch: int = 0
    step: int = 0
    trials: int = 0
    seconds: float = 0.0
    lr_scale: float = 1.0
    micro_batches: int = 1


@dataclass(frozen=True, kw_only=True, eq=False)
class Candidates:
    """The networks that the front will come from, whose paths alone are trained in the end.

    ``choices`` (N, decisions), cheapest first; ``shares`` (N,): of the weight steps that each gets.
    """

    choices: Choices
    shares: NDArray[np.float64]


@dataclass(kw_only=True)
class State:
    """The running search: the only thing in the loop that changes."""

    searcher: Searcher
    shared: SharedWeights
    position: Position = Position()
    losses: list[float] = field(default_factory=list)
    accuracies: list[float] = field(default_factory=list)
    rollbacks: list[Rollback] = field(default_factory=list)
    unread: list[tuple[int, float | torch.Tensor]] = field(default_factory=list)
    """Losses of the last steps, with the steps' numbers, which may still lie on a GPU."""
    candidates: Candidates | None = None
    """None before the epochs that train finalists alone."""


_WRITTEN = {"lr_scale": "rate", "micro_batches": "parts"}
"""What a checkpoint calls fields of a position, where that is not their name."""


def position_to_dict(position: Position) -> dict[str, Any]:
    """As a checkpoint holds it."""
    return {
        _WRITTEN.get(name, name): getattr(position, name) for name in Position.__dataclass_fields__
    }


def position_from_dict(written: Mapping[str, Any]) -> Position:
    """The position that a checkpoint holds. Raises TypeError for unknown keys."""
    names = {key: name for name, key in _WRITTEN.items()}
    return Position(**{names.get(key, key): value for key, value in written.items()})


CANDIDATES = "candidates."


def candidates_to_arrays(candidates: Candidates | None) -> dict[str, NDArray[Any]]:
    """As a checkpoint holds them; nothing where there are none yet."""
    if candidates is None:
        return {}
    arrays = {"choices": candidates.choices, "shares": candidates.shares}
    return {CANDIDATES + name: np.ascontiguousarray(array) for name, array in arrays.items()}


def candidates_from(arrays: Mapping[str, NDArray[Any]], space: Space) -> Candidates | None:
    """What a checkpoint holds of them. Raises ValueError for what are no networks of the space."""
    if CANDIDATES + "choices" not in arrays:
        return None
    choices, shares = (arrays[CANDIDATES + name] for name in ("choices", "shares"))
    shape = (len(shares), len(space.decisions))
    good = shares.ndim == 1 and len(shares) and choices.shape == shape
    if not good or choices.dtype.kind not in "iu" or shares.dtype.kind != "f":
        raise ValueError("its candidates are no networks of this search")
    if (choices < 0).any() or (choices >= space.counts).any():
        raise ValueError("its candidates are no networks of this search")
    if not np.isfinite(shares).all() or (shares <= 0).any():
        raise ValueError("its candidates have no shares of the steps")
    return Candidates(choices=choices.astype(np.int64), shares=shares.astype(np.float64))


def supernet(
    config: Config, dataset: Dataset, searcher: Searcher, stage: int, ranks: Ranks = ALONE
) -> SharedWeights:
    """The fresh shared weights that a stage begins with: the remaining candidates, at the stage's
    depth.
    """
    space = SPACES[config.space]
    net = build_supernet(
        config.stage_family(stage, dataset.task),
        seed=int(np.random.SeedSequence([config.seed, stage]).generate_state(1)[0]),
        mask=mask_of(searcher, space),
    )
    return shared_weights.optimise(net.to(dataset.device), config.weight_step, ranks)


def advance(config: Config, dataset: Dataset, state: State) -> None:
    """To the next epoch, or to the next stage with its shrunken, rebuilt supernet."""
    at = state.position
    if at.epoch + 1 < config.stages[at.stage].epochs:
        state.position = replace(at, epoch=at.epoch + 1, step=0)
        return
    state.position = replace(at, stage=at.stage + 1, epoch=0, step=0)
    if at.stage + 1 < len(config.stages):
        state.searcher = begin_stage(state.searcher, rng(config.seed, at.stage + 1, STAGE))
        before = state.shared
        state.shared = supernet(config, dataset, state.searcher, at.stage + 1, before.ranks)
        if before.net.largest is not None:  # options share weights, which go on being trained
            state.shared.net.load_state_dict(before.net.state_dict())


def digest(state: State) -> int:
    """A number in 0..2^31 that changes with any bit of the weights and of what the searcher
    knows."""
    total = shared_weights.digest(state.shared)
    for name, array in sorted(state.searcher.to_arrays().items()):
        total = zlib.crc32(name.encode() + np.ascontiguousarray(array).tobytes(), total)
    return total >> 1


def check_losses(state: State) -> None:
    """Raise SearchDiverged, with the position at that step, where a loss is no number or far too
    large."""
    step = read_losses(state)
    if step is not None:
        state.position = replace(state.position, step=step)
        raise SearchDiverged


def read_losses(state: State) -> int | None:
    """Bring the losses from the device, all at once; the first step whose loss is no number or far
    too large.
    """
    steps, losses = [step for step, _ in state.unread], [loss for _, loss in state.unread]
    if any(isinstance(loss, torch.Tensor) for loss in losses):
        values = torch.stack([torch.as_tensor(loss) for loss in losses]).tolist()
    else:
        values = losses
    state.unread = []
    for step, value in zip(steps, values, strict=True):
        state.losses.append(value)
        if not abs(value) < EXPLODED:
            return step
    return None


def finite(state: State) -> bool:
    """Whether all weights are numbers: what a checkpoint must hold to be worth going back to."""
    return bool(torch.stack([weight.isfinite().all() for weight in state.shared.weights]).all())
