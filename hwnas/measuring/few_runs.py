"""Measure the operations, the networks that a design has chosen, and some that judge, with
anchors beside them.

Ten networks weigh much, so they are measured several times over, for a short time each: what
disturbs the host for some seconds, disturbs one of the times.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import replace

import numpy as np

from hwnas.costs.features import Execution
from hwnas.costs.latency import TablePredictor
from hwnas.measuring.bench import Bench, TorchBench
from hwnas.measuring.calibration_runs import (
    ANCHORS,
    CHUNK,
    USUAL,
    CalibrationPlan,
    Floats,
    MeasuredNetworks,
    Say,
    measure_chunk,
    random_networks,
)
from hwnas.measuring.few_networks import Placing, few_table, placing
from hwnas.measuring.heartbeat import heartbeat
from hwnas.measuring.operations_apart import SHORT, measure_apart
from hwnas.space.family import Family
from hwnas.space.space import Choices
from profilers.agreement import kendall_tau, mape_percent
from profilers.device import Device
from profilers.errors import InputError
from profilers.measurement import Measurement
from profilers.table import Table
from profilers.timing import Protocol

FEWEST = 5
"""Networks that could be measured; with fewer there is no table."""
PASSES = 3
"""How many times each chosen network is measured, with the median of them kept..."""
EACH = Protocol(min_s=0.1, budget_s=0.3, patience=2.0)
"""... and for how long."""
BenchFor = Callable[[Protocol], Bench]


def calibrate_few(
    of: Family,
    bench: BenchFor,
    device: Device,
    batch: int,
    count: int,
    held_out: int,
    seed: int,
    say: Say = lambda line: None,
    now: str = "",
    clock: Callable[[], float] = time.monotonic,
) -> Table:
    """Measure the operations and ``count`` networks and make a table; ``held_out`` random ones more
    judge it.

    ``bench``: where to measure, by how long. Raises InputError where too little could be measured.
    """
    start = clock()
    with heartbeat(say, "measuring the operations", clock, start=start):
        quick = bench(SHORT)
        runs: Execution = "eager" if isinstance(quick, TorchBench) else "reached"
        operations = measure_apart(of, quick, runs)
    if operations is not None:
        say(f"{operations.measured} operations measured, {clock() - start:.0f} s")
    known = placing(of, device, count, seed, operations=operations)
    plan = CalibrationPlan(family=of, train=count, held_out=held_out, seed=seed)
    chosen = list(known.design(count))
    anchors = random_networks(of.space, ANCHORS, np.random.default_rng([seed, ANCHORS]))

    def measured(some: list[Choices], how_long: Protocol) -> MeasuredNetworks:
        return _measured(plan, bench(how_long), some, anchors, say, clock, start)

    passes = []
    for number in range(PASSES):
        say(f"pass {number + 1} of {PASSES}")
        passes.append(measured(chosen, EACH))
    if held_out:
        say(f"{held_out} more that judge the table")
    held = measured(_judges(known, held_out, seed, chosen), USUAL)
    usual_ms = _usual([*(each for one in passes for each in one.anchor_ms), *held.anchor_ms])
    choices, latency_ms = middle(passes, usual_ms)
    if len(choices) < min(FEWEST, count):
        raise InputError(
            f"{device.name}: only {len(choices)} of {count} networks could be measured"
        )
    provenance = {
        "how": f"{len(choices)} networks measured {PASSES} times",
        "receipt": passes[-1].receipt or passes[0].receipt,
        "time": now,
        "seed": seed,
        "measured_networks": [[int(one) for one in row] for row in choices],
        "measured_ms": [float(f"{value:.6g}") for value in latency_ms],
    }
    table = few_table(known, choices, latency_ms, device, batch, provenance)
    agreement = dict(table.agreement)
    if len(held.choices) > 1:
        agreement["held_out"] = _agreement(table, np.stack(held.choices), held.steadied(usual_ms))
    seconds = {"seconds": round(clock() - start, 1)}
    return replace(table, agreement=agreement, provenance={**table.provenance, **seconds})


def middle(passes: Sequence[MeasuredNetworks], usual_ms: float) -> tuple[Choices, Floats]:
    """The networks of all passes, (n, decisions), and the median in ms of what each took, (n,), as
    if the anchors had always taken ``usual_ms``."""
    found: dict[bytes, tuple[Choices, list[float]]] = {}
    for one in passes:
        for choices, latency in zip(one.choices, one.steadied(usual_ms), strict=True):
            found.setdefault(choices.tobytes(), (choices, []))[1].append(float(latency))
    every = [choices for choices, _ in found.values()]
    return np.array(every), np.array([np.median(values) for _, values in found.values()])


def _usual(anchor_ms: Sequence[float]) -> float:
    """What the anchors take in the median; NaN where they could never be measured."""
    known = [one for one in anchor_ms if np.isfinite(one)]
    return float(np.median(known)) if known else float("nan")


def _agreement(table: Table, choices: Choices, latency: Floats) -> dict[str, float]:
    predictor = TablePredictor(table=table, source=table.device)
    predicted, ends = predictor.predict(choices), predictor.interval(choices)
    assert ends is not None
    return {
        "networks": len(latency),
        "mape_percent": mape_percent(predicted, latency),
        "kendall_tau": kendall_tau(predicted, latency),
        "in_interval": float(((ends[0] <= latency) & (latency <= ends[1])).mean()),
    }


def _judges(of: Placing, count: int, seed: int, chosen: list[Choices]) -> list[Choices]:
    """The networks that judge a table of this seed, those of ``hwnas devices calibrate`` without
    --networks; none of the ``chosen``."""
    drawn = random_networks(of.family.space, count + len(chosen), np.random.default_rng(seed))
    taken = {one.tobytes() for one in chosen}
    return [one for one in drawn if one.tobytes() not in taken][:count]


def _measured(
    plan: CalibrationPlan,
    bench: Bench,
    networks: list[Choices],
    anchors: list[Choices],
    say: Say,
    clock: Callable[[], float],
    start: float,
) -> MeasuredNetworks:
    found = MeasuredNetworks()
    for first in range(0, len(networks), CHUNK):
        chunk = networks[first : first + CHUNK]
        with heartbeat(say, f"measuring {len(chunk)} networks", clock, start=start):
            outcomes, anchor_ms = measure_chunk(plan, bench, chunk, anchors)
        for choices, outcome in zip(chunk, outcomes, strict=True):
            if isinstance(outcome, Measurement):
                found.choices.append(choices)
                found.latency_ms.append(outcome.value)
                found.anchor_ms.append(anchor_ms)
                found.receipt = outcome.receipt.to_dict()
        say(f"{len(found.choices)} networks measured, {clock() - start:.0f} s")
    return found
