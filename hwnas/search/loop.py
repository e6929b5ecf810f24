"""The one loop that joins the parts: train shared weights, ask, evaluate, tell, shrink.

Every draw is a function of (seed, stage, epoch, step), so that a search has no random state: it
resumes exactly from its position, and the same seed gives the same trials and front on a CPU.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from functools import partial
from typing import NoReturn

from hwnas.errors import Stopped, is_memory, quoted
from hwnas.nets.supernet import Supernet
from hwnas.runs.directory import Run
from hwnas.runs.history import append_epoch, epoch_of, read_history
from hwnas.runs.trials import Trial, read_trials
from hwnas.search.algorithms.algorithm import algorithm_of
from hwnas.search.algorithms.searcher import PolicyRows, Searcher, diagnostics_of, policies_of
from hwnas.search.candidates import narrow, narrowing
from hwnas.search.checkpoint import restore, roll_back, save
from hwnas.search.costs import CostModel
from hwnas.search.diagnostic import Diagnostic
from hwnas.search.distributed import shared_weights
from hwnas.search.distributed.ranks import ALONE, Ranks
from hwnas.search.evaluate import check_choices, evaluate
from hwnas.search.health import diagnose
from hwnas.search.progress import Watcher, progress_of
from hwnas.search.schedule import drops_last, evaluating_every, steps_of
from hwnas.search.seeds import WEIGHTS
from hwnas.search.state import (
    Candidates,
    SearchDiverged,
    State,
    advance,
    check_losses,
    digest,
    finite,
)
from hwnas.search.steps import Drawn, own_step, sampling_step, set_dropout
from hwnas.search.stopping import stopping
from hwnas.space.space import SPACES
from hwnas.training.data import Dataset, batches

READ = 16
"""Steps after which the losses are read from a GPU, which has to be waited for: a divergence is
noticed so late.
"""


@dataclass(frozen=True, kw_only=True)
class Searched:
    """A search that has run its stages: what was learnt, the last supernet, and the last stage's
    trials.
    """

    searcher: Searcher
    net: Supernet
    trials: tuple[Trial, ...]
    evaluations: int
    seconds: float
    diagnostics: tuple[Diagnostic, ...] = ()
    ranks: Ranks = ALONE
    candidates: Candidates | None = None


def run_stages(
    run: Run,
    dataset: Dataset,
    costs: tuple[CostModel, ...],
    searcher: Searcher,
    watch: Watcher,
    clock: Callable[[], float] = time.monotonic,
    ranks: Ranks = ALONE,
) -> Searched:
    """Run, or go on with, all stages of the search in ``run``. Ctrl-C saves the state between two
    steps.

    All ``ranks`` call this together; the leading one alone writes, and tells ``watch``. Raises
    Stopped where the weights diverge again and again, or the run directory can't be written.
    """
    config = run.config
    fresh = searcher
    state = restore(run, dataset, fresh, ranks)
    began = clock() - state.position.seconds
    saved = clock()
    with stopping() as stop_requested:
        while state.position.stage < len(config.stages):
            try:
                for _ in epoch_steps(run, dataset, costs, state):
                    late = clock() - saved > 60 * config.checkpoint_minutes
                    stop, due = ranks.any_rank(stop_requested(), ranks.is_main and late)
                    if stop or due:
                        check_losses(state)
                    if (stop or due) and finite(state):
                        saved = save(run, state, clock, began)
                        if stop:
                            _stop(ranks)
                if not finite(state):
                    raise SearchDiverged
            except SearchDiverged:
                state = roll_back(run, dataset, fresh, state)
                saved = save(run, state, clock, began)
                continue
            except (RuntimeError, MemoryError) as error:
                if isinstance(error, Stopped) or not is_memory(error):
                    raise
                raise Stopped(
                    "the memory is too small for a step; what was finished is kept: close other"
                    f" programs and go on with: hwnas resume {quoted(run.path)}, or begin anew with"
                    " smaller alpha_step.images or weight_step.batch_size"
                ) from None
            ranks.check_equal(partial(digest, state))
            if ranks.is_main:
                policies = policies_of(state.searcher, SPACES[config.space])
                _write_history(run, state, policies)
                notes = _notes_at_end(run, dataset, state)
                watch(progress_of(config, state, policies.entropies, clock() - began, notes))
            advance(config, dataset, state)
            saved = save(run, state, clock, began)
            if ranks.any_rank(stop_requested())[0]:
                _stop(ranks)
    last = len(config.stages) - 1
    trials, diagnostics = ranks.broadcast(
        lambda: (tuple(read_trials(run)), _diagnostics(run, dataset, state))
    )
    trials = tuple(trial for trial in trials if trial.stage == last)
    check_choices(run, trials)
    return Searched(
        searcher=state.searcher,
        net=state.shared.net,
        trials=trials,
        evaluations=state.position.trials,
        seconds=clock() - began,
        diagnostics=diagnostics,
        ranks=ranks,
        candidates=state.candidates,
    )


def epoch_steps(
    run: Run, dataset: Dataset, costs: tuple[CostModel, ...], state: State
) -> Iterator[None]:
    """One epoch from the present step on; yields after every step, position already moved past
    it."""
    config, at, ranks = run.config, state.position, state.shared.ranks
    stage, seed = config.stages[at.stage], (config.seed, at.stage, at.epoch)
    if at.step == 0:
        state.losses, state.accuracies, state.unread = [], [], []
    steps = steps_of(dataset, config, stage)
    train = batches(
        dataset,
        "weights",
        config.weight_step.batch_size,
        (*seed, WEIGHTS),
        augment=dataset.augment,
        start=at.step + ranks.rank,
        stride=ranks.size,
        drop_last=drops_last(dataset, config),
    )
    training = algorithm_of(config).training
    learns, every = stage.learns(at.epoch), evaluating_every(config, stage, steps)
    if at.step == 0 and at.epoch in narrowing(stage):
        narrow(run, dataset, costs, state)
    drawn: Drawn = {}
    trains = stage.train != "nothing"
    for first in range(at.step, steps, ranks.size if trains else 1):
        # A weight step takes the batches first..last-1, one per rank; at an epoch's end some ranks
        # have none.
        number, last = first + ranks.rank, min(first + ranks.size, steps)
        if not trains:
            evaluate(run, dataset, costs, state, first)
            state.position = replace(state.position, step=first + 1)
            yield
            continue
        batch = next(train) if number < last else None
        set_dropout(state.shared.net, stage, at.epoch, (*seed, number), dataset.device)
        done = stage.done(at.epoch + first / steps)
        lr = at.lr_scale * shared_weights.cosine(config.weight_step, done)
        numbers = range(first, last)
        if training is None:
            drawn = sampling_step(
                config,
                costs,
                state=state,
                batch=batch,
                lr=lr,
                numbers=numbers,
                steps=steps,
                drawn=drawn,
            )
            evaluations = [step for step in numbers if learns and (step + 1) % every == 0]
        else:
            own_step(
                config,
                training,
                dataset=dataset,
                state=state,
                batch=batch,
                lr=lr,
                numbers=numbers,
                steps=steps,
            )
            evaluations = [last - 1] if last == steps else []
        if dataset.device.type == "cpu" or len(state.unread) >= READ or last == steps:
            check_losses(state)
        for step in evaluations:
            evaluate(run, dataset, costs, state, step)
        state.position = replace(state.position, step=last)
        yield


def _stop(ranks: Ranks) -> NoReturn:
    """End, when the leading rank has written what it had to."""
    ranks.any_rank()
    raise KeyboardInterrupt


def _write_history(run: Run, state: State, policies: PolicyRows) -> None:
    """One line about the epoch that has just ended."""
    at = state.position
    epoch = epoch_of(
        (at.stage, at.epoch, at.trials),
        state.losses,
        accuracies=state.accuracies,
        entropies=policies.entropies,
        tables=policies.probabilities,
        derived=policies.derived,
    )
    append_epoch(run, epoch)


def _notes_at_end(run: Run, dataset: Dataset, state: State) -> tuple[str, ...]:
    """What is to be said of a stage at its end."""
    at = state.position
    if at.epoch + 1 < run.config.stages[at.stage].epochs:
        return ()
    diagnostics = _diagnostics(run, dataset, state)
    return tuple(str(diagnostic) for diagnostic in diagnostics if diagnostic.stage == at.stage)


def _diagnostics(run: Run, dataset: Dataset, state: State) -> tuple[Diagnostic, ...]:
    """What is to be said about the search so far."""
    history, trials = read_history(run), read_trials(run)
    diagnostics = diagnose(run.config, dataset.task, history, trials, state.rollbacks)
    return (*diagnostics, *diagnostics_of(state.searcher))
