"""Ask for sub-networks, evaluate them on one shared validation batch, write the trials down, and
tell.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from hwnas.nets.supernet import SkipDropout
from hwnas.runs.directory import Run
from hwnas.runs.trials import Trial, append_trials
from hwnas.search.algorithms.asked import ask, tell
from hwnas.search.costs import CostModel
from hwnas.search.distributed import shared_weights
from hwnas.search.seeds import ALPHA, ASK, rng
from hwnas.search.state import State
from hwnas.space.encoding import to_genotype
from hwnas.space.space import SPACES, Choices
from hwnas.training.data import Batch, Dataset, sample
from profilers.errors import InputError

PIECE = 92
"""Images that are normalised together where candidates are compared by likelihood."""


def evaluate(
    run: Run, dataset: Dataset, costs: tuple[CostModel, ...], state: State, step: int
) -> None:
    """One round of evaluations after weight step ``step``; the leading rank writes the trials."""
    config, at, ranks = run.config, state.position, state.shared.ranks
    seed = (config.seed, at.stage, at.epoch, step)
    space, wanted = SPACES[config.space], config.alpha_step.samples
    asked = ask(config.algorithm, state.searcher, space, wanted, rng(*seed, ASK))
    augment = dataset.augment if config.alpha_step.augment else None
    batch = sample(dataset, "policy", config.alpha_step.images, (*seed, ALPHA), augment=augment)
    net = state.shared.net
    net.dropout = SkipDropout()
    values = np.stack([cost.of(asked) for cost in costs], axis=1)
    macs = values[:, [cost.name for cost in costs].index("macs")]
    order = np.argsort(macs, kind="stable")  # neighbours in cost go to different ranks
    mine = asked[order[ranks.own(len(asked))]]
    accuracy, likelihood = np.zeros((2, len(asked)))
    by_likelihood = config.alpha_step.score == "likelihood"
    if by_likelihood:
        both = shared_weights.likelihoods(net, mine, pieces(batch))
        likelihood[order] = ranks.gathered(len(asked), both[1])
    of_rank = both[0] if by_likelihood else shared_weights.accuracies(net, mine, [batch])
    accuracy[order] = ranks.gathered(len(asked), of_rank)
    if ranks.is_main:
        append_trials(
            run,
            _trials(
                run,
                state,
                step=step,
                asked=asked,
                accuracy=accuracy,
                likelihood=likelihood if by_likelihood else None,
                costs=_by_name(costs, values),
            ),
        )
    told = values[:, : len(config.objectives)]
    score = likelihood if by_likelihood else accuracy
    state.searcher = tell(config.algorithm, state.searcher, asked, score, told)
    state.accuracies.append(float(accuracy.mean()))
    state.position = replace(state.position, trials=at.trials + len(asked))


def pieces(batch: Batch) -> list[Batch]:
    """A batch in equal parts of at most ``PIECE`` images, which normalise each by themselves.

    Their maps stay in a CPU's caches: 368 photos cost 0.6 of what they cost at once.
    """
    count = max(1, -(-len(batch.y) // PIECE))
    parts = zip(batch.x.tensor_split(count), batch.y.tensor_split(count), strict=True)
    return [Batch(x, y) for x, y in parts]


def _by_name(costs: Sequence[CostModel], values: NDArray[np.float64]) -> list[dict[str, float]]:
    """The costs of each network by name, from values (M, costs)."""
    return [
        {cost.name: float(value) for cost, value in zip(costs, row, strict=True)}
        for row in values.tolist()
    ]


def _trials(
    run: Run,
    state: State,
    step: int,
    asked: Choices,
    accuracy: NDArray[np.float64],
    likelihood: NDArray[np.float64] | None,
    costs: Sequence[dict[str, float]],
) -> list[Trial]:
    at, space = state.position, SPACES[run.config.space]
    return [
        Trial(
            number=at.trials + number,
            stage=at.stage,
            epoch=at.epoch,
            step=step,
            key=to_genotype(space, choices).key,
            choices=tuple(int(op) for op in choices),
            accuracy=float(accuracy[number]),
            costs=costs[number],
            likelihood=None if likelihood is None else float(likelihood[number]),
        )
        for number, choices in enumerate(asked)
    ]


def check_choices(run: Run, trials: Sequence[Trial]) -> None:
    """Raise InputError for a trial of operations that the space does not have: the run may be a
    stranger's.
    """
    operations = SPACES[run.config.space].mask.sum(axis=1).tolist()
    for trial in trials:
        known = len(trial.choices) == len(operations)
        if not known or not all(
            op < most for op, most in zip(trial.choices, operations, strict=True)
        ):
            raise InputError(
                f"{run.trials_path}: trial {trial.number} is no network of the {run.config.space}"
                " space"
            )
