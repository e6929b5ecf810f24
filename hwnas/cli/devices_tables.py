"""`hwnas devices fit` and `hwnas devices predict`: latency tables from other people's measurements."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from hwnas.cli.devices_calibrate import calibrate

if TYPE_CHECKING:
    from profilers.table import Table

__all__ = ["calibrate", "fit", "predict"]

Json = Annotated[bool, typer.Option("--json", help="Print JSON, and nothing else, on stdout.")]
Arch = Annotated[
    str | None, typer.Option("--arch-column", help="Column of the architectures. [default: arch]")
]


def fit(
    csv: Annotated[Path, typer.Option("--csv", help="CSV (or CSV.gz) of architectures and latencies.")],
    device: Annotated[str, typer.Option("--device", help="Which device was measured.")],
    out: Annotated[Path, typer.Option("--out", help="The table to write, JSON.")],
    space: Annotated[str, typer.Option("--space", help="Search space of the architectures.")] = "nasbench201",
    unit: Annotated[str, typer.Option("--unit", help="Unit of the latencies: ms, us or s.")] = "ms",
    arch_column: Arch = None,
    latency_column: Annotated[
        str | None, typer.Option("--latency-column", help="Column of the latencies. [default: latency]")
    ] = None,
    batch: Annotated[
        int | None, typer.Option("--batch", min=1, max=65_536, help="Batch size measured at.")
    ] = None,
    seed: Annotated[
        int, typer.Option("--seed", min=0, max=2**31 - 1, help="Seed of the cross-validation's splits.")
    ] = 0,
    as_json: Json = False,
) -> None:
    """Fit a latency table to networks that were measured elsewhere."""
    from datetime import datetime, timezone

    from hwnas.space import SPACES
    from hwnas.space.latency_csv import read_measured
    from hwnas.space.latency_fit import digest, fit_measured
    from profilers.errors import InputError, nearest
    from profilers.table import save

    if space not in SPACES:
        raise InputError(f"unknown space {space!r}{nearest(space, SPACES)}")
    measured = read_measured(csv, SPACES[space], arch_column, latency_column, unit)
    provenance = {
        "source": csv.name,
        "sha256": digest(csv),
        "unit": unit,
        "latency_column": latency_column,
        "time": datetime.now(timezone.utc).isoformat(timespec="seconds"),
    }
    table = fit_measured(SPACES[space], measured, known_name(device), batch, provenance, seed)
    save(table, out)
    if as_json:
        typer.echo(json.dumps(summary(table, out)))
    else:
        _print_fit(table, out)


def predict(
    table: Annotated[Path, typer.Argument(help="A table that `fit` or `calibrate` wrote.")],
    csv: Annotated[Path, typer.Option("--csv", help="CSV (or CSV.gz) of architectures.")],
    out: Annotated[Path, typer.Option("--out", help="CSV to write: arch, latency_ms.")],
    arch_column: Arch = None,
    as_json: Json = False,
) -> None:
    """Predict the latencies of many architectures from a table."""
    from hwnas.space.features import folds
    from hwnas.space.latency import TablePredictor
    from hwnas.space.latency_csv import read_architectures, write_predictions
    from profilers.table import load

    predictor = TablePredictor(load(table), str(table))
    texts, choices = read_architectures(csv, predictor.space, arch_column)
    write_predictions(out, texts, predictor.predict(choices))
    folded = int(folds(predictor.space, choices).sum())
    if as_json:
        report = {"table": str(table), "device": predictor.table.device, "rows": len(texts), "folded": folded}
        typer.echo(json.dumps({**report, "origin": predictor.origin, "unit": "ms", "out": str(out)}))
        return
    typer.echo(f"{out}: {len(texts)} latencies in ms on {predictor.table.device} (table {table})")
    if folded:
        typer.echo(f"{folded} of them do not depend on their image: a compiler folds these, trust them least")


def known_name(device: str) -> str:
    """The catalog's name of a device where it knows one, else the name as it was given."""
    from hwnas.catalog import find_device
    from profilers.errors import InputError

    try:
        return find_device(device).stem
    except InputError:
        if not device.strip() or len(device) > 100 or not device.isprintable():
            raise InputError("--device: expected a name of 1 to 100 printable characters") from None
        return device


def summary(table: Table, out: Path) -> dict[str, Any]:
    """What `fit --json` prints."""
    form, validation = table.fitted.form, table.agreement["cross_validation"]
    return {
        "device": table.device,
        "space": table.space,
        "unit": "ms",
        "batch": table.batch,
        "mape_percent": validation["mape_percent"],
        "kendall_tau": validation["kendall_tau"],
        "training_mape_percent": table.agreement["training"]["mape_percent"],
        "mape_percent_by_design": validation["mape_percent_by_design"],
        "model": {"design": form.design, "loss": form.loss, "ridge": form.ridge, "process": form.view},
        "rows": table.provenance["rows"],
        "blank": table.provenance["blank"],
        "folded": table.provenance["folded"],
        "out": str(out),
    }


_DESIGNS = {
    "eager": "runs everything that is written",
    "reached": "drops what the output does not need",
    "live": "drops what the output does not need and what only carries zeros",
}


def _print_fit(table: Table, out: Path) -> None:
    found = summary(table, out)
    typer.echo(f"{out}: latency table of {found['device']} for {found['space']}, in ms")
    typer.echo(
        f"  {found['rows']} networks read, {found['blank']} rows without a latency skipped"
        + (f", {found['folded']} constant networks set apart" if found["folded"] else "")
    )
    typer.echo(f"  the device {_DESIGNS[table.fitted.form.design]} (chosen by cross-validation)")
    typer.echo(
        f"  cross-validated: MAPE {found['mape_percent']:.2f} %, Kendall tau {found['kendall_tau']:.3f}; "
        f"on the networks themselves {found['training_mape_percent']:.2f} %"
    )
    typer.echo(f"Next: hwnas devices predict {out} --csv ARCHITECTURES.csv --out PREDICTIONS.csv")
