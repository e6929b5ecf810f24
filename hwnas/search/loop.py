"""The one loop that joins the parts: train shared weights, ask, evaluate, tell, shrink, and score the finalists.

Every draw is a function of (seed, stage, epoch, step), so that a search has no random state: it resumes exactly
from its position, and the same seed gives the same trials and front on a CPU.
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass, field, replace

import numpy as np
import torch

from hwnas.config import Config, Stage
from hwnas.errors import Stopped
from hwnas.nets.supernet import SkipDropout, Supernet, build_supernet
from hwnas.results.history import append_epoch, epoch_of, read_history, truncate_history
from hwnas.results.run import (
    Run,
    Trial,
    append_trials,
    load_checkpoint,
    read_trials,
    save_checkpoint,
    truncate_trials,
)
from hwnas.search import ndarts, shared_weights
from hwnas.search.costs import Cost
from hwnas.search.health import Note, Setback, diagnose
from hwnas.search.ndarts import NDarts
from hwnas.search.progressive import skip_dropout
from hwnas.search.searcher import Searcher
from hwnas.search.shared_weights import SharedWeights
from hwnas.space.encoding import to_genotype
from hwnas.space.space import SPACES, Choices, Probabilities
from hwnas.training.data import Batch, Dataset, batch_count, batches, sample
from hwnas.training.dataset import generator

# What a draw is for: the last word of its seed, so that no two purposes share a stream.
WEIGHTS, ALPHA, PATHS, ASK, DROPOUT, STAGE, FINAL, NOISE = range(8)
EXPLODED = 1e4  # a cross-entropy that no guess of a network with finite weights comes to
MAX_SETBACKS = 3


@dataclass(frozen=True, slots=True)
class Position:
    """The next weight step: stage, epoch in it, step in the epoch, and trials and seconds so far."""

    stage: int = 0
    epoch: int = 0
    step: int = 0
    trials: int = 0
    seconds: float = 0.0
    rate: float = 1.0  # share of the learning rate that is left after setbacks
    parts: int = 1  # pieces that a batch is trained in, more after the memory was too small


@dataclass(frozen=True, slots=True)
class Progress:
    """What a watcher is told after each epoch."""

    stage: int
    stages: int
    epoch: int
    epochs: int
    loss: float
    accuracy: float | None
    entropies: tuple[float, ...]
    evaluations: int
    seconds: float
    share_done: float
    notes: tuple[str, ...] = ()


Watcher = Callable[[Progress], None]


@dataclass
class _State:
    """The running search: the only thing in this module that changes."""

    searcher: Searcher
    shared: SharedWeights
    position: Position
    losses: list[float] = field(default_factory=list)
    accuracies: list[float] = field(default_factory=list)
    setbacks: list[Setback] = field(default_factory=list)


class _Diverged(Exception):
    """The last step's loss is no number, or far too large."""


@dataclass(frozen=True)
class Searched:
    """A search that has run its stages: what was learnt, the last supernet, and the last stage's trials."""

    searcher: Searcher
    net: Supernet
    trials: tuple[Trial, ...]
    evaluations: int
    seconds: float
    notes: tuple[Note, ...] = ()


