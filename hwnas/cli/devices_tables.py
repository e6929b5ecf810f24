"""`hwnas devices fit` and `hwnas devices predict`: latency tables from other people's
measurements."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from hwnas.cli.devices_calibrate import calibrate
from hwnas.cli.outside import echo, echo_json

if TYPE_CHECKING:
    from hwnas.space.space import Space
    from profilers.device import Device
    from profilers.table import NetworkSize

__all__ = ["calibrate", "fit", "predict"]

Json = Annotated[bool, typer.Option("--json", help="Print JSON, and nothing else, on stdout.")]
Arch = Annotated[
    str | None, typer.Option("--arch-column", help="Column of the architectures. Default: arch.")
]


def fit(
    csv: Annotated[
        Path, typer.Option("--csv", help="CSV (or CSV.gz) of architectures and latencies.")
    ],
    device: Annotated[
        str, typer.Option("--device", help="Which device was measured: a name or a .toml file.")
    ],
    out: Annotated[
        Path | None,
        typer.Option("--out", help="The table to write, JSON. Default: where a search finds it."),
    ] = None,
    space: Annotated[
        str,
        typer.Option(
            "--space", help="Search space of the architectures; a chain of your own: its .toml."
        ),
    ] = "nasbench201",
    unit: Annotated[
        str | None,
        typer.Option(
            "--unit", help="ms, us or s; mJ, uJ or J. Default: the column's, or ms, or mJ."
        ),
    ] = None,
    arch_column: Arch = None,
    value_column: Annotated[
        str | None,
        typer.Option(
            "--value-column",
            help="Column of the latencies (--latency-column is the same). Default: latency.",
        ),
    ] = None,
    latency_column: Annotated[str | None, typer.Option("--latency-column", hidden=True)] = None,
    skip_failed: Annotated[
        bool,
        typer.Option("--skip-failed", help="Leave out rows whose latency is OOM, -1, 0, inf ..."),
    ] = False,
    batch: Annotated[
        int | None, typer.Option("--batch", min=1, max=65_536, help="Batch size measured at.")
    ] = None,
    channels: Annotated[
        int | None,
        typer.Option(min=1, max=4_096, help="Initial channels of the networks measured."),
    ] = None,
    cells: Annotated[
        int | None, typer.Option(min=1, max=1_000, help="Searched cells of the networks measured.")
    ] = None,
    image: Annotated[
        str | None,
        typer.Option(help="Their image: its side, or channels, height and width: 32 or 3x32x32."),
    ] = None,
    metric: Annotated[str, typer.Option("--metric", help="latency or energy.")] = "latency",
    seed: Annotated[
        int,
        typer.Option("--seed", min=0, max=2**31 - 1, help="Seed of the cross-validation's splits."),
    ] = 0,
    as_json: Json = False,
) -> None:
    """Fit a latency table to networks that were measured elsewhere."""
    from datetime import datetime, timezone

    from hwnas.cli.devices_fit_output import print_fit, spread, summary
    from hwnas.config.typed_space import typed_space
    from hwnas.costs.latency_csv import read_measured
    from hwnas.costs.latency_fit import digest, fit_measured
    from hwnas.costs.tables import BENCHMARK, default_path, family_of
    from hwnas.costs.units import check_range
    from profilers.errors import InputError, nearest
    from profilers.table import UNITS, save

    of_space = typed_space(space)
    if metric not in UNITS:
        raise InputError(f"--metric: {metric!r} is none{nearest(metric, UNITS)}")
    name, known = named_device(device)
    network = network_of(of_space, channels, cells, image)
    measured = read_measured(
        csv,
        of_space,
        arch_column=arch_column,
        latency_column=latency_column if value_column is None else value_column,
        unit=unit,
        skip_failed=skip_failed,
        metric=metric,
    )
    if metric == "latency":
        check_range(csv, measured, unit, known, of_space, network, batch or 1)
    provenance = {
        "source": csv.name,
        "sha256": digest(csv),
        "unit": measured.unit,
        "latency_column": measured.column,
        "time": datetime.now(timezone.utc).isoformat(timespec="seconds"),
    }
    table = fit_measured(
        of_space,
        measured,
        device=name,
        batch=batch,
        provenance=provenance,
        seed=seed,
        network=network,
        metric=metric,
    )
    of = family_of(of_space, network or BENCHMARK)
    path = out or default_path(name, of, batch or 1, metric=metric)
    if out is None:
        path.parent.mkdir(parents=True, exist_ok=True)
    save(table, path)
    found = {**summary(table, path), "latency_ms": spread(measured)}
    if as_json:
        echo_json(found)
    else:
        print_fit(table, path, found, device, space)


def predict(
    table: Annotated[
        str, typer.Argument(help="A table: a file, or a name of `hwnas devices tables`.")
    ],
    csv: Annotated[Path, typer.Option("--csv", help="CSV (or CSV.gz) of architectures.")],
    out: Annotated[Path, typer.Option("--out", help="CSV to write: arch, latency_ms.")],
    arch_column: Arch = None,
    as_json: Json = False,
) -> None:
    """Predict the latencies of many architectures from a table."""
    from hwnas.costs.features import is_constant
    from hwnas.costs.latency import TablePredictor
    from hwnas.costs.latency_csv import read_architectures, write_predictions
    from hwnas.costs.table_chain import learn_chain
    from hwnas.costs.tables import find_table
    from profilers.table import load

    path = Path(table) if Path(table).is_file() else find_table(table)
    found = load(path)
    learn_chain(found, str(path))
    predictor = TablePredictor(table=found, source=str(path))
    texts, choices = read_architectures(csv, predictor.space, arch_column)
    interval = predictor.interval(choices)
    write_predictions(out, texts, predictor.predict(choices), interval)
    folded = int(is_constant(predictor.space, choices).sum())
    if as_json:
        report = {
            "table": str(path),
            "device": predictor.table.device,
            "rows": len(texts),
            "folded": folded,
        }
        echo_json({**report, "origin": predictor.origin, "unit": "ms", "out": str(out)})
        return
    echo(f"{out}: {len(texts)} latencies in ms on {predictor.table.device} (table {path})")
    if interval is not None:
        echo("low_ms and high_ms are the ends of their 90 % intervals")
    if folded:
        echo(
            f"{folded} of them do not depend on their image: a compiler folds these, trust them"
            " least"
        )


def named_device(word: str) -> tuple[str, Device | None]:
    """The name of a device, from its file where there is one, and the device; a name that is not
    known stands.

    Raises InputError for a file that is not there or is no device's.
    """
    from hwnas.catalog import find_device, looks_like_path
    from profilers.device import load
    from profilers.errors import InputError

    try:
        path = find_device(word)
    except InputError:
        if looks_like_path(word):
            raise
        if not word.strip() or len(word) > 100 or not word.isprintable():
            raise InputError("--device: expected a name of 1 to 100 printable characters") from None
        return word, None
    device = load(path)
    return device.name, device


def network_of(
    space: Space, channels: int | None, cells: int | None, image: str | None
) -> NetworkSize | None:
    """Which networks were measured; None where nothing is said about them."""
    from hwnas.cli.devices_calibrate import size_of_networks
    from hwnas.cli.values import image_size
    from profilers.table import NetworkSize

    if channels is None and cells is None and image is None:
        return None
    size = image_size("32" if image is None else image)
    usual_channels, usual_cells = size_of_networks(space, channels, cells)
    return NetworkSize(channels=usual_channels, cells=usual_cells, classes=10, image=size)
