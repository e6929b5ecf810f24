"""Measure the networks that a design has chosen, and some that judge, with anchors beside them."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import replace

import numpy as np

from hwnas.costs.latency import TablePredictor
from hwnas.measuring.bench import Bench
from hwnas.measuring.calibration_runs import (
    ANCHORS,
    CHUNK,
    CalibrationPlan,
    MeasuredNetworks,
    Say,
    measure_chunk,
    random_networks,
)
from hwnas.measuring.few_networks import Placing, few_table
from hwnas.measuring.heartbeat import heartbeat
from hwnas.space.space import Choices
from profilers.agreement import kendall_tau, mape_percent
from profilers.device import Device
from profilers.errors import InputError
from profilers.measurement import Measurement
from profilers.table import Table

FEWEST = 5
"""Networks that could be measured; with fewer there is no table."""


def calibrate_few(
    of: Placing,
    bench: Bench,
    device: Device,
    batch: int,
    count: int,
    held_out: int,
    seed: int,
    say: Say = lambda line: None,
    now: str = "",
    clock: Callable[[], float] = time.monotonic,
) -> Table:
    """Measure ``count`` networks and make a table; ``held_out`` random ones more judge it.

    Raises InputError where too little could be measured.
    """
    start = clock()
    plan = CalibrationPlan(family=of.family, train=count, held_out=held_out, seed=seed)
    chosen = list(of.design(count))
    judges = _judges(of, held_out, seed, chosen)
    anchors = random_networks(of.family.space, ANCHORS, np.random.default_rng([seed, ANCHORS]))
    train, held = (
        _measured(plan, bench, some, anchors, say, clock, start) for some in (chosen, judges)
    )
    if len(train.choices) < min(FEWEST, count):
        raise InputError(
            f"{device.name}: only {len(train.choices)} of {count} networks could be measured"
        )
    usual_ms = float(np.nanmedian([*train.anchor_ms, *held.anchor_ms]))
    provenance = {
        "how": f"{len(train.choices)} networks measured, known devices' tables",
        "receipt": train.receipt,
        "time": now,
        "seed": seed,
        "measured_networks": [[int(one) for one in row] for row in train.choices],
        "measured_ms": [float(f"{value:.6g}") for value in train.steadied(usual_ms)],
    }
    table = few_table(
        of, np.stack(train.choices), train.steadied(usual_ms), device, batch, provenance
    )
    agreement = dict(table.agreement)
    if len(held.choices) > 1:
        predictor = TablePredictor(table=table, source=device.name)
        choices, latency = np.stack(held.choices), held.steadied(usual_ms)
        predicted, ends = predictor.predict(choices), predictor.interval(choices)
        assert ends is not None
        agreement["held_out"] = {
            "networks": len(latency),
            "mape_percent": mape_percent(predicted, latency),
            "kendall_tau": kendall_tau(predicted, latency),
            "in_interval": float(((ends[0] <= latency) & (latency <= ends[1])).mean()),
        }
    seconds = {"seconds": round(clock() - start, 1)}
    return replace(table, agreement=agreement, provenance={**table.provenance, **seconds})


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