def run_stages(
    run: Run,
    dataset: Dataset,
    costs: tuple[Cost, ...],
    searcher: Searcher,
    watch: Watcher,
    clock: Callable[[], float] = time.monotonic,
) -> Searched:
    """Run, or go on with, all stages of the search in ``run``. Ctrl-C leaves the last checkpoint behind.

    Raises Stopped where the weights diverge again and again, or the run directory can't be written.
    """
    config = run.config
    fresh = searcher
    state = _restore(run, dataset, fresh)
    began = clock() - state.position.seconds
    saved = clock()
    while state.position.stage < len(config.stages):
        try:
            for _ in _epoch(run, dataset, costs, state):
                if clock() - saved > 60 * config.checkpoint_minutes and _finite(state):
                    saved = _save(run, state, clock, began)
            if not _finite(state):
                raise _Diverged
        except _Diverged:
            state = _set_back(run, dataset, fresh, state)
            saved = _save(run, state, clock, began)
            continue
        except (RuntimeError, MemoryError) as error:
            if isinstance(error, Stopped) or not _out_of_memory(error):
                raise
            raise Stopped(
                "the memory is too small for a step; what was finished is kept: close other programs and go on with:"
                f" hwnas resume {run.path}, or begin anew with smaller alpha_step.images or weight_step.batch_size"
            ) from None
        _remember(run, state)
        ended = state.position.epoch + 1 == config.stages[state.position.stage].epochs
        notes = _notes(run, dataset, state) if ended else ()
        here = [str(note) for note in notes if note.stage == state.position.stage]
        watch(_progress(config, state, clock() - began, tuple(here)))
        _advance(config, dataset, state)
        saved = _save(run, state, clock, began)
    last = len(config.stages) - 1
    trials = tuple(trial for trial in read_trials(run) if trial.stage == last)
    notes = _notes(run, dataset, state)
    return Searched(state.searcher, state.shared.net, trials, state.position.trials, clock() - began, notes)


def _notes(run: Run, dataset: Dataset, state: _State) -> tuple[Note, ...]:
    """What is to be said about the search so far."""
    alarm = isinstance(state.searcher, NDarts) and state.searcher.healthy() < len(state.searcher.trace)
    return tuple(
        diagnose(run.config, len(dataset.classes), read_history(run), read_trials(run), state.setbacks, alarm)
    )


def _finite(state: _State) -> bool:
    """Whether all weights are numbers: what a checkpoint must hold to be worth going back to."""
    return all(bool(weight.isfinite().all()) for weight in state.shared.net.parameters())


def _set_back(run: Run, dataset: Dataset, fresh: Searcher, broken: _State) -> _State:
    """The state of the last checkpoint, or the start, to go on from at half the rate. Raises Stopped."""
    at, state = broken.position, _restore(run, dataset, fresh)
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


def _epoch(run: Run, dataset: Dataset, costs: tuple[Cost, ...], state: _State) -> Iterator[None]:
    """One epoch from the present step on; yields after every step, position already moved past it."""
    config, at = run.config, state.position
    stage, seed = config.stages[at.stage], (config.seed, at.stage, at.epoch)
    if at.step == 0:
        state.losses, state.accuracies = [], []
    steps = steps_per_epoch(dataset, config)
    train = batches(
        dataset,
        "weights",
        config.weight_step.batch_size,
        (*seed, WEIGHTS),
        augment=dataset.augment,
        start=at.step,
        drop_last=_drops(dataset, config),
    )
    for step, batch in zip(range(at.step, steps), train, strict=False):
        _set_dropout(state.shared.net, stage, at.epoch, (*seed, step, DROPOUT))
        lr = at.rate * shared_weights.cosine(config.weight_step, (at.epoch + step / steps) / stage.epochs)
        if isinstance(state.searcher, NDarts):
            _bilevel_step(state, state.searcher, dataset, batch, lr, step)
            evaluate = step + 1 == steps
        else:
            path = _path(state.searcher, config, (*seed, step, PATHS))
            state.losses.append(_weight_step(state, batch, path, lr))
            evaluate = at.epoch >= stage.frozen_epochs and (step + 1) % config.alpha_step.every == 0
        if not abs(state.losses[-1]) < EXPLODED:
            state.position = replace(state.position, step=step)
            raise _Diverged
        if evaluate:
            _evaluate(run, dataset, costs, state, step)
        state.position = replace(state.position, step=step + 1)
        yield


def _path(searcher: Searcher, config: Config, seed: tuple[int, ...]) -> Choices | Probabilities:
    """What the next weight step trains: the mixture (edges, operations), or one drawn path (edges,)."""
    return searcher.mixture() if config.weights == "mixture" else searcher.paths(1, rng(*seed))[0]


