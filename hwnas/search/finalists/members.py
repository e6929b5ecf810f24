"""The finalists of a search as members of its summary."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

from hwnas.config import Config
from hwnas.runs.front import ParetoFront, non_dominated, to_minimise, within_target
from hwnas.runs.summary import Accuracy, Member
from hwnas.search.costs import CostModel
from hwnas.search.finalists.scored import Scored, cost_of, whole
from hwnas.space.encoding import to_genotype
from hwnas.space.space import SPACES
from hwnas.space.text import format_text

SHARED = "shared weights (validation)"
BY_LIKELIHOOD = "shared weights (validation, by likelihood)"


def member_of(
    config: Config,
    costs: tuple[CostModel, ...],
    scored: Scored,
    row: int,
    evidence: Mapping[str, float],
) -> Member:
    """One finalist, with what spoke for it."""
    genotype = to_genotype(SPACES[config.space], scored.choices[row])
    return Member(
        key=genotype.key,
        genotype=genotype.to_dict(),
        text=format_text(genotype),
        channels=config.evaluation.channels,
        cells=config.evaluation.cells,
        accuracy=_accuracy(scored, row, evidence),
        costs={cost.name: cost_of(cost, scored, row, column) for column, cost in enumerate(costs)},
    )


def _accuracy(scored: Scored, row: int, evidence: Mapping[str, float]) -> Accuracy:
    value = float(scored.accuracy[row])
    if scored.counted is None:
        return Accuracy(value=value, provenance=SHARED, **evidence)
    counted = float(scored.counted[row])
    return Accuracy(value=value, provenance=BY_LIKELIHOOD, counted=counted, **evidence)


def marked(member: Member, front: ParetoFront, targets: dict[str, float]) -> Member:
    """With the word whether it meets all targets, where there are any."""
    if not targets:
        return member
    met = {one.key for one in within_target(front, targets)}
    return member.model_copy(update={"within_target": member.key in met})


def believed_of(members: Sequence[Member], names: Sequence[str]) -> list[str]:
    """Keys of those that SynFlow and what was learnt find best at their costs, most expensive last;
    none without SynFlow.

    Shared weights draw the front, and are what SynFlow was asked to correct.
    """
    asked = [member for member in members if member.accuracy.log_synflow is not None]
    scores = [
        member.accuracy.log_synflow
        if member.accuracy.believed is None
        else member.accuracy.believed
        for member in asked
    ]
    belief = np.array(scores, dtype=np.float64)
    costs = np.array([[member.costs[name].value for name in names] for member in asked])
    best = non_dominated(to_minimise(belief, costs.reshape(len(asked), len(names))))
    return [asked[row].key for row in sorted(best, key=lambda row: (*costs[row], row))]


def columns_of(scored: Scored, names: tuple[str, ...]) -> dict[str, list[float]]:
    """{"accuracy": [...], <cost>: [...], ...}: every network that was scored, in order."""
    rows = np.isfinite(scored.costs).all(axis=1)
    costs = {
        name: [whole(value) for value in scored.costs[rows, i].tolist()]
        for i, name in enumerate(names)
    }
    return {"accuracy": scored.accuracy[rows].tolist(), **costs}
