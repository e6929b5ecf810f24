"""Build a device's latency table by measuring: every operation of a space once, then whole
networks.

A sum of measured operations ranks networks well but is off by what a runtime fuses, re-orders and
overlaps. So the sum is one column of a fit to whole networks, with counts per operation as
corrections (``profilers.fit``). Where image side or widths are decided, an operation has as many
latencies as there are sizes: none is measured alone, and whole networks are fitted to their work
(hwnas.costs.sized). Networks that took no part in the fit say how good it is. They are measured
twice: how well one measurement predicts the next stands beside it. That is no limit: both have
noise, and a table averages the noise of all networks that it is fitted to.

A calibration takes minutes, and what else a host does in that time changes. Two anchors, networks
like the others, are measured with every chunk; what slows them, slows the chunk, and is taken out
of it.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from hwnas.costs import sized
from hwnas.costs.counts import Additive
from hwnas.costs.features import designs, with_operations
from hwnas.costs.latency import TablePredictor
from hwnas.costs.table_chain import chain_kept
from hwnas.costs.tables import size_of
from hwnas.measuring.bench import Bench
from hwnas.measuring.calibration_runs import (
    DISTURBED,
    CalibrationPlan,
    Floats,
    MeasuredNetworks,
    Say,
    _spread,
    least_networks,
    least_seconds,
    measure_networks,
    measure_operations,
    measures_operations,
)
from hwnas.measuring.heartbeat import heartbeat
from hwnas.space.space import Choices
from profilers.agreement import kendall_tau, mape_percent
from profilers.errors import InputError
from profilers.fit import FEWEST_ROWS, Design, fit
from profilers.table import Operations, Table


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
    the whole ends within ``plan.budget_s``. Where even the fewest take longer, that is said before
    anything is measured.
    """
    least, alone = least_seconds(plan), measures_operations(plan.space)
    if least > plan.budget_s:
        say(
            f"note: the least is about {least:.0f} s, more than the budget of {plan.budget_s:g} s:"
            f" {'every operation once and ' if alone else ''}{least_networks(plan)} measurements of"
            f" {'networks' if alone else 'whole networks'}"
        )
    start = clock()
    operations: Operations | None = None
    receipts: list[dict[str, Any]] = []
    if alone:  # each operation has one latency: the table begins with those
        with heartbeat(say, "measuring the operations", clock, start=start):
            operations, receipts = measure_operations(plan, bench)
        taken = clock() - start
        to_come = least_networks(plan) * taken / max(1, len(receipts))
        over = taken + to_come > plan.budget_s
        more = f"; the networks take about {to_come:.0f} s more at least" if over else ""
        say(f"{len(receipts)} operations measured, {taken:.0f} s{more}")
    train, held, again = measure_networks(plan, bench, say, clock, start)
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
        **chain_kept(plan.space),
        "how": (f"{len(receipts)} operations and " if receipts else "")
        + f"{len(train.choices)} networks measured",
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


def _sums(plan: CalibrationPlan, choices: Choices, operations: Operations) -> Floats:
    """What each network's operations take by themselves, in ms."""
    edges = np.zeros((len(plan.space.decisions), plan.space.width))
    for row, values in enumerate(operations.edges):
        edges[row, : len(values)] = values
    return Additive(constant=operations.fixed, table=edges).of(choices)


def _sound(
    plan: CalibrationPlan, choices: Choices, latency: Floats, operations: Operations | None
) -> npt.NDArray[np.bool_]:
    """Which measurements to fit to: one that is several times off what its operations say was
    disturbed.

    Errors are relative, so a single network that seems to take next to no time would outweigh all
    others. Nothing is set aside from those that a table is judged by.
    """
    every = np.ones(len(latency), dtype=bool)
    if operations is None:
        return every
    sums = _sums(plan, choices, operations)
    if not (sums > 0).all():
        return every
    ratio = latency / sums
    off = ratio / np.median(ratio)
    return np.asarray((off < DISTURBED) & (off > 1 / DISTURBED))


def _designs(
    plan: CalibrationPlan, choices: Choices, operations: Operations | None
) -> Sequence[Design]:
    """What a table may know of networks, (count, decisions)."""
    if operations is None:
        return [sized.design(plan.family, choices)]
    sums = _sums(plan, choices, operations)
    known = designs(plan.space, choices, plan.family.size.cells)
    return [with_operations(design, sums) for design in known]


def _fit(
    plan: CalibrationPlan,
    choices: Choices,
    latency: Floats,
    operations: Operations | None,
    device: str,
    batch: int,
) -> Table:
    fitted, validation = fit(_designs(plan, choices, operations), latency, plan.seed)
    agreement: dict[str, dict[str, Any]] = {
        "cross_validation": {
            "networks": len(latency),
            "mape_percent": validation.mape_percent,
            "kendall_tau": validation.kendall_tau,
            "mape_percent_by_design": validation.by_design,
        }
    }
    if operations is not None:
        alone = kendall_tau(_sums(plan, choices, operations), latency)
        agreement["operations_alone"] = {"networks": len(latency), "kendall_tau": alone}
    return Table(
        device=device,
        space=plan.space.name,
        batch=batch,
        network=size_of(plan.family),
        fitted=fitted,
        agreement=agreement,
        provenance={},
        operations=operations,
    )


def _judge(
    table: Table, held: MeasuredNetworks, first: Floats, again: Floats
) -> dict[str, dict[str, Any]]:
    """Held-out agreement, and beside it that of the first measurements with the second."""
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
