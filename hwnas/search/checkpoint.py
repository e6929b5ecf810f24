"""The state of a search on disk and back, and back to the last good one after a divergence."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import asdict, replace
from typing import Any

from hwnas.config import Config
from hwnas.errors import Stopped, is_memory
from hwnas.runs.checkpoint import Arrays, load_checkpoint, save_checkpoint
from hwnas.runs.directory import Run
from hwnas.runs.history import truncate_history
from hwnas.runs.trials import truncate_trials
from hwnas.search.algorithms.asked import to_arrays, with_arrays
from hwnas.search.algorithms.searcher import Searcher
from hwnas.search.config_kept import check_unchanged, settled
from hwnas.search.diagnostic import Rollback
from hwnas.search.distributed import shared_weights
from hwnas.search.distributed.ranks import ALONE, Ranks
from hwnas.search.state import (
    Position,
    State,
    candidates_from,
    candidates_to_arrays,
    position_from_dict,
    position_to_dict,
    supernet,
)
from hwnas.search.warm_start import start_from
from hwnas.space.space import SPACES
from hwnas.training.data import Dataset
from profilers.errors import FaultyPlugin, InputError

MAX_ROLLBACKS = 3
MOST_STEPS = 10**9
"""Batches of an epoch: more than any data set has."""


def place(config: Config, position: Mapping[str, Any]) -> str | None:
    """A checkpoint's position as people count, None where all stages are done."""
    if position["stage"] >= len(config.stages):
        return None
    return (
        f"stage {position['stage'] + 1}, epoch {position['epoch'] + 1}, step {position['step'] + 1}"
    )


def rollbacks_of(written: Mapping[str, Any]) -> list[Rollback]:
    """The rollbacks that a checkpoint tells of."""
    return [Rollback(**fields) for fields in written.get("setbacks", [])]


def restore(run: Run, dataset: Dataset, searcher: Searcher, ranks: Ranks = ALONE) -> State:
    """The state of the newest checkpoint, or the start."""
    saved = ranks.broadcast(lambda: _read(run))
    if saved is None:
        shared = supernet(run.config, dataset, searcher, 0, ranks)
        if run.config.weights_from is not None:
            start_from(shared.net, run.config, dataset)
        return State(searcher=searcher, shared=shared)
    arrays, written = saved
    position = position_from_dict(written["position"])
    of_searcher = {
        name.removeprefix("searcher."): array
        for name, array in arrays.items()
        if name.startswith("searcher.")
    }
    stage = min(position.stage, len(run.config.stages) - 1)
    with _trusted(run):
        candidates = candidates_from(arrays, SPACES[run.config.space])
        searcher = with_arrays(run.config.algorithm, searcher, of_searcher)
        shared = supernet(run.config, dataset, searcher, stage, ranks)
        shared_weights.from_arrays(shared, arrays)
    return State(
        searcher=searcher,
        shared=shared,
        position=position,
        losses=written.get("losses", []),
        accuracies=written.get("accuracies", []),
        rollbacks=rollbacks_of(written),
        candidates=candidates,
    )


def checkpoint(run: Run) -> tuple[Arrays, dict[str, Any]] | None:
    """The newest checkpoint. Raises InputError where what it says is not what a search writes."""
    saved = load_checkpoint(run)
    if saved is None:
        return None
    with _trusted(run):
        written = saved[1]
        at = position_from_dict(written["position"])
        written["position"] = position_to_dict(at)
        rollbacks = rollbacks_of(written)
        counts = [
            at.stage,
            at.epoch,
            at.step,
            at.trials,
            at.micro_batches,
            written.get("processes", 1),
        ]
        counts += [number for rollback in rollbacks for number in (rollback.stage, rollback.epoch)]
        numbers = [
            at.seconds,
            at.lr_scale,
            *written.get("losses", []),
            *written.get("accuracies", []),
        ]
        numbers += [rollback.rate for rollback in rollbacks]
        good = all(type(count) is int and 0 <= count < 2**62 for count in counts)
        if not good or not all(
            type(number) in (int, float) and math.isfinite(number) for number in numbers
        ):
            raise ValueError("its numbers are none of a search")
        _check_place(run.config, at, len(rollbacks))
        check_unchanged(run, written.get("config"))
    return saved