def _weight_step(state: _State, batch: Batch, path: Choices | Probabilities, lr: float) -> float:
    """A weight step, in twice as many pieces from now on where the device's memory is too small. Raises Stopped."""
    while True:
        try:
            return shared_weights.weight_step(state.shared, batch, path, lr, state.position.parts)
        except (RuntimeError, MemoryError) as error:
            if not _out_of_memory(error):
                raise
            parts = 2 * state.position.parts
            if parts > len(batch.y) // 2:  # BatchNorm needs more than one image
                raise Stopped(
                    f"the device's memory is too small for {len(batch.y) // state.position.parts} images at once;"
                    " take fewer channels or cells (channels, stages in a --config file)"
                ) from None
            state.position = replace(state.position, parts=parts)
        # Outside of the handler, whose traceback would keep the maps of the failed step alive.
        state.shared.optimizer.zero_grad(set_to_none=True)
        torch.cuda.empty_cache()


def _out_of_memory(error: BaseException) -> bool:
    """CUDA has an exception of its own; on a CPU torch raises a RuntimeError that says so."""
    kinds = (torch.OutOfMemoryError, MemoryError)
    return isinstance(error, kinds) or "can't allocate memory" in str(error)


def _bilevel_step(
    state: _State, searcher: NDarts, dataset: Dataset, batch: Batch, lr: float, step: int
) -> None:
    """A weight step of the mixture, every few of them an alpha step, and at the end of an epoch the watch."""
    config, at = searcher.config, state.position
    seed = (config.seed, at.stage, at.epoch, step)
    noise = generator(*seed, NOISE)
    state.losses.append(ndarts.weight_step(searcher, state.shared, batch, lr, noise))
    valid = sample(dataset, "policy", config.weight_step.batch_size, (*seed, ALPHA))
    frozen = at.epoch < config.stages[at.stage].frozen_epochs
    if not frozen and (step + 1) % config.ndarts.weight_steps == 0:
        searcher = ndarts.alpha_step(searcher, state.shared, batch, valid, lr)
    if step + 1 == steps_per_epoch(dataset, config):
        searcher = ndarts.watch(searcher, state.shared.net, valid)
    state.searcher = searcher


