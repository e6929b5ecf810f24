"""Where a search stands: its state between two steps, on disk and back, and back to the last good one.

There is no random state in it: every draw is a function of the position (hwnas.search.loop).
"""

from __future__ import annotations

import math
import zlib
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field, replace
from typing import Any

import numpy as np
import torch

from hwnas.config import Config
from hwnas.errors import Stopped
from hwnas.nets.supernet import build_supernet
from hwnas.runs.checkpoint import Arrays, load_checkpoint, save_checkpoint
from hwnas.runs.directory import Run
from hwnas.runs.history import truncate_history
from hwnas.runs.trials import truncate_trials
from hwnas.search.algorithms.searcher import Searcher
from hwnas.search.distributed import shared_weights
from hwnas.search.distributed.ranks import ALONE, Ranks
from hwnas.search.distributed.shared_weights import SharedWeights
from hwnas.search.health import Setback
from hwnas.training.data import Dataset
from profilers.errors import InputError

MAX_SETBACKS = 3
EXPLODED = 1e4  # a cross-entropy that no guess of a network with finite weights comes to


@dataclass(frozen=True, slots=True)
class Position:
    """The next weight step: stage, epoch in it, step in the epoch, and trials and seconds so far.

    Steps count batches: N processes take N of them at once, so that a position means the same to any N.
    """

    stage: int = 0
    epoch: int = 0
    step: int = 0
    trials: int = 0
    seconds: float = 0.0
    rate: float = 1.0  # share of the learning rate that is left after setbacks
    parts: int = 1  # pieces that a batch is trained in, more after the memory was too small


def place(config: Config, position: Mapping[str, Any]) -> str | None:
    """A checkpoint's position as people count, None where all stages are done."""
    if position["stage"] >= len(config.stages):
        return None
    return f"stage {position['stage'] + 1}, epoch {position['epoch'] + 1}, step {position['step'] + 1}"


@dataclass
class State:
    """The running search: the only thing in the loop that changes."""

    searcher: Searcher
    shared: SharedWeights
    position: Position
    losses: list[float] = field(default_factory=list)
    accuracies: list[float] = field(default_factory=list)
    setbacks: list[Setback] = field(default_factory=list)
    unread: list[tuple[int, float | torch.Tensor]] = field(default_factory=list)
    """Losses of the last steps, with the steps' numbers, which may still lie on a GPU."""


def restore(run: Run, dataset: Dataset, searcher: Searcher, ranks: Ranks = ALONE) -> State:
    """The state of the newest checkpoint, or the start."""
    found = ranks.share(lambda: _read(run))
    if found is None:
        return State(searcher, supernet(run.config, dataset, searcher, 0, ranks), Position())
    arrays, state = found
    position = Position(**state["position"])
    known = {name.removeprefix("searcher."): a for name, a in arrays.items() if name.startswith("searcher.")}
    stage = min(position.stage, len(run.config.stages) - 1)
    with _believed(run):
        searcher = searcher.with_arrays(known)
        shared = supernet(run.config, dataset, searcher, stage, ranks)
        shared_weights.from_arrays(shared, arrays)
    setbacks = [Setback(**one) for one in state.get("setbacks", [])]
    return State(searcher, shared, position, state.get("losses", []), state.get("accuracies", []), setbacks)


def checkpoint(run: Run) -> tuple[Arrays, dict[str, Any]] | None:
    """The newest checkpoint. Raises InputError where what it says is not what a search writes."""
    found = load_checkpoint(run)
    if found is None:
        return None
    with _believed(run):
        state = found[1]
        at, seen = Position(**state["position"]), [*state.get("losses", []), *state.get("accuracies", [])]
        state["position"] = asdict(at)
        counts = [at.stage, at.epoch, at.step, at.trials, at.parts, state.get("processes", 1)]
        numbers = [at.seconds, at.rate, *seen]
        setbacks = [Setback(**one) for one in state.get("setbacks", [])]
        counts += [number for one in setbacks for number in (one.stage, one.epoch)]
        numbers += [one.rate for one in setbacks]
        good = all(type(one) is int and 0 <= one < 2**62 for one in counts)
        if not good or not all(type(one) in (int, float) and math.isfinite(one) for one in numbers):
            raise ValueError("its numbers are none of a search")
        if not (at.stage <= len(run.config.stages) and at.parts >= 1):
            raise ValueError("a stage that this search does not have")
    return found