def _check_place(config: Config, at: Position, rollbacks: int) -> None:
    """Raise ValueError unless a search with this config can stand there."""
    if at.stage > len(config.stages):
        raise ValueError("a stage that this search does not have")
    epochs = config.stages[at.stage].epochs if at.stage < len(config.stages) else 1
    if at.epoch >= epochs:
        raise ValueError("an epoch that its stage does not have")
    if not (at.step <= MOST_STEPS and 1 <= at.micro_batches <= config.weight_step.batch_size):
        raise ValueError("its steps or pieces of a batch are none of a search")
    if not (0 < at.lr_scale <= 1 and at.seconds >= 0 and rollbacks <= MAX_ROLLBACKS):
        raise ValueError("its learning rate, time or rollbacks are none of a search")


@contextmanager
def _trusted(run: Run) -> Iterator[None]:
    """Turn what does not fit the search into InputError: the run may be a stranger's."""
    try:
        yield
    except (
        LookupError,
        TypeError,
        ValueError,
        AttributeError,
        ArithmeticError,
        RuntimeError,
    ) as error:
        # A searcher that was made of tensors that do not fit says so as a faulty plug-in would.
        faulty = isinstance(error, FaultyPlugin)
        refused = isinstance(error, InputError | Stopped) and not faulty
        if refused or is_memory(error):
            raise
        reason = str(error)[:300] if faulty else repr(error)[:200]
        raise InputError(
            f"{run.checkpoint_path.parent}: no checkpoint of this search ({reason})"
        ) from None


def _read(run: Run) -> tuple[Arrays, dict[str, Any]] | None:
    """The newest checkpoint, and the run directory cut back to what it knows of."""
    saved = checkpoint(run)
    position = Position() if saved is None else position_from_dict(saved[1]["position"])
    truncate_trials(run, position.trials)
    truncate_history(run, position.stage, position.epoch)
    return saved


def save(run: Run, state: State, clock: Callable[[], float], began: float) -> float:
    """Write a checkpoint, on the leading rank; returns the time it was done."""
    state.position = replace(state.position, seconds=clock() - began)
    if not state.shared.ranks.is_main:
        return clock()
    arrays = shared_weights.to_arrays(state.shared)
    of_searcher = to_arrays(run.config.algorithm, state.searcher)
    arrays |= {f"searcher.{name}": array for name, array in of_searcher.items()}
    arrays |= candidates_to_arrays(state.candidates)
    written = {
        "position": position_to_dict(state.position),
        "setbacks": [asdict(rollback) for rollback in state.rollbacks],
        "processes": state.shared.ranks.size,
        "losses": state.losses,
        "accuracies": state.accuracies,
        "config": settled(run.config),
    }
    save_checkpoint(run, arrays, written)
    return clock()


def roll_back(run: Run, dataset: Dataset, fresh: Searcher, broken: State) -> State:
    """The state of the last checkpoint, or the start, to go on from at half the learning rate.
    Raises Stopped.
    """
    at, state = broken.position, restore(run, dataset, fresh, broken.shared.ranks)
    loss = broken.losses[-1] if broken.losses and math.isfinite(broken.losses[-1]) else None
    scale = at.lr_scale / 2
    rollback = Rollback(stage=at.stage, epoch=at.epoch, step=at.step, loss=loss, rate=scale)
    state.rollbacks = [*broken.rollbacks, rollback]
    if len(state.rollbacks) > MAX_ROLLBACKS:
        lr = run.config.weight_step.lr
        raise Stopped(
            f"the loss diverged {len(state.rollbacks)} times, the last at {at.lr_scale:g} of the"
            f" learning rate {lr:g} (stage {at.stage + 1}, epoch {at.epoch + 1}); start anew with a"
            f" lower weight_step.lr in a --config file, such as {lr / 30:.2g}, and look at the"
            " images"
        )
    state.position = replace(state.position, lr_scale=scale)
    return state
