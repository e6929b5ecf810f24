"""What the pieces of a search take, each timed by itself for a few seconds: steps, evaluations, the
start from trained weights, the end of an epoch. They leave nothing behind.

Networks of a space differ in cost, and few are drawn in a few seconds. So seconds are fitted as a
line over MACs, and read off at the mean MACs of many draws.
"""

from __future__ import annotations

import tempfile
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray

from hwnas.config import Config
from hwnas.measuring.attached import Say
from hwnas.runs import directory as runs
from hwnas.search.checkpoint import save
from hwnas.search.distributed import shared_weights
from hwnas.search.evaluate import pieces
from hwnas.search.plan import SearchPlan, searcher_of
from hwnas.search.seeds import HEAD, WEIGHTS, rng
from hwnas.search.state import Position, State, supernet
from hwnas.search.steps import path_of_batch
from hwnas.search.warm_start import checked_weights, fill
from hwnas.space.encoding import sample
from hwnas.space.space import SPACES, Choices
from hwnas.training.data import Batch, Dataset, batches, size
from hwnas.training.data import sample as sampled_batch
from hwnas.training.dataset import generator

DRAWS = 400
"""Networks whose mean MACs stand for all that are drawn."""
FIRST_IMAGES = 384
"""Images that the start from trained weights is timed on."""
LEAST_RUNS, MOST_RUNS = 4, 40
OF_TIME = 0.15
"""Share of the allowed time that each kind of step, and evaluations, may take."""
LR = 1e-6
"""Of the timed steps: they are to take time, not to lead anywhere."""

Floats = NDArray[np.float64]


@dataclass(frozen=True, kw_only=True)
class Line:
    """Seconds of something that is done with a network: ``base`` + ``slope`` x its MACs."""

    base: float
    slope: float

    def at(self, macs: float) -> float:
        """Seconds of a network, or the mean of several, with these mean MACs."""
        return self.base + self.slope * macs


@dataclass(frozen=True, kw_only=True)
class Pieces:
    """Seconds. ``steps``: of a weight step of each stage, on the mean of its paths; ``step`` the
    same over MACs. ``evaluation``: of one network, of those that are drawn at random. ``start``,
    ``end``: of a search from trained weights, and of every epoch."""

    steps: tuple[float, ...]
    step: Line
    evaluation: Line
    evaluated_macs: float
    start: float
    end: float


@dataclass(frozen=True, kw_only=True)
class _Timed:
    """One run of something: MACs of its network, seconds by the clock and of CPU time."""

    macs: float
    wall: float
    cpu: float


def timed_pieces(
    planned: SearchPlan, dataset: Dataset, limit_s: float, say: Say = lambda line: None
) -> tuple[Pieces, Pieces]:
    """By the clock and by CPU time. ``limit_s``: seconds of CPU time that this may take, about;
    ``say`` hears what is timed."""
    config = planned.config
    searcher = searcher_of(planned)
    state = State(searcher=searcher, shared=supernet(config, dataset, searcher, 0))
    start = _Timed(macs=0.0, wall=0.0, cpu=0.0)
    if config.weights_from is not None:
        say("timing the start from trained weights")
        start = _start(config, state, dataset)
    found: dict[tuple[int, str], list[_Timed]] = {}
    at: dict[int, tuple[tuple[int, str], float]] = {}
    for number, stage in enumerate(config.stages):
        if stage.train == "nothing":
            continue
        kind = (stage.cells, stage.train)
        if kind not in found:
            say(f"timing steps of stage {number + 1} of {len(config.stages)}")
            if number and stage.cells != config.stages[number - 1].cells:
                state.shared = supernet(config, dataset, searcher, number)
            state.position = Position(stage=number)
            found[kind] = list(_steps(planned, dataset, state, OF_TIME * limit_s))
        state.position = Position(stage=number)
        paths = [path_of_batch(config, state, draw) for draw in range(DRAWS)]
        at[number] = (kind, float(_macs(planned, np.stack(paths)).mean()))
    say("timing evaluations")
    evaluated = list(_evaluations(planned, dataset, state, OF_TIME * limit_s))
    space = SPACES[config.space]
    random = np.stack([sample(space, rng(config.seed, draw)) for draw in range(DRAWS)])
    random_macs = float(_macs(planned, random).mean())
    end = _end(config, state)

    def of(clock: str) -> Pieces:
        lines = {kind: _line(timed, clock) for kind, timed in found.items()}
        steps = [
            lines[at[number][0]].at(at[number][1]) if number in at else 0.0
            for number in range(len(config.stages))
        ]
        every = [one for timed in found.values() for one in timed]
        return Pieces(
            steps=tuple(steps),
            step=_line(every, clock),
            evaluation=_line(evaluated, clock),
            evaluated_macs=random_macs,
            start=getattr(start, clock),
            end=getattr(end, clock),
        )

    return of("wall"), of("cpu")


