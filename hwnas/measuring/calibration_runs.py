"""What a calibration measures: every operation of a space, then whole networks beside anchors."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import numpy.typing as npt

from hwnas.costs.features import is_constant
from hwnas.measuring.bench import Bench, BenchOperation
from hwnas.measuring.heartbeat import heartbeat
from hwnas.space.encoding import derive, sample, to_choices, to_genotype
from hwnas.space.family import Family
from hwnas.space.genotype import Architecture
from hwnas.space.layers import Layer
from hwnas.space.space import Choices, Space
from profilers.measurement import Measurement, Outcome
from profilers.table import Operations
from profilers.timing import Protocol

Floats = npt.NDArray[np.float64]
Say = Callable[[str], None]


CHUNK = 10
"""Networks that are built and measured together; half of the first chunks are held out."""


ANCHORS = 2


DISTURBED = 4.0


FEWEST_NETWORKS = 40
"""Half to fit and half to judge by: with fewer there is no table, however slow the device."""


USUAL = Protocol(min_s=0.3, budget_s=0.7, patience=2.0)
"""A network is sampled for a third of the time that a profile takes: the errors of many average out
in the fit."""


SECONDS_EACH = 0.9
"""What one item takes with the protocol of a calibration, about: building, warming up, sampling."""


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
class MeasuredNetworks:
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
        if not is_constant(space, choices)[0]:
            drawn.append(choices)
    return drawn


def least_networks(plan: CalibrationPlan) -> int:
    """How many times a network is measured however short the time: the fewest, the anchors beside
    each chunk, and one chunk of those held out again."""
    networks = min(FEWEST_NETWORKS, plan.train + plan.held_out)
    again = min(CHUNK, plan.held_out)
    return networks + again + ANCHORS * (-(-networks // CHUNK) + 1)


def least_seconds(plan: CalibrationPlan) -> float:
    """About the least that a calibration takes, whatever its budget; known before it starts."""
    operations = len(operation_sites(plan.family)) if measures_operations(plan.space) else 0
    return SECONDS_EACH * (operations + least_networks(plan))


def measures_operations(space: Space) -> bool:
    """Whether operations are measured alone; where image side or widths are decided, each has as
    many latencies as there are sizes, and whole networks alone are measured."""
    return not space.size_rows


def measure_operations(
    plan: CalibrationPlan, bench: Bench
) -> tuple[Operations, list[dict[str, Any]]]:
    """Every operation at each shape and stride once: sums per edge of the space, and one record
    each."""
    space, sites = plan.space, operation_sites(plan.family)
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


OperationKey = tuple[str, tuple[Layer, ...]]


def operation_sites(of: Family) -> dict[OperationKey, list[tuple[int, int]]]:
    """(operation, its layers) -> every (decision, operation) place where a network has them."""
    # Of a space with several sizes, the operations of the first: the fit to whole networks sees to
    # the others.
    graph = next(iter(of.graphs.values()))
    sites: dict[OperationKey, list[tuple[int, int]]] = {}
    for node in graph:
        if node.row is None:
            continue
        for column, option in enumerate(node.options):
            if option:
                op = of.space.decisions[node.row].operations[column]
                sites.setdefault((op, option), []).append((node.row, column))
    return sites


def measure_networks(
    plan: CalibrationPlan, bench: Bench, say: Say, clock: Callable[[], float], start: float
) -> tuple[MeasuredNetworks, MeasuredNetworks, MeasuredNetworks]:
    """Training networks, held-out ones, and the held-out ones again (NaN where that failed),
    within the budget."""
    drawn = random_networks(
        plan.space, plan.train + plan.held_out, np.random.default_rng(plan.seed)
    )
    anchors = random_networks(plan.space, ANCHORS, np.random.default_rng([plan.seed, ANCHORS]))
    held_left, train_left = drawn[: plan.held_out], drawn[plan.held_out :]
    train, held, again = MeasuredNetworks(), MeasuredNetworks(), MeasuredNetworks()
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
        with heartbeat(say, f"measuring {len(chunk)} more networks", clock, start=start):
            outcomes, anchor_ms = measure_chunk(plan, bench, chunk, anchors)
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
        # Fewer networks may be measured twice where time is up; half of the fewest will do.
        late = first >= FEWEST_NETWORKS // 4 and clock() - start > plan.budget_s
        part_again = [] if late else held.choices[first : first + CHUNK]
        with heartbeat(say, "measuring held-out networks again", clock, start=start):
            outcomes, anchor_ms = (
                measure_chunk(plan, bench, part_again, anchors)
                if part_again
                else ([], float("nan"))
            )
        missing = len(held.choices[first : first + CHUNK]) - len(outcomes)
        values = [*map(_value, outcomes), *[None] * missing]
        again.latency_ms += [float("nan") if value is None else value for value in values]
        again.anchor_ms += [anchor_ms] * len(values)
    return train, held, again


def measure_chunk(
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


def _value(outcome: Outcome) -> float | None:
    return outcome.value if isinstance(outcome, Measurement) else None
