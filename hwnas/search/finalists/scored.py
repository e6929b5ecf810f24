"""Networks at the end of a search: what they score, what they were predicted to cost, and what
was measured."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from hwnas.measuring.attached import AttachedTarget, Say
from hwnas.measuring.heartbeat import heartbeat
from hwnas.runs.front import Point
from hwnas.runs.summary import Cost, MeasuredValue, MeasurementFailure, MeasurementNotes, Prediction
from hwnas.search.costs import CostModel
from hwnas.space.encoding import to_genotype
from hwnas.space.space import Choices, Space
from hwnas.space.task import Task
from profilers.measurement import Failure, Measurement, Outcome

Floats = NDArray[np.float64]


@dataclass(frozen=True, kw_only=True)
class Scored:
    """Networks that obey the derivation rule: choices (N, edges), accuracy (N,) in 0..1, costs (N,
    all costs).

    ``predicted``: the costs by count, table or estimate; ``costs`` are those that were measured,
    where they were (NaN where that failed), between ``low`` and ``high``; ``outcomes`` the
    measurements themselves, by cost.
    """

    choices: Choices
    accuracy: Floats
    predicted: Floats
    costs: Floats
    low: Floats
    high: Floats
    outcomes: Mapping[str, Sequence[Outcome | None]]
    counted: Floats | None = None
    """The share of images that were right, (N,), where ``accuracy`` is estimated by likelihood."""


def measured(
    scored: Scored, names: Sequence[str], attached_target: AttachedTarget, say: Say
) -> Scored:
    """The same networks with latencies as they were measured; as predicted where not one could
    be measured."""
    if "latency" not in names:
        return scored
    count = len(scored.choices)
    say(
        f"measuring {count} networks end to end on {attached_target.device.name} (finalists, and"
        " uniform ones to compare)"
    )
    with heartbeat(say, f"measuring {count} networks", start=time.monotonic()):
        outcomes = attached_target.latencies(scored.choices)
    good = [outcome for outcome in outcomes if isinstance(outcome, Measurement)]
    if len(good) < count:
        first = next(outcome for outcome in outcomes if isinstance(outcome, Failure))
        say(f"{count - len(good)} of them could not be measured: {first.reason}: {first.detail}")
    found = {**scored.outcomes, "latency": tuple(outcomes)}
    if not good:
        return replace(scored, outcomes=found)
    column = list(names).index("latency")
    ends = np.array([_ends(outcome) for outcome in outcomes])
    parts = (scored.costs.copy(), scored.low.copy(), scored.high.copy())
    for part, values in zip(parts, ends.T, strict=True):
        part[:, column] = values
    return replace(scored, costs=parts[0], low=parts[1], high=parts[2], outcomes=found)


def _ends(outcome: Outcome) -> tuple[float, float, float]:
    if isinstance(outcome, Measurement):
        return outcome.value, outcome.low, outcome.high
    return (float("nan"),) * 3


def with_memory(
    scored: Scored, attached_target: AttachedTarget, rows: Sequence[int], say: Say
) -> Scored:
    """Beside the memory that networks ask for, what a process takes for those at ``rows``."""
    say(
        f"measuring the memory of {len(rows)} networks on {attached_target.device.name}, a process"
        " each"
    )
    with heartbeat(say, f"measuring the memory of {len(rows)} networks", start=time.monotonic()):
        outcomes = attached_target.memories(scored.choices[list(rows)])
    found: list[Outcome | None] = [None] * len(scored.choices)
    for row, outcome in zip(rows, outcomes, strict=True):
        found[row] = outcome
    return replace(scored, outcomes={**scored.outcomes, "memory": tuple(found)})


def part(scored: Scored, rows: slice) -> Scored:
    """Some of the networks."""
    return Scored(
        choices=scored.choices[rows],
        accuracy=scored.accuracy[rows],
        predicted=scored.predicted[rows],
        costs=scored.costs[rows],
        low=scored.low[rows],
        high=scored.high[rows],
        outcomes={name: found[rows] for name, found in scored.outcomes.items()},
        counted=None if scored.counted is None else scored.counted[rows],
    )


def point(
    key: str, scored: Scored, row: int, objectives: int, accuracy_error: float = 0.0
) -> Point:
    """One network as a point of the front, its first costs with their intervals."""
    values, low, high = (
        part[row, :objectives].tolist() for part in (scored.costs, scored.low, scored.high)
    )
    return Point(
        key=key,
        accuracy=float(scored.accuracy[row]),
        costs=tuple(values),
        intervals=tuple(zip(low, high, strict=True)),
        accuracy_error=accuracy_error,
    )


def undecided(scored: Scored, task: Task, images: int) -> float:
    """The error of an accuracy on so many images, in 0..1, within which training is to decide: half
    a standard error, so that networks differ by a whole one.

    Inherited accuracies rise less with the cost than trained ones do: by inherited ones alone, the
    best of the larger networks are often dominated (docs/log.md, 2026-11-29).
    """
    low, high = task.kind.interval(float(scored.accuracy.mean()), images)
    return (high - low) / 8  # of the 95 % interval, four standard errors wide


def bounds_of(scored: Scored, column: int, reach: tuple[float, float]) -> tuple[float, float]:
    """What the space reaches, and what was measured beyond that: predictions are off by some
    percent."""
    values = scored.costs[:, column]
    return min(reach[0], float(np.nanmin(values))), max(reach[1], float(np.nanmax(values)))


def notes_of(outcomes: Sequence[Outcome | None]) -> MeasurementNotes:
    """How many networks were measured, what failed, and the metadata of the first: the others'
    differ in their time."""
    good = [outcome for outcome in outcomes if isinstance(outcome, Measurement)]
    failures = [outcome for outcome in outcomes if isinstance(outcome, Failure)]
    return MeasurementNotes(
        networks=len(good),
        failed=len(failures),
        reasons=sorted({f"{failure.reason}: {failure.detail}" for failure in failures}),
        noisy=sum(outcome.receipt.noisy for outcome in good),
        metadata=good[0].receipt.to_dict() if good else None,
    )


def records(space: Space, scored: Scored, name: str) -> tuple[tuple[str, Outcome], ...]:
    """Every measurement of one cost, with its network's key."""
    keys = [to_genotype(space, one).key for one in scored.choices]
    found = zip(keys, scored.outcomes.get(name, ()), strict=False)
    return tuple((key, outcome) for key, outcome in found if outcome is not None)


def cost_of(cost: CostModel, scored: Scored, row: int, column: int) -> Cost:
    """A cost with its provenance: as predicted, or as measured with its interval and the
    prediction beside it."""
    value = whole(float(scored.predicted[row, column]))
    predicted = Cost(value=value, unit=cost.unit, provenance=cost.provenance)
    outcome = scored.outcomes[cost.name][row] if cost.name in scored.outcomes else None
    if outcome is None:
        return predicted
    if isinstance(outcome, Failure):
        failure = MeasurementFailure(reason=outcome.reason, detail=outcome.detail)
        return predicted.model_copy(update={"failure": failure})
    if cost.name == "memory":
        process = MeasuredValue(
            value=outcome.value, low=outcome.low, high=outcome.high, provenance=outcome.origin
        )
        return predicted.model_copy(update={"process": process})
    return Cost(
        value=outcome.value,
        unit=cost.unit,
        provenance=outcome.origin,
        low=outcome.low,
        high=outcome.high,
        noisy=outcome.receipt.noisy,
        predicted=Prediction(value=value, provenance=cost.provenance),
    )


def whole(value: float) -> float | int:
    """A count is written as a whole number."""
    return int(value) if value.is_integer() else value
