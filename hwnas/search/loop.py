"""The one loop that joins the parts: train shared weights, ask, evaluate, tell, shrink, and score the finalists.

Every draw is a function of (seed, stage, epoch, step), so that a search has no random state: it resumes exactly
from its position, and the same seed gives the same trials and front on a CPU.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from functools import partial
from typing import NoReturn

import numpy as np
import torch
from numpy.typing import NDArray

from hwnas.config import Config, Stage
from hwnas.errors import Stopped
from hwnas.nets.supernet import SkipDropout, Supernet
from hwnas.runs.directory import Run
from hwnas.runs.history import append_epoch, epoch_of, read_history
from hwnas.runs.trials import Trial, append_trials, read_trials
from hwnas.search.algorithms.progressive import skip_dropout
from hwnas.search.algorithms.searcher import Searcher
from hwnas.search.bilevel import ndarts
from hwnas.search.bilevel.ndarts import NDarts
from hwnas.search.costs import Cost
from hwnas.search.distributed import grouping as matching
from hwnas.search.distributed import shared_weights
from hwnas.search.distributed.ranks import ALONE, Ranks
from hwnas.search.health import Note, diagnose
from hwnas.search.state import (
    State,
    digest,
    finite,
    read_losses,
    restore,
    save,
    set_back,
    supernet,
)
from hwnas.search.stopping import stopping
from hwnas.space.encoding import sample as uniform
from hwnas.space.encoding import to_genotype
from hwnas.space.space import SPACES, Choices, Probabilities
from hwnas.training.data import Batch, Dataset, batch_count, batches, sample
from hwnas.training.dataset import generator
from profilers.errors import InputError

# What a draw is for: the last word of its seed, so that no two purposes share a stream.
WEIGHTS, ALPHA, PATHS, ASK, DROPOUT, STAGE, FINAL, NOISE = range(8)
READ = 16
"""Steps after which the losses are read from a GPU, which has to be waited for: a divergence is noticed so late."""


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
    ranks: Ranks = ALONE


def run_stages(
    run: Run,
    dataset: Dataset,
    costs: tuple[Cost, ...],
    searcher: Searcher,
    watch: Watcher,
    clock: Callable[[], float] = time.monotonic,
    ranks: Ranks = ALONE,
) -> Searched:
    """Run, or go on with, all stages of the search in ``run``. Ctrl-C saves the state between two steps.

    All ``ranks`` call this together; the leading one alone writes, and tells ``watch``. Raises Stopped where the
    weights diverge again and again, or the run directory can't be written.
    """
    config = run.config
    fresh = searcher
    state = restore(run, dataset, fresh, ranks)
    began = clock() - state.position.seconds
    saved = clock()
    with stopping() as asked:
        while state.position.stage < len(config.stages):
            try:
                for _ in _epoch(run, dataset, costs, state):
                    late = clock() - saved > 60 * config.checkpoint_minutes
                    stop, due = ranks.agree(asked(), ranks.leads and late)
                    if stop or due:
                        _read_losses(state)
                    if (stop or due) and finite(state):
                        saved = save(run, state, clock, began)
                        if stop:
                            _stop(ranks)
                if not finite(state):
                    raise _Diverged
            except _Diverged:
                state = set_back(run, dataset, fresh, state)
                saved = save(run, state, clock, began)
                continue
            except (RuntimeError, MemoryError) as error:
                if isinstance(error, Stopped) or not shared_weights.out_of_memory(error):
                    raise
                raise Stopped(
                    "the memory is too small for a step; what was finished is kept: close other programs and go on"
                    f" with: hwnas resume {run.path}, or begin anew with smaller alpha_step.images or"
                    " weight_step.batch_size"
                ) from None
            ranks.check_equal(partial(digest, state))
            if ranks.leads:
                _remember(run, state)
                watch(_progress(config, state, clock() - began, _said(run, dataset, state)))
            _advance(config, dataset, state)
            saved = save(run, state, clock, began)
            if ranks.agree(asked())[0]:
                _stop(ranks)
    last = len(config.stages) - 1
    trials, notes = ranks.share(lambda: (tuple(read_trials(run)), _notes(run, dataset, state)))
    trials = tuple(trial for trial in trials if trial.stage == last)
    _check_choices(run, trials)
    return Searched(
        state.searcher, state.shared.net, trials, state.position.trials, clock() - began, notes, ranks
    )


def _check_choices(run: Run, trials: Sequence[Trial]) -> None:
    """Raise InputError for a trial of operations that the space does not have: the run may be a stranger's."""
    operations = SPACES[run.config.space].mask.sum(axis=1).tolist()
    for trial in trials:
        known = len(trial.choices) == len(operations)
        if not known or not all(op < most for op, most in zip(trial.choices, operations, strict=True)):
            raise InputError(
                f"{run.trials_path}: trial {trial.number} is no network of the {run.config.space} space"
            )


def _stop(ranks: Ranks) -> NoReturn:
    """End, when the leading rank has written what it had to."""
    ranks.agree()
    raise KeyboardInterrupt


