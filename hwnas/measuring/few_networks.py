"""A latency table of a device from ten measured networks, and what others know.

Known devices of the space (``hwnas.costs.known_devices``), the user's own tables of other devices
and the roofline are the prior, and where the device can be asked, its operations measured apart
(``hwnas.measuring.operations_apart``). The design chooses what to measure; the posterior gives each
network a latency and an interval (``profilers.placing``). A table is then fitted to the posterior
of many networks, so that whatever reads tables reads this one.
"""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from hwnas.costs import sized
from hwnas.costs.features import designs, with_operations
from hwnas.costs.known_devices import known_devices
from hwnas.costs.latency import Predictor, roofline
from hwnas.costs.likeness import likeness
from hwnas.costs.other_tables import other_predictors
from hwnas.costs.table_chain import chain_kept
from hwnas.costs.tables import RUNTIMES, peaks_of, size_of
from hwnas.measuring.calibration_runs import random_networks
from hwnas.measuring.operations_apart import OperationsApart
from hwnas.space.family import Family
from hwnas.space.space import Choices
from profilers.covariance import Array, Rows
from profilers.device import Device
from profilers.fit import Design, Fitted, Form, View, fit_form
from profilers.placing import choose, needed, prior_for
from profilers.posterior import place
from profilers.prior import KnownDevice, Prior
from profilers.roofline import Peaks
from profilers.table import Table

CANDIDATES = 500
"""Random networks offered to the design, and fitted to afterwards."""
WITHOUT_KNOWN = 500
"""Random networks of which tables and the roofline are asked, where nothing is published."""
_ASSUMED = Peaks(gmacs_per_s=100.0, gb_per_s=20.0)
"""Of a device without peaks: only the order that the roofline gives matters."""
_VIEWS: tuple[View, ...] = ("both", "counts")
_JUDGED = 200
"""Networks that tell how near the table comes to the posterior."""


@dataclass(frozen=True, kw_only=True, eq=False)
class Placing:
    """What is known before measuring: networks (n, decisions), which may be measured, the prior,
    and the names of what it comes from."""

    family: Family
    choices: Choices
    candidates: Rows
    prior: Prior
    known: tuple[str, ...]
    operations: OperationsApart | None = None

    def design(self, count: int) -> Choices:
        """The networks to measure, (count, decisions), the most telling first."""
        return self.choices[choose(self.prior, self.candidates, count)]


def placing(
    of: Family,
    device: Device,
    count: int,
    seed: int,
    measured: Choices | None = None,
    operations: OperationsApart | None = None,
) -> Placing:
    """The prior of a device's latencies of a space. ``measured``: networks (m, decisions) that
    somebody chose and measured already; they come last. ``operations``: measured on the device."""
    published = known_devices(of.space)
    # Others than those that judge tables of this seed.
    rng = np.random.default_rng([seed, 3])
    drawn = np.stack(random_networks(of.space, CANDIDATES, rng))
    if published is None:
        base = np.stack(random_networks(of.space, WITHOUT_KNOWN, np.random.default_rng([seed, 1])))
    else:
        base = published.choices
    own = np.zeros((0, base.shape[1]), dtype=np.int64) if measured is None else measured
    choices = np.concatenate([base, drawn, own])
    seen = np.arange(len(base))
    peaks = peaks_of(device) or _ASSUMED
    predictors: list[tuple[str, Predictor]] = [
        ("roofline", roofline(of, peaks, RUNTIMES[device.kind], f"roofline of {device.name}"))
    ]
    predictors += other_predictors(device, of)
    legal = (base < of.space.mask.sum(axis=1)).all(axis=1)
    known = [
        KnownDevice(device=name, latency_ms=_asked(predictor, base, legal, len(choices)))
        for name, predictor in predictors
    ]
    names = [name for name, _ in predictors]
    if published is not None:
        for column, values in published.latency_ms.items():
            rest = np.full(len(choices) - len(base), np.nan)
            known.append(
                KnownDevice(
                    device=published.device[column], latency_ms=np.concatenate([values, rest])
                )
            )
            names.append(column)
    prior = prior_for(likeness(of, choices), known, seen, count)
    if operations is not None:
        prior = replace(prior, apart=operations.prior(of, choices, seen))
        names.insert(0, f"{operations.measured} operations measured apart")
    return Placing(
        family=of,
        choices=choices,
        candidates=np.arange(len(base), len(base) + len(drawn)),
        prior=prior,
        known=tuple(names),
        operations=operations,
    )


def _asked(predictor: Predictor, base: Choices, legal: np.ndarray[Any, Any], count: int) -> Array:
    """What a predictor says of the base networks that are of the space; NaN for all others."""
    found = np.full(count, np.nan)
    found[np.flatnonzero(legal)] = predictor.predict(base[legal])
    return found


def few_table(
    of: Placing,
    measured: Choices,
    latency_ms: Array,
    device: Device,
    batch: int,
    provenance: dict[str, Any],
) -> Table:
    """A table from the networks ``measured`` (m, decisions), which the placing knows."""
    where = {row.tobytes(): at for at, row in enumerate(of.choices)}
    rows = np.array([where[row.tobytes()] for row in measured])
    every = np.setdiff1d(np.arange(len(of.choices)), rows)
    every = every[(of.choices[every] < of.family.space.mask.sum(axis=1)).all(axis=1)]
    placed = place(of.prior, rows, latency_ms, every)
    known = _designs(of, of.choices[every])
    order = np.random.default_rng(0).permutation(len(every))
    judged, fitted_to = order[:_JUDGED], order[_JUDGED:]
    fitted, off = _nearest(known, placed.latency_ms, fitted_to, judged)
    doubt, _ = _nearest(known, np.log(placed.high_ms / placed.low_ms) / 2, fitted_to, judged)
    half_percent = 100 * float(np.median(placed.high_ms / placed.latency_ms - 1))
    more, with_more = needed(of.prior, rows, of.candidates, half_percent)
    return Table(
        device=device.name,
        space=of.family.space.name,
        batch=batch,
        network=size_of(of.family),
        fitted=fitted,
        doubt=doubt,
        operations=None if of.operations is None else of.operations.of_table(of.family.space),
        agreement={
            "few_networks": {
                "networks": len(rows),
                "half_interval_percent": half_percent,
                "networks_needed": more,
                "half_interval_with_more_percent": with_more,
                "mape_of_table_percent": 100 * off,
            }
        },
        provenance={**chain_kept(of.family.space), **provenance, "known": list(of.known)},
    )


def _designs(of: Placing, choices: Choices) -> Sequence[Design]:
    space = of.family.space
    if space.size_rows:
        return [sized.design(of.family, choices)]
    known = designs(space, choices, of.family.size.cells)
    if of.operations is None:
        return known
    sums = of.operations.sums(choices)
    return [with_operations(design, sums) for design in known]


def _nearest(
    known: Sequence[Design], values: Array, fitted_to: Rows, judged: Rows
) -> tuple[Fitted, float]:
    """The fit that comes nearest to values (n,) that it was not fitted to, and how near."""
    found: list[tuple[float, Fitted]] = []
    for design, view in itertools.product(known, _VIEWS):
        form = Form(design=design.name, loss="squares", ridge=1e-2, nodes=True, view=view)
        part = fitted_to[design.share[fitted_to] >= 1]
        fitted = fit_form(form, [design.rows(part)], values[part])
        whole = judged[design.share[judged] >= 1]
        predicted = fitted.predict([design.rows(whole)])
        found.append((float(np.mean(np.abs(predicted / values[whole] - 1))), fitted))
    off, fitted = min(found, key=lambda one: one[0])
    return fitted, off
