"""What candidates cost: one value per metric, its provenance said, evaluated for thousands of
samples at once."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from hwnas.config import Config
from hwnas.costs.amounts import parse_quantity
from hwnas.costs.metrics import METRICS, Asked, CostMetric, predicted
from hwnas.costs.short import short_amount
from hwnas.costs.table_runtime import runtime_words
from hwnas.search.algorithms.reward import Objective
from hwnas.space.encoding import project, sample
from hwnas.space.size import Task
from hwnas.space.space import Choices, Space, by_rule
from profilers.device import Device
from profilers.errors import InputError

Floats = NDArray[np.float64]


@dataclass(frozen=True, kw_only=True)
class CostModel:
    """One cost of the discrete evaluation network: ``of`` maps choices (n, edges) to values (n,) in
    ``unit``.

    ``table``: the file that a latency comes from, where it comes from one.
    """

    name: str
    unit: str
    provenance: str
    source: str
    of: Callable[[Choices], Floats]
    table: Path | None = None


@dataclass(frozen=True, kw_only=True)
class CostRange:
    """What 1,000 uniform samples cost, drawn and as the networks that the derivation rule leaves of
    them.

    ``bounds``: smallest and largest cost of what can be handed back. ``ratio``: median cost of a
    sample, all drawn edges kept, over that of a derived network: a target is given for the derived
    network, so a policy aims for ``ratio`` times it.
    """

    cost: CostModel
    sampled_median: float
    bounds: tuple[float, float]
    ratio: float


def build_costs(
    config: Config,
    device: Device,
    classes: int,
    image: tuple[int, int, int],
    attached: bool = False,
    table: Path | None = None,
) -> tuple[CostModel, ...]:
    """The objectives in order, then parameters and MACs, which are always reported.

    Latency comes from ``table``, else from the device's own table or, without one, its roofline,
    and says which; memory from the layers. ``attached``: finalists will be measured. Raises
    InputError for a latency that can't be predicted, and for less than ``require`` wants.
    """
    asked = Asked(
        family=config.evaluation_family(Task(classes=classes, image=image)),
        device=device,
        table=table,
        runtime=runtime_words(config.backend, config.precision),
    )
    names = dict.fromkeys(
        [objective.metric for objective in config.objectives] + ["params", "macs"]
    )
    costs = tuple(_cost(METRICS[name], asked) for name in names)
    for cost in costs:
        _refuse_less(config, device, cost, attached)
    return costs


def _cost(metric: CostMetric, asked: Asked) -> CostModel:
    found = predicted(metric, asked)
    return CostModel(
        name=metric.name,
        unit=metric.unit,
        provenance=found.origin,
        source=found.source,
        of=found.of,
        table=found.table,
    )


RANKS = ("estimated", "table", "measured", "counted")
"""What a cost can come from, the least first."""


def _refuse_less(config: Config, device: Device, cost: CostModel, attached: bool) -> None:
    """Refuse a cost whose finalists' figures would be less than ``require``: known before
    anything is trained."""
    if config.require == "any" or cost.provenance == "counted":
        return
    # A table of energies is all there is: no finalist's energy is measured.
    best = "measured" if attached and cost.name != "energy" else cost.provenance
    if RANKS.index(best) < RANKS.index(config.require):
        calibrates = cost.name == "latency" and config.require == "table"
        hint = "calibrate it there (hwnas devices calibrate), " if calibrates else ""
        raise InputError(
            f"require {config.require}: {device.name} is not attached here, so its {cost.name}"
            f" would be {cost.provenance} ({cost.source}); search where it is attached, {hint}or"
            " take it with --require any"
        )


def cost_range(
    space: Space, cost: CostModel, rng: np.random.Generator, count: int = 1000
) -> CostRange:
    """Sample the space: what does this cost range over? It takes milliseconds for counted costs."""
    samples = np.stack([sample(space, rng) for _ in range(count)])
    noise = rng.random((count, *space.mask.shape))
    derived = np.stack(
        [project(space, choices, table) for choices, table in zip(samples, noise, strict=True)]
    )
    drawn, left = cost.of(samples), cost.of(derived)
    low, high = _extremes(space, cost)
    bounds = min(low, float(left.min())), max(high, float(left.max()))
    median = float(np.median(drawn))
    return CostRange(
        cost=cost, sampled_median=median, bounds=bounds, ratio=median / float(np.median(left))
    )


def _extremes(space: Space, cost: CostModel) -> tuple[float, float]:
    """Costs of the cheapest and the most expensive network that can be derived, exact for a cost
    that adds up.

    Each operation's own cost is read off networks that differ in one edge; the derivation rule then
    picks the cheapest, or the most expensive, edges.
    """
    # Where something may be absent, that is the network to differ from; elsewhere any will do.
    cheapest = space.is_none.argmax(axis=1)
    rows = [(int(row), int(column)) for row, column in np.argwhere(space.mask)]
    single = np.repeat(cheapest[None], len(rows), axis=0)
    for number, (row, column) in enumerate(rows):
        single[number, row] = column
    differences = cost.of(single) - float(cost.of(cheapest[None])[0])
    table = np.zeros(space.mask.shape)
    for (row, column), value in zip(rows, differences, strict=True):
        table[row, column] = value
    scale = max(float(table.max()), 1e-9)
    ends = [
        by_rule(space, np.where(space.mask, score, 0.0))
        for score in (2 - table / scale, 1 + table / scale)
    ]
    values = cost.of(np.stack(ends))
    return float(values.min()), float(values.max())


def objectives_of(
    config: Config, ranges: dict[str, CostRange]
) -> tuple[tuple[Objective, ...], ...]:
    """One tuple of objectives per policy, with the exponents, targets and forms of the last stage.

    Without a target: the power law around the median sample. With one: every second policy (a
    single one, too) pursues it with the absolute form, unless ``reward`` says otherwise. Where
    there are several costs the policies take turns: towards each cost alone (others at a third),
    then towards all.

    Raises InputError for a target below or above everything that the space can give.
    """
    return tuple(
        tuple(
            _objective(config, number, position, ranges[wanted.metric], wanted.target)
            for position, wanted in enumerate(config.objectives)
        )
        for number in range(len(config.exponents))
    )


def _objective(
    config: Config, number: int, position: int, costs: CostRange, target: str | None
) -> Objective:
    exponent, many = config.exponents[number], len(config.objectives)
    turn = number % (many + 1)
    slope = 1.0 if many == 1 or turn in (position, many) else 1 / 3
    form = config.reward or "power"
    aim = costs.sampled_median
    if target is not None:
        aim = costs.ratio * target_value(target, costs)
        if config.reward is None and (number % 2 == 1 or len(config.exponents) == 1):
            form = "absolute"
    if form == "absolute" and exponent == 0 and target is not None and config.reward is not None:
        exponent = (
            -0.1
        )  # the absolute form without a slope would not look at the target at all (TuNAS's value)
    return Objective(
        metric=costs.cost.name,
        unit=costs.cost.unit,
        target=aim,
        exponent=exponent * slope,
        form=form,
    )


def check_targets(config: Config) -> None:
    """Raise InputError for a target that is no amount of its metric: known before anything is
    read or measured."""
    for objective in config.objectives:
        if objective.target:
            parse_quantity(objective.target, METRICS[objective.metric].unit)


def target_value(target: str, costs: CostRange) -> float:
    """A target in the metric's unit.

    Raises InputError where no network of the space can meet it.
    """
    value = parse_quantity(target, costs.cost.unit)
    low, high = costs.bounds
    if value < low:
        least, most = (short_amount(bound, costs.cost.unit) for bound in (low, high))
        raise InputError(
            f"target-value: {costs.cost.name} {target} can't be met, this space reaches {least} to"
            f" {most}"
        )
    return value