def _said(run: Run, dataset: Dataset, state: State) -> tuple[str, ...]:
    """What is to be said of a stage at its end."""
    at = state.position
    if at.epoch + 1 < run.config.stages[at.stage].epochs:
        return ()
    return tuple(str(note) for note in _notes(run, dataset, state) if note.stage == at.stage)


def _notes(run: Run, dataset: Dataset, state: State) -> tuple[Note, ...]:
    """What is to be said about the search so far."""
    alarm = isinstance(state.searcher, NDarts) and state.searcher.healthy() < len(state.searcher.trace)
    return tuple(
        diagnose(run.config, len(dataset.classes), read_history(run), read_trials(run), state.setbacks, alarm)
    )


def _epoch(run: Run, dataset: Dataset, costs: tuple[Cost, ...], state: State) -> Iterator[None]:
    """One epoch from the present step on; yields after every step, position already moved past it."""
    config, at, ranks = run.config, state.position, state.shared.ranks
    stage, seed = config.stages[at.stage], (config.seed, at.stage, at.epoch)
    if at.step == 0:
        state.losses, state.accuracies, state.unread = [], [], []
    steps = steps_per_epoch(dataset, config)
    train = batches(
        dataset,
        "weights",
        config.weight_step.batch_size,
        (*seed, WEIGHTS),
        augment=dataset.augment,
        start=at.step + ranks.rank,
        stride=ranks.size,
        drop_last=_drops(dataset, config),
    )
    learns, every = at.epoch >= stage.frozen_epochs, learning_every(config, steps)
    drawn: dict[int, Choices] = {}  # the paths of the next weight steps, by batch
    for first in range(at.step, steps, ranks.size):
        # A weight step takes the batches first..last-1, one per rank; at an epoch's end some ranks have none.
        own, last = first + ranks.rank, min(first + ranks.size, steps)
        batch = next(train) if own < last else None
        _set_dropout(state.shared.net, stage, at.epoch, (*seed, own, DROPOUT), dataset.device)
        lr = at.rate * shared_weights.cosine(config.weight_step, (at.epoch + first / steps) / stage.epochs)
        if isinstance(state.searcher, NDarts):
            _bilevel_step(state, state.searcher, dataset, batch, lr, range(first, last))
            evaluations = [last - 1] if last == steps else []
        else:
            if config.weights == "sampled" and first not in drawn:
                mine = partial(_path, state.searcher, config, seed)
                when = every if learns else None
                drawn = matching.paths(mine, partial(_macs, costs), first, steps, when, ranks.size)
            path = state.searcher.mixture() if config.weights == "mixture" else drawn[min(own, last - 1)]
            state.unread.append((first, _weight_step(state, batch, path, lr * (last - first))))
            evaluations = [step for step in range(first, last) if learns and (step + 1) % every == 0]
        if dataset.device.type == "cpu" or len(state.unread) >= READ or last == steps:
            _read_losses(state)
        for step in evaluations:
            _evaluate(run, dataset, costs, state, step)
        state.position = replace(state.position, step=last)
        yield


def _read_losses(state: State) -> None:
    """Raise _Diverged, with the position at the step that has, where a loss is not what it should be."""
    step = read_losses(state)
    if step is not None:
        state.position = replace(state.position, step=step)
        raise _Diverged


def _macs(costs: tuple[Cost, ...], choices: Choices) -> NDArray[np.float64]:
    """What stands for the time that choices (M, edges) take, (M,)."""
    return np.asarray(next(cost for cost in costs if cost.name == "macs").of(choices), dtype=np.float64)


def _path(searcher: Searcher, config: Config, seed: tuple[int, ...], batch: int) -> Choices:
    """The path (edges,) that is drawn for a batch; ``seed``: that of the epoch."""
    generator = rng(*seed, batch, PATHS)
    if config.weight_step.paths == "uniform":
        return uniform(SPACES[config.space], generator, searcher.mask())
    path: Choices = searcher.paths(1, generator)[0]
    return path


def _weight_step(
    state: State, batch: Batch | None, path: Choices | Probabilities, lr: float
) -> float | torch.Tensor:
    """A weight step, in twice as many pieces from now on where the device's memory is too small. Raises Stopped."""
    while True:
        try:
            return shared_weights.weight_step(state.shared, batch, path, lr, state.position.parts)
        except (RuntimeError, MemoryError) as error:
            if not shared_weights.out_of_memory(error):
                raise
            parts = 2 * state.position.parts
            if batch is not None and parts > len(batch.y) // 2:  # BatchNorm needs more than one image
                raise Stopped(
                    f"the device's memory is too small for {len(batch.y) // state.position.parts} images at once;"
                    " take fewer channels or cells (channels, stages in a --config file)"
                ) from None
            state.position = replace(state.position, parts=parts)
        # Outside of the handler, whose traceback would keep the maps of the failed step alive.
        state.shared.optimizer.zero_grad(set_to_none=True)
        torch.cuda.empty_cache()


