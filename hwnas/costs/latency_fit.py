"""From measured networks to a table: a space's features, the fit of ``profilers.fit``, its
provenance."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from hwnas.costs import sized
from hwnas.costs.features import BENCHMARK_CELLS, designs, is_constant
from hwnas.costs.latency_csv import Measured
from hwnas.costs.table_chain import chain_kept
from hwnas.space.space import Space
from profilers.agreement import mape_percent
from profilers.errors import InputError
from profilers.fit import FEWEST_ROWS, FOLDS, fit
from profilers.table import NetworkSize, Table


def fit_measured(
    space: Space,
    measured: Measured,
    device: str,
    batch: int | None,
    provenance: Mapping[str, Any],
    seed: int = 0,
    network: NetworkSize | None = None,
    metric: str = "latency",
) -> Table:
    """Fit a table to networks measured elsewhere. Raises InputError where there are too few to fit.

    ``network``: which networks they are; None: NAS-Bench-201's own in its space, not known in
    another.
    """
    known = designs(space, measured.choices, BENCHMARK_CELLS if network is None else network.cells)
    if space.size_rows and network is not None:
        known = (*known, sized.design(sized.family_of(space, network), measured.choices))
    folded = is_constant(space, measured.choices)
    if (~folded).sum() < FEWEST_ROWS:
        raise InputError(
            f"{provenance.get('source', 'fit')}: {(~folded).sum()} networks with a latency that "
            f"are not constant, at least {FEWEST_ROWS} are needed"
        )
    fitted, validation = fit(known, measured.latency_ms, seed)
    predicted = fitted.predict(known)
    rows = int((~folded).sum())
    agreement: dict[str, dict[str, Any]] = {
        "cross_validation": {
            "networks": rows,
            "folds": FOLDS,
            "mape_percent": validation.mape_percent,
            "kendall_tau": validation.kendall_tau,
            "mape_percent_by_design": validation.by_design,
        },
        "training": {
            "networks": rows,
            "mape_percent": mape_percent(predicted[~folded], measured.latency_ms[~folded]),
        },
    }
    counted = {
        "rows": len(measured.texts),
        "blank": measured.blank,
        "failed": measured.failed,
        "folded": int(folded.sum()),
        "seed": seed,
    }
    said = {**chain_kept(space), **provenance, **counted, "numpy": np.__version__}
    return Table(
        device=device,
        space=space.name,
        batch=batch,
        network=network,
        metric=metric,
        fitted=fitted,
        agreement=agreement,
        provenance=said,
    )


def digest(path: Path) -> str:
    """SHA-256 of a file, in hexadecimal: which measurements a table was fitted to."""
    return hashlib.sha256(path.read_bytes()).hexdigest()
