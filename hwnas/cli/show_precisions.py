"""Trained networks in the precisions of their exported files, below the front of ``hwnas show``."""

from __future__ import annotations

from typing import TYPE_CHECKING

from hwnas.cli.outside import echo, print_table, table

if TYPE_CHECKING:
    from hwnas.runs.precision_record import PrecisionFront, PrecisionPoint


def print_precisions(found: PrecisionFront) -> None:
    """A row for each network and precision, the quickest first; then files that do not pay."""
    from rich import box

    beside = "latency" if found.by == "latency" else "size"
    grid = table(
        title=f"Exported files; *: on the front of accuracy and {beside}",
        title_justify="left",
        box=box.SIMPLE_HEAD,
        padding=(0, 1, 0, 0),
        pad_edge=False,
    )
    grid.add_column("network", overflow="fold", min_width=10)
    grid.add_column("file", no_wrap=True)
    for header in ("accuracy\n(val)", "accuracy\n(test)", "ms", "95 % of ms", "KiB"):
        grid.add_column(header, justify="right", no_wrap=True)
    for point in sorted(found.points, key=_place):
        grid.add_row(*_cells(point))
    print_table(grid)
    for note in found.notes:
        echo(f"note: {note}")


def _place(point: PrecisionPoint) -> tuple[float, int]:
    """By latency, what has none last; then by size."""
    latency = float("inf") if point.latency is None else float(point.latency.value)
    return latency, point.size


def _cells(point: PrecisionPoint) -> list[str]:
    measured = ["", ""]
    if point.latency is not None:
        low, high = point.latency.interval
        measured = [f"{point.latency.value:.3g}", f"{low:.3g}..{high:.3g}"]
    elif point.failure is not None:
        measured = ["failed", point.failure.reason]
    return [
        f"{point.network} *" if point.on_front else point.network,
        f"{point.precision} {point.runtime}",
        f"{point.accuracy.value:.4f}",
        "" if point.test_accuracy is None else f"{point.test_accuracy:.4f}",
        *measured,
        f"{point.size / 1024:,.0f}",
    ]
