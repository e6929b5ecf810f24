"""``hwnas report``: one HTML file about one or several runs, and figures for papers."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from hwnas.cli.outside import echo
from profilers.errors import InputError

Option = typer.Option


def report(
    runs: Annotated[
        list[Path], typer.Argument(help="One or several run directories.", metavar="RUN")
    ],
    devices: Annotated[
        str | None,
        Option(help="Also the first run's front across these targets, such as 1080ti,pixel-3."),
    ] = None,
    out: Annotated[
        Path | None, Option(help="The HTML file to write (default: report.html in the run).")
    ] = None,
    figures: Annotated[
        Path | None,
        Option(help="Also write the front and its cells as SVG and PNG into this folder."),
    ] = None,
) -> None:
    """Write a report for any browser, offline: fronts, cells, policies, health, how to repeat it.

    hwnas report runs/NAME --figures figures
    """
    from datetime import datetime, timezone

    from hwnas import __version__
    from hwnas.report.devices import across
    from hwnas.report.figures import write_figures
    from hwnas.report.load import fitting_together, load_run
    from hwnas.report.page import page
    from hwnas.report.precisions import across_precisions
    from hwnas.report.runtimes import across_runtimes
    from hwnas.runs.atomic import atomic_write

    loaded = [load_run(path) for path in runs]
    extra = [across(loaded[0], [word.strip() for word in devices.split(",")])] if devices else []
    extra += [section for one in loaded for section in across_precisions(one)]
    extra += [section for one in loaded for section in across_runtimes(one)]
    now = datetime.now(timezone.utc).isoformat(timespec="seconds")
    with fitting_together(runs[0] / "front.json"):
        text = page(loaded, extra, __version__, now)
    path = out or runs[0] / "report.html"
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        atomic_write(path, text.encode())
        with fitting_together(runs[0] / "front.json"):
            written = [] if figures is None else write_figures(loaded[0], figures)
    except OSError as error:
        raise InputError(
            f"report: {error.filename or path} can't be written: {error.strerror}"
        ) from None
    echo(f"{path} ({len(text) / 2**20:.1f} MiB): open it in a browser")
    if figures is not None:
        echo(f"{figures}: {len(written)} figures")