def _macs(planned: SearchPlan, choices: Choices) -> Floats:
    cost = next(cost for cost in planned.costs if cost.name == "macs")
    return np.asarray(cost.of(choices), dtype=np.float64)


def _clocked(macs: float, action: Callable[[], object]) -> _Timed:
    wall, cpu = time.monotonic(), time.process_time()
    action()
    if torch.cuda.is_available():
        torch.cuda.synchronize()
    return _Timed(macs=macs, wall=time.monotonic() - wall, cpu=time.process_time() - cpu)


def _start(config: Config, state: State, dataset: Dataset) -> _Timed:
    """The classifier is fitted to all training images; features take most of its time."""
    members = dataset.split["weights"]
    chosen = torch.randperm(len(members), generator=generator(0))[:FIRST_IMAGES]
    few = replace(dataset, split={**dataset.split, "weights": members[chosen].sort().values})
    weights, words = checked_weights(config), (config.seed, HEAD)
    timed = _clocked(
        0.0, lambda: fill(state.shared.net, weights, few, words, download=config.data.download)
    )
    share = len(members) / max(1, min(FIRST_IMAGES, len(members)))
    return _Timed(macs=0.0, wall=timed.wall * share, cpu=timed.cpu * share)


def _steps(planned: SearchPlan, dataset: Dataset, state: State, limit_s: float) -> Iterator[_Timed]:
    """Weight steps, after one that warms up, with all that belongs to them."""
    config = planned.config
    batch_size = min(config.weight_step.batch_size, size(dataset, "weights"))
    began, number = time.process_time(), 0
    while _more(number, time.process_time() - began, limit_s):
        path = path_of_batch(config, state, number)
        words = (config.seed, number, WEIGHTS)

        def step(path: Choices = path, words: tuple[int, ...] = words) -> None:
            train = batches(dataset, "weights", batch_size, words, augment=dataset.augment)
            shared_weights.weight_step(state.shared, next(iter(train)), path, LR)

        timed = _clocked(float(_macs(planned, path[None])[0]), step)
        if number:
            yield timed
        number += 1


def _more(runs: int, took_s: float, limit_s: float) -> bool:
    """Whether to time another run."""
    return runs <= LEAST_RUNS or (runs <= MOST_RUNS and took_s < limit_s)


def _evaluations(
    planned: SearchPlan, dataset: Dataset, state: State, limit_s: float
) -> Iterator[_Timed]:
    """Evaluations of random networks, after one that warms up."""
    config, space = planned.config, SPACES[planned.config.space]
    batch = sampled_batch(dataset, "policy", config.alpha_step.images, (config.seed, 0))
    by_likelihood = config.alpha_step.score == "likelihood"
    parts: list[Batch] = pieces(batch) if by_likelihood else [batch]
    began, number = time.process_time(), 0
    while _more(number, time.process_time() - began, limit_s):
        choices = sample(space, rng(config.seed, 1, number))

        def evaluation(choices: Choices = choices) -> None:
            if by_likelihood:
                shared_weights.likelihoods(state.shared.net, [choices], parts)
            else:
                shared_weights.accuracies(state.shared.net, [choices], parts)

        timed = _clocked(float(_macs(planned, choices[None])[0]), evaluation)
        if number:
            yield timed
        number += 1


def _end(config: Config, state: State) -> _Timed:
    """A checkpoint of the state."""
    with tempfile.TemporaryDirectory(prefix="hwnas-plan-") as folder:
        run = runs.create(Path(folder) / "run", config, [], "")
        return _clocked(0.0, lambda: save(run, state, time.monotonic, time.monotonic()))


def _line(timed: list[_Timed], clock: str) -> Line:
    """The line through seconds over MACs; proportional where the MACs hardly differ or the line
    falls. Medians of the rates, since another process may take one run's time."""
    macs = np.array([one.macs for one in timed])
    seconds = np.array([getattr(one, clock) for one in timed])
    if len(timed) > LEAST_RUNS and macs.std() > 0.1 * macs.mean():
        slope, base = np.polyfit(macs, seconds, 1)
        if slope > 0 and base > 0:
            return Line(base=float(base), slope=float(slope))
    if not macs.any():
        return Line(base=float(np.median(seconds)), slope=0.0)
    return Line(base=0.0, slope=float(np.median(seconds / macs)))