@contextmanager
def _believed(run: Run) -> Iterator[None]:
    """Turn what does not fit the search into InputError: the run may be a stranger's."""
    try:
        yield
    except (LookupError, TypeError, ValueError, AttributeError, ArithmeticError, RuntimeError) as error:
        if isinstance(error, InputError | Stopped) or shared_weights.out_of_memory(error):
            raise
        reason = repr(error)[:200]
        raise InputError(f"{run.checkpoint_path.parent}: no checkpoint of this search ({reason})") from None


def _read(run: Run) -> tuple[Arrays, dict[str, Any]] | None:
    """The newest checkpoint, and the run directory cut back to what it knows of."""
    found = checkpoint(run)
    position = Position() if found is None else Position(**found[1]["position"])
    truncate_trials(run, position.trials)
    truncate_history(run, position.stage, position.epoch)
    return found


def save(run: Run, state: State, clock: Callable[[], float], began: float) -> float:
    """Write a checkpoint, on the leading rank; returns the time it was done."""
    state.position = replace(state.position, seconds=clock() - began)
    if not state.shared.ranks.leads:
        return clock()
    arrays = shared_weights.to_arrays(state.shared)
    arrays |= {f"searcher.{name}": array for name, array in state.searcher.to_arrays().items()}
    so_far = {"losses": state.losses, "accuracies": state.accuracies}
    setbacks = [asdict(one) for one in state.setbacks]
    more = {"setbacks": setbacks, "processes": state.shared.ranks.size}
    save_checkpoint(run, arrays, {"position": asdict(state.position), **more, **so_far})
    return clock()


def supernet(
    config: Config, dataset: Dataset, searcher: Searcher, stage: int, ranks: Ranks = ALONE
) -> SharedWeights:
    """The fresh shared weights that a stage begins with: what survives, at the stage's depth."""
    net = build_supernet(
        config.stage_family(stage, dataset.task),
        seed=int(np.random.SeedSequence([config.seed, stage]).generate_state(1)[0]),
        mask=searcher.mask(),
    )
    return shared_weights.optimise(net.to(dataset.device), config.weight_step, ranks)


def digest(state: State) -> int:
    """A number in 0..2^31 that changes with any bit of the weights and of what the searcher knows."""
    total = shared_weights.digest(state.shared)
    for name, array in sorted(state.searcher.to_arrays().items()):
        total = zlib.crc32(name.encode() + np.ascontiguousarray(array).tobytes(), total)
    return total >> 1


def read_losses(state: State) -> int | None:
    """Bring the losses from the device, all at once; the first step whose loss is no number or far too large."""
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


def set_back(run: Run, dataset: Dataset, fresh: Searcher, broken: State) -> State:
    """The state of the last checkpoint, or the start, to go on from at half the rate. Raises Stopped."""
    at, state = broken.position, restore(run, dataset, fresh, broken.shared.ranks)
    loss = broken.losses[-1] if broken.losses and math.isfinite(broken.losses[-1]) else None
    rate = broken.position.rate / 2
    state.setbacks = [*broken.setbacks, Setback(at.stage, at.epoch, at.step, loss, rate)]
    if len(state.setbacks) > MAX_SETBACKS:
        lr = run.config.weight_step.lr
        raise Stopped(
            f"the loss diverged {len(state.setbacks)} times, the last at {at.rate:g} of the learning rate"
            f" {lr:g} (stage {at.stage + 1}, epoch {at.epoch + 1}); start anew with a lower weight_step.lr"
            f" in a --config file, such as {lr / 30:.2g}, and look at the images"
        )
    state.position = replace(state.position, rate=rate)
    return state
