"""Build a device's latency table by measuring: every operation of a space once, then whole
networks.

A sum of measured operations ranks networks well but is off by what a runtime fuses, re-orders and
overlaps. So the sum is one column of a fit to whole networks, with counts per operation as
corrections (``profilers.fit``). Networks that took no part in the fit say how good it is, and are
measured twice: how well the repeats agree with each other is the ceiling that no prediction can
pass.

A calibration takes minutes, and what else a host does in that time changes. Two anchors, networks
like the others, are measured with every chunk; what slows them, slows the chunk, and is taken out
of it.
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import numpy.typing as npt

from hwnas.costs.counts import Additive
from hwnas.costs.features import designs, folds, with_operations
from hwnas.costs.latency import TablePredictor
from hwnas.costs.tables import size_of
from hwnas.measuring.bench import Bench, BenchOperation
from hwnas.space.encoding import derive, sample, to_choices, to_genotype
from hwnas.space.family import Family
from hwnas.space.genotype import Architecture
from hwnas.space.layers import Layer
from hwnas.space.space import Choices, Space
from profilers.agreement import kendall_tau, mape_percent
from profilers.errors import InputError
from profilers.fit import FEWEST_ROWS, fit
from profilers.measurement import Measurement, Outcome
from profilers.table import Operations, Table

Floats = npt.NDArray[np.float64]
Say = Callable[[str], None]

CHUNK = 10
"""Networks that are built and measured together; half of the first chunks are held out."""
ANCHORS = 2
DISTURBED = 4.0
FEWEST_NETWORKS = 40
"""Half to fit and half to judge by: with fewer there is no table, however slow the device."""


@dataclass(frozen=True, kw_only=True)
class CalibrationPlan:
    """What to calibrate and how long: networks to fit and to hold out, seconds for everything."""

    family: Family
    train: int = 60
    held_out: int = 40
    budget_s: float = 270.0
    seed: int = 0

    @property
    def space(self) -> Space:
        """The space of the networks."""
        return self.family.space


@dataclass(kw_only=True)
class _Measured:
    """Networks and their latencies in ms as they come in, their anchors' beside them, and the
    last one's receipt."""

    choices: list[Choices] = field(default_factory=list)
    latency_ms: list[float] = field(default_factory=list)
    anchor_ms: list[float] = field(default_factory=list)
    receipt: Mapping[str, Any] = field(default_factory=dict)

    def steadied(self, usual_ms: float) -> Floats:
        """Latencies in ms (n,) as if the anchors had taken ``usual_ms`` beside each."""
        latency, anchor = np.array(self.latency_ms), np.array(self.anchor_ms)
        return np.where(np.isfinite(anchor), latency * usual_ms / anchor, latency)


def calibrate(
    plan: CalibrationPlan,
    bench: Bench,
    device: str,
    batch: int,
    say: Say = lambda line: None,
    now: str = "",
    clock: Callable[[], float] = time.monotonic,
) -> Table:
    """Measure, fit, and judge on held-out networks.

    Raises InputError where too little could be measured.

    ``plan.train`` and ``plan.held_out`` are what is wanted; a slow host gets fewer of both, so that
    the whole ends within ``plan.budget_s``.
    """
    start = clock()
    operations, receipts = measure_operations(plan, bench)
    say(f"{len(receipts)} operations measured, {clock() - start:.0f} s")
    train, held, again = _measure_networks(plan, bench, say, clock, start)
    if len(train.choices) < FEWEST_ROWS or len(held.choices) < 2:
        raise InputError(
            f"{device}: only {len(train.choices)} networks could be measured; give more time"
        )
    usual_ms = float(np.nanmedian([*train.anchor_ms, *held.anchor_ms, *again.anchor_ms]))
    sound = _sound(plan, np.stack(train.choices), train.steadied(usual_ms), operations)
    choices, latency = np.stack(train.choices)[sound], train.steadied(usual_ms)[sound]
    table = _fit(plan, choices, latency=latency, operations=operations, device=device, batch=batch)
    judged = _judge(table, held, held.steadied(usual_ms), again.steadied(usual_ms))
    agreement = {**table.agreement, **judged}
    provenance = {
        "how": f"{len(receipts)} operations and {len(train.choices)} networks measured",
        "receipt": train.receipt,
        "time": now,
        "seconds": round(clock() - start, 1),
        "seed": plan.seed,
        "set_aside": int((~sound).sum()),
        "anchor_ms": usual_ms,
        "anchor_spread_percent": 100
        * _spread([*train.anchor_ms, *held.anchor_ms, *again.anchor_ms]),
    }
    return Table(
        **{
            **vars(table),
            "agreement": agreement,
            "provenance": provenance,
            "measured": tuple(receipts),
        }
    )