def _bilevel_step(
    state: State, searcher: NDarts, dataset: Dataset, batch: Batch | None, lr: float, at_once: range
) -> None:
    """A weight step of the mixture, every few of them an alpha step, and at the end of an epoch the watch.

    ``at_once``: the numbers of the batches that the ranks take, one each.
    """
    config, at, ranks = searcher.config, state.position, state.shared.ranks
    seed, steps = (config.seed, at.stage, at.epoch), steps_per_epoch(dataset, config)

    def valid(step: int) -> Batch:
        # As the training images are: on others alpha runs away (decision 019).
        words = (*seed, step, ALPHA)
        return sample(dataset, "policy", config.weight_step.batch_size, words, augment=dataset.augment)

    noise = generator(*seed, at_once.start, NOISE, device=dataset.device)
    loss = ndarts.weight_step(searcher, state.shared, batch, lr * len(at_once), noise)
    state.unread.append((at_once.start, loss))
    frozen = at.epoch < config.stages[at.stage].frozen_epochs
    at_all = -(-steps // ranks.size)  # steps of all ranks together
    if not frozen and (at_once.start // ranks.size + 1) % learning_every(config, at_all) == 0:
        own = valid(at_once.start + ranks.rank)
        searcher = ndarts.alpha_step(searcher, state.shared, batch, own, lr)
    if at_once.stop == steps:
        searcher = ndarts.watch(searcher, state.shared.net, valid(steps - 1))
    state.searcher = searcher


def steps_per_epoch(dataset: Dataset, config: Config) -> int:
    """Weight steps per epoch; NDARTS may train each epoch on a random part of the images."""
    size = config.weight_step.batch_size
    steps = batch_count(dataset, "weights", size, drop_last=_drops(dataset, config))
    part = config.ndarts.samples_per_epoch if config.algorithm == "ndarts" else None
    return steps if part is None else max(1, min(steps, part // size))


def learning_every(config: Config, steps: int) -> int:
    """Weight steps from one look at validation images to the next, in an epoch of so many ``steps``.

    As the config says, but at least one look an epoch: with few images nothing else would be learnt at all.
    """
    every = config.ndarts.weight_steps if config.algorithm == "ndarts" else config.alpha_step.every
    return min(every, max(1, steps))


def _evaluate(run: Run, dataset: Dataset, costs: tuple[Cost, ...], state: State, step: int) -> None:
    """Ask, evaluate on one shared validation batch, write the trials down, tell."""
    config, at, ranks = run.config, state.position, state.shared.ranks
    seed = (config.seed, at.stage, at.epoch, step)
    asked = state.searcher.ask(config.alpha_step.samples, rng(*seed, ASK))
    augment = dataset.augment if config.alpha_step.augment else None
    batch = sample(dataset, "policy", config.alpha_step.images, (*seed, ALPHA), augment=augment)
    net = state.shared.net
    net.dropout = SkipDropout()
    values = np.stack([cost.of(asked) for cost in costs], axis=1)
    macs = values[:, [cost.name for cost in costs].index("macs")]
    order = np.argsort(macs, kind="stable")  # neighbours in cost go to different ranks
    own = shared_weights.accuracies(net, asked[order[ranks.own(len(asked))]], [batch])
    accuracy = np.zeros(len(asked))
    accuracy[order] = ranks.gathered(len(asked), own)
    space = SPACES[config.space]
    made = [
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
    ]
    if ranks.leads:
        append_trials(run, made)
    state.searcher = state.searcher.tell(asked, accuracy, values[:, : len(config.objectives)])
    state.accuracies.append(float(accuracy.mean()))
    state.position = replace(state.position, trials=at.trials + len(asked))


def _remember(run: Run, state: State) -> None:
    """One line about the epoch that has just ended."""
    at, tables, derived = state.position, state.searcher.tables(), state.searcher.derived()
    where = (at.stage, at.epoch, at.trials)
    entropies = state.searcher.entropies()
    append_epoch(run, epoch_of(where, state.losses, state.accuracies, entropies, tables, derived))


def _advance(config: Config, dataset: Dataset, state: State) -> None:
    """To the next epoch, or to the next stage with its shrunken, rebuilt supernet."""
    at = state.position
    if at.epoch + 1 < config.stages[at.stage].epochs:
        state.position = replace(at, epoch=at.epoch + 1, step=0)
        return
    state.position = replace(at, stage=at.stage + 1, epoch=0, step=0)
    if at.stage + 1 < len(config.stages):
        state.searcher = state.searcher.next_stage(rng(config.seed, at.stage + 1, STAGE))
        state.shared = supernet(config, dataset, state.searcher, at.stage + 1, state.shared.ranks)


def _set_dropout(
    net: Supernet, stage: Stage, epoch: int, seed: tuple[int, ...], device: torch.device
) -> None:
    p = skip_dropout(stage, epoch)
    net.dropout = SkipDropout(p, generator(*seed, device=device)) if p > 0 else SkipDropout()


def _drops(dataset: Dataset, config: Config) -> bool:
    """A ragged last batch gives BatchNorm poor statistics: leave it out where a whole batch remains."""
    return batch_count(dataset, "weights", config.weight_step.batch_size, drop_last=True) > 0


def _progress(config: Config, state: State, seconds: float, notes: tuple[str, ...]) -> Progress:
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