def steps_per_epoch(dataset: Dataset, config: Config) -> int:
    """Weight steps per epoch; NDARTS may train each epoch on a random part of the images."""
    size = config.weight_step.batch_size
    steps = batch_count(dataset, "weights", size, drop_last=_drops(dataset, config))
    part = config.ndarts.samples_per_epoch if config.algorithm == "ndarts" else None
    return steps if part is None else max(1, min(steps, part // size))


def _evaluate(run: Run, dataset: Dataset, costs: tuple[Cost, ...], state: _State, step: int) -> None:
    """Ask, evaluate on one shared validation batch, write the trials down, tell."""
    config, at = run.config, state.position
    seed = (config.seed, at.stage, at.epoch, step)
    asked = state.searcher.ask(config.alpha_step.samples, rng(*seed, ASK))
    batch = sample(dataset, "policy", config.alpha_step.images, (*seed, ALPHA))
    state.shared.net.dropout = SkipDropout()
    accuracy = np.array([shared_weights.accuracy(state.shared.net, one, [batch]) for one in asked])
    values = np.stack([cost.of(asked) for cost in costs], axis=1)
    space = SPACES[config.space]
    append_trials(
        run,
        [
            Trial(
                at.trials + number,
                at.stage,
                at.epoch,
                step,
                to_genotype(space, one).key,
                tuple(int(op) for op in one),
                float(accuracy[number]),
                {cost.name: float(value) for cost, value in zip(costs, values[number], strict=True)},
            )
            for number, one in enumerate(asked)
        ],
    )
    state.searcher = state.searcher.tell(asked, accuracy, values[:, : len(config.objectives)])
    state.accuracies.append(float(accuracy.mean()))
    state.position = replace(state.position, trials=at.trials + len(asked))


def _remember(run: Run, state: _State) -> None:
    """One line about the epoch that has just ended."""
    at, space, tables = state.position, SPACES[run.config.space], state.searcher.tables()
    derived = [space.rule(space, table) for table in tables]
    where = (at.stage, at.epoch, at.trials)
    entropies = state.searcher.entropies()
    append_epoch(run, epoch_of(where, state.losses, state.accuracies, entropies, tables, derived))


def _advance(config: Config, dataset: Dataset, state: _State) -> None:
    """To the next epoch, or to the next stage with its shrunken, rebuilt supernet."""
    at = state.position
    if at.epoch + 1 < config.stages[at.stage].epochs:
        state.position = replace(at, epoch=at.epoch + 1, step=0)
        return
    state.position = replace(at, stage=at.stage + 1, epoch=0, step=0)
    if at.stage + 1 < len(config.stages):
        state.searcher = state.searcher.next_stage(rng(config.seed, at.stage + 1, STAGE))
        state.shared = _supernet(config, dataset, state.searcher, at.stage + 1)


def _supernet(config: Config, dataset: Dataset, searcher: Searcher, stage: int) -> SharedWeights:
    net = build_supernet(
        SPACES[config.space],
        config.channels,
        config.stages[stage].cells,
        len(dataset.classes),
        dataset.image,
        seed=int(np.random.SeedSequence([config.seed, stage]).generate_state(1)[0]),
        mask=searcher.mask(),
        stem=config.evaluation.stem,
    )
    return shared_weights.optimise(net.to(dataset.device), config.weight_step)


def _restore(run: Run, dataset: Dataset, searcher: Searcher) -> _State:
    """The state of the newest checkpoint, or the start."""
    found = load_checkpoint(run)
    if found is None:
        truncate_trials(run, 0)
        truncate_history(run, 0, 0)
        return _State(searcher, _supernet(run.config, dataset, searcher, 0), Position())
    arrays, state = found
    position = Position(**state["position"])
    truncate_trials(run, position.trials)
    truncate_history(run, position.stage, position.epoch)
    searcher = searcher.with_arrays(
        {name.removeprefix("searcher."): a for name, a in arrays.items() if name.startswith("searcher.")}
    )
    stage = min(position.stage, len(run.config.stages) - 1)
    shared = _supernet(run.config, dataset, searcher, stage)
    shared_weights.from_arrays(shared, arrays)
    setbacks = [Setback(**one) for one in state.get("setbacks", [])]
    return _State(searcher, shared, position, state.get("losses", []), state.get("accuracies", []), setbacks)


def _save(run: Run, state: _State, clock: Callable[[], float], began: float) -> float:
    """Write a checkpoint; returns the time it was done."""
    state.position = replace(state.position, seconds=clock() - began)
    arrays = shared_weights.to_arrays(state.shared)
    arrays |= {f"searcher.{name}": array for name, array in state.searcher.to_arrays().items()}
    so_far = {"losses": state.losses, "accuracies": state.accuracies}
    setbacks = [asdict(one) for one in state.setbacks]
    save_checkpoint(run, arrays, {"position": asdict(state.position), "setbacks": setbacks, **so_far})
    return clock()


def _set_dropout(net: Supernet, stage: Stage, epoch: int, seed: tuple[int, ...]) -> None:
    p = skip_dropout(stage, epoch)
    net.dropout = SkipDropout(p, generator(*seed)) if p > 0 else SkipDropout()


def _drops(dataset: Dataset, config: Config) -> bool:
    """A ragged last batch gives BatchNorm poor statistics: leave it out where a whole batch remains."""
    return batch_count(dataset, "weights", config.weight_step.batch_size, drop_last=True) > 0


def _progress(config: Config, state: _State, seconds: float, notes: tuple[str, ...]) -> Progress:
    at, stage = state.position, config.stages[state.position.stage]
    weights = [one.cells * one.epochs for one in config.stages]
    done = sum(weights[: at.stage]) + stage.cells * (at.epoch + 1)
    return Progress(
        at.stage,
        len(config.stages),
        at.epoch + 1,
        stage.epochs,
        float(np.mean(state.losses)) if state.losses else float("nan"),
        float(np.mean(state.accuracies)) if state.accuracies else None,
        tuple(state.searcher.entropies()),
        at.trials,
        seconds,
        done / sum(weights),
        notes,
    )


def rng(*words: int) -> np.random.Generator:
    """A generator that is a function of its seed words alone."""
    return np.random.default_rng(list(words))
