"""What `hwnas devices fit` says of its table."""

from __future__ import annotations

import shlex
from pathlib import Path
from typing import TYPE_CHECKING, Any

from hwnas.cli.outside import echo

if TYPE_CHECKING:
    from hwnas.costs.latency_csv import Measured
    from profilers.table import Table


def spread(measured: Measured) -> dict[str, float]:
    """Smallest, median and largest latency that was read, in ms."""
    import numpy as np

    values = measured.latency_ms
    return {
        "min": float(values.min()),
        "median": float(np.median(values)),
        "max": float(values.max()),
    }


def summary(table: Table, out: Path) -> dict[str, Any]:
    """What `fit --json` prints."""
    from profilers.table import UNITS

    form, validation = table.fitted.form, table.agreement["cross_validation"]
    return {
        "device": table.device,
        "space": table.space,
        "unit": UNITS[table.metric],
        "batch": table.batch,
        "mape_percent": validation["mape_percent"],
        "kendall_tau": validation["kendall_tau"],
        "training_mape_percent": table.agreement["training"]["mape_percent"],
        "mape_percent_by_design": validation["mape_percent_by_design"],
        "model": {
            "design": form.design,
            "loss": form.loss,
            "ridge": form.ridge,
            "process": form.view,
        },
        "rows": table.provenance["rows"],
        "blank": table.provenance["blank"],
        "failed": table.provenance["failed"],
        "read_as": table.provenance["unit"],
        "folded": table.provenance["folded"],
        "out": str(out),
    }


_DESIGNS = {
    "eager": "runs everything that is written",
    "reached": "drops what the output does not need",
    "live": "drops what the output does not need and what only carries zeros",
}


def print_fit(table: Table, path: Path, found: dict[str, Any], device: str, space: str) -> None:
    """Print what a table was fitted to, how well, and what to type next; ``space`` as typed."""
    from hwnas.costs.table_words import search_words
    from hwnas.costs.tables import BENCHMARK, why_not_found

    unit, named = found["unit"], {"latency": "latencies", "energy": "energies"}[table.metric]
    echo(f"{path}: {table.metric} table of {found['device']} for {found['space']}, in {unit}")
    echo(
        f"  {found['rows']} networks read, {found['blank']} rows without a latency skipped"
        + (f", {found['failed']} failed ones left out" if found["failed"] else "")
        + (f", {found['folded']} constant networks set apart" if found["folded"] else "")
    )
    low, median, high = (found["latency_ms"][name] for name in ("min", "median", "max"))
    echo(
        f"  {named} from {low:.4g} to {high:.4g} {unit}, median {median:.4g} {unit} (read as"
        f" {found['read_as']})"
    )
    echo(f"  the device {_DESIGNS[table.fitted.form.design]} (chosen by cross-validation)")
    echo(
        f"  cross-validated: MAPE {found['mape_percent']:.2f} %, Kendall tau"
        f" {found['kendall_tau']:.3f}; on the networks themselves"
        f" {found['training_mape_percent']:.2f} %"
    )
    image = "x".join(map(str, (table.network or BENCHMARK).image))
    why = why_not_found(table.device, table, path)
    search = search_words(table, path, device, space)
    if not why:
        echo(f"  a search on images of {image} finds it: {search} --require table")
    elif "--table" in why:
        echo(f"  no search finds it by itself: {why}")
        echo(f"  on images of {image}: {search} --require table")
    else:
        echo(f"  no search asks it: {why}")
    echo(
        f"Next: hwnas devices predict {shlex.quote(str(path))} --csv ARCHITECTURES.csv"
        " --out PREDICTIONS.csv"
    )