def random_networks(space: Space, count: int, rng: np.random.Generator) -> list[Choices]:
    """Random networks, half of them samples of the whole space and half obeying its derivation
    rule.

    The search asks about the first kind, finalists are of the second. Constant networks are drawn
    again.
    """
    drawn: list[Choices] = []
    while len(drawn) < count:
        choices = sample(space, rng)
        if len(drawn) % 2:
            strength = rng.dirichlet(np.ones(space.width), len(space.decisions)) * space.mask
            choices = to_choices(derive(space, strength))
        if not folds(space, choices)[0]:
            drawn.append(choices)
    return drawn


def measure_operations(
    plan: CalibrationPlan, bench: Bench
) -> tuple[Operations, list[dict[str, Any]]]:
    """Every operation at each shape and stride once: sums per edge of the space, and one record
    each."""
    space, sites = plan.space, _sites(plan)
    keys = list(sites)
    items = [
        BenchOperation(layers=layers, channels=layers[0].channels_in, size=layers[0].size)
        for _, layers in keys
    ]
    outcomes = bench.latencies(items)
    cost = {key: _value(outcome) for key, outcome in zip(keys, outcomes, strict=True)}
    edges = np.zeros((len(space.decisions), space.width))
    for key, places in sites.items():
        for place in places:
            edges[place] += cost.get(key) or 0.0
    records = [
        {
            "op": op,
            "channels": layers[0].channels_in,
            "stride": math.prod(max(layer.stride) for layer in layers),
            "size": list(layers[0].size),
            "latency_ms": outcome.value if isinstance(outcome, Measurement) else None,
            "low": outcome.low if isinstance(outcome, Measurement) else None,
            "high": outcome.high if isinstance(outcome, Measurement) else None,
        }
        for (op, layers), outcome in zip(keys, outcomes, strict=True)
    ]
    table = tuple(
        tuple(float(value) for value in edges[row, : len(decision.operations)])
        for row, decision in enumerate(space.decisions)
    )
    return Operations(fixed=0.0, edges=table), records


_Key = tuple[str, tuple[Layer, ...]]


def _sites(plan: CalibrationPlan) -> dict[_Key, list[tuple[int, int]]]:
    """(operation, its layers) -> every (decision, operation) place where a network has them."""
    # Of a space with several sizes, the operations of the first: the fit to whole networks sees to
    # the others.
    graph = next(iter(plan.family.graphs.values()))
    sites: dict[_Key, list[tuple[int, int]]] = {}
    for node in graph:
        if node.row is None:
            continue
        for column, option in enumerate(node.options):
            if option:
                op = plan.space.decisions[node.row].operations[column]
                sites.setdefault((op, option), []).append((node.row, column))
    return sites


def _measure_networks(
    plan: CalibrationPlan, bench: Bench, say: Say, clock: Callable[[], float], start: float
) -> tuple[_Measured, _Measured, _Measured]:
    """Training networks, held-out ones, and the held-out ones again (NaN where that failed),
    within the budget."""
    drawn = random_networks(
        plan.space, plan.train + plan.held_out, np.random.default_rng(plan.seed)
    )
    anchors = random_networks(plan.space, ANCHORS, np.random.default_rng([plan.seed, ANCHORS]))
    held_left, train_left = drawn[: plan.held_out], drawn[plan.held_out :]
    train, held, again = _Measured(), _Measured(), _Measured()
    begun = clock()
    while held_left or train_left:
        done = len(train.choices) + len(held.choices)
        each = (clock() - begun) / max(1, done)
        part = min(CHUNK // 2 if train_left else CHUNK, len(held_left))
        # What is held out is measured again in the end.
        to_come = (CHUNK + len(held.choices) + part) * each
        if done >= FEWEST_NETWORKS and clock() - start + to_come > plan.budget_s:
            break
        chunk = held_left[:part] + train_left[: CHUNK - part]
        outcomes, anchor_ms = _measure(plan, bench, chunk, anchors)
        for position, (choices, outcome) in enumerate(zip(chunk, outcomes, strict=True)):
            if isinstance(outcome, Measurement):
                to = held if position < part else train
                to.choices.append(choices)
                to.latency_ms.append(outcome.value)
                to.anchor_ms.append(anchor_ms)
                to.receipt = outcome.receipt.to_dict()
        held_left, train_left = held_left[part:], train_left[CHUNK - part :]
        say(f"{len(train.choices) + len(held.choices)} networks measured, {clock() - start:.0f} s")
    for first in range(0, len(held.choices), CHUNK):
        # The ceiling may be of fewer networks where time is up; half of the fewest will do.
        late = first >= FEWEST_NETWORKS // 4 and clock() - start > plan.budget_s
        part_again = [] if late else held.choices[first : first + CHUNK]
        outcomes, anchor_ms = (
            _measure(plan, bench, part_again, anchors) if part_again else ([], float("nan"))
        )
        missing = len(held.choices[first : first + CHUNK]) - len(outcomes)
        values = [*map(_value, outcomes), *[None] * missing]
        again.latency_ms += [float("nan") if value is None else value for value in values]
        again.anchor_ms += [anchor_ms] * len(values)
    return train, held, again


def _measure(
    plan: CalibrationPlan, bench: Bench, drawn: list[Choices], anchors: list[Choices]
) -> tuple[list[Outcome], float]:
    """Networks, and the mean latency in ms of the anchors among them (NaN where that is not
    known)."""
    size = plan.family.size
    items = [
        Architecture(to_genotype(plan.space, choices), channels=size.channels, cells=size.cells)
        for choices in [*drawn, *anchors]
    ]
    outcomes = bench.latencies(items)
    known = [_value(outcome) for outcome in outcomes[len(drawn) :]]
    beside = [value for value in known if value is not None]
    return outcomes[: len(drawn)], float(np.mean(beside)) if len(beside) == ANCHORS else float(
        "nan"
    )


def _spread(anchor_ms: list[float]) -> float:
    """How far the anchors wandered: half of the range from the tenth to the ninetieth
    percentile, over the median."""
    low, middle, high = np.nanquantile(anchor_ms, [0.1, 0.5, 0.9])
    return float((high - low) / 2 / middle)


def _sums(plan: CalibrationPlan, choices: Choices, operations: Operations) -> Floats:
    """What each network's operations take by themselves, in ms."""
    edges = np.zeros((len(plan.space.decisions), plan.space.width))
    for row, values in enumerate(operations.edges):
        edges[row, : len(values)] = values
    return Additive(constant=operations.fixed, table=edges).of(choices)


def _sound(
    plan: CalibrationPlan, choices: Choices, latency: Floats, operations: Operations
) -> npt.NDArray[np.bool_]:
    """Which measurements to fit to: one that is several times off what its operations say was
    disturbed.

    Errors are relative, so a single network that seems to take next to no time would outweigh all
    others. Nothing is set aside from those that a table is judged by.
    """
    sums = _sums(plan, choices, operations)
    if not (sums > 0).all():
        return np.ones(len(latency), dtype=bool)
    ratio = latency / sums
    off = ratio / np.median(ratio)
    return np.asarray((off < DISTURBED) & (off > 1 / DISTURBED))


def _fit(
    plan: CalibrationPlan,
    choices: Choices,
    latency: Floats,
    operations: Operations,
    device: str,
    batch: int,
) -> Table:
    sums = _sums(plan, choices, operations)
    known = [
        with_operations(design, sums)
        for design in designs(plan.space, choices, plan.family.size.cells)
    ]
    fitted, validation = fit(known, latency, plan.seed)
    return Table(
        device=device,
        space=plan.space.name,
        batch=batch,
        network=size_of(plan.family),
        fitted=fitted,
        agreement={
            "operations_alone": {
                "networks": len(latency),
                "kendall_tau": kendall_tau(sums, latency),
            },
            "cross_validation": {
                "networks": len(latency),
                "mape_percent": validation.mape_percent,
                "kendall_tau": validation.kendall_tau,
                "mape_percent_by_design": validation.by_design,
            },
        },
        provenance={},
        operations=operations,
    )


def _judge(
    table: Table, held: _Measured, first: Floats, again: Floats
) -> dict[str, dict[str, Any]]:
    """Held-out agreement, and the ceiling: the first measurements as predictions of the second."""
    good = np.isfinite(again)
    predicted = TablePredictor(table=table, source=table.device).predict(np.stack(held.choices))
    return {
        "held_out": {
            "networks": len(first),
            "mape_percent": mape_percent(predicted, first),
            "kendall_tau": kendall_tau(predicted, first),
        },
        "repeat": {
            "networks": int(good.sum()),
            "mape_percent": mape_percent(first[good], again[good]),
            "kendall_tau": kendall_tau(first[good], again[good]),
        },
    }


def _value(outcome: Outcome) -> float | None:
    return outcome.value if isinstance(outcome, Measurement) else None
