"""What `hwnas profile` prints of several runtimes: one table, the fastest first, and how far they
agree."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from hwnas.cli.outside import console, echo, table
from profilers.errors import visible

if TYPE_CHECKING:
    from hwnas.measuring.comparison import Comparison
    from profilers.measurement import Outcome

    Row = tuple[str, Outcome]

MEASURED = ("latency", "memory")
OFF_BY = "off by: the largest error of the outputs against float64, of the largest output"


def split(rows: Sequence[Row]) -> tuple[list[Row], list[Row]]:
    """The rows of runtimes, where at least two ran, and all others."""

    def runs(outcome: Outcome) -> bool:
        origin = getattr(outcome, "origin", "measured")
        name = outcome.metric.name
        return name in MEASURED and origin == "measured" and bool(outcome.receipt.backend)

    names = {one.receipt.backend for _, one in rows if runs(one) and one.metric.name == "latency"}
    if len(names) < 2:
        return [], list(rows)
    return [row for row in rows if runs(row[1])], [row for row in rows if not runs(row[1])]


def show_runtimes(rows: Sequence[Row], title: str) -> None:
    """The table: a line per network and runtime, sorted by latency; then what it comes to."""
    from rich import box

    from hwnas.measuring.comparison import compared

    # Narrow, so that a line fits a terminal of 80 columns: versions stand below.
    grid = table(
        title=title, title_justify="left", box=box.SIMPLE_HEAD, padding=(0, 1, 0, 0), pad_edge=False
    )
    several = len({key for key, _ in rows}) > 1
    for header in (*(["network"] if several else []), "runtime"):
        grid.add_column(header, no_wrap=True)
    for header in ("ms", "interval", "off by", "MiB"):
        grid.add_column(header, justify="right")
    for key, cells in lines(rows):
        grid.add_row(*([key] if several else []), *cells)
    console().print(grid)
    for line in (*versions(rows), OFF_BY, *conversions(rows)):
        echo(line)
    comparison = compared(rows)
    for line in comparison.lines():
        echo(line)
    if len(comparison.networks) > 2:
        console().print(agreement(comparison))


def lines(rows: Sequence[Row]) -> list[tuple[str, list[str]]]:
    """(network, cells) of each network and runtime: the fastest first, failures last."""
    from hwnas.measuring.comparison import runtime_name
    from profilers.measurement import Measurement

    memory = {
        (key, runtime_name(one.receipt)): f"{one.value:.1f}"
        for key, one in rows
        if one.metric.name == "memory" and isinstance(one, Measurement)
    }
    found = []
    for key, one in rows:
        if one.metric.name != "latency":
            continue
        receipt = one.receipt
        value, shown = float("inf"), ["failed", getattr(one, "reason", "")]
        if isinstance(one, Measurement):
            interval = f"{one.low:.4g}..{one.high:.4g}" if one.low < one.high else ""
            value, shown = one.value, [f"{one.value:.4g}", interval]
        cells = [runtime_name(receipt), *shown, off_by(one)]
        cells.append(memory.get((key, runtime_name(receipt)), ""))
        found.append((value, key, cells))
    order = list(dict.fromkeys(key for key, _ in rows))
    found.sort(key=lambda row: (order.index(row[1]), row[0]))
    return [(key, cells) for _, key, cells in found]


def versions(rows: Sequence[Row]) -> list[str]:
    """Which versions measured, in a line."""
    receipts = [one.receipt for _, one in rows if one.metric.name == "latency"]
    known = {one.backend: dict(one.versions).get(one.backend, "") for one in receipts}
    words = [f"{name} {version.split('-')[0]}" for name, version in known.items() if version]
    return [f"precision fp32 unless it is named; versions: {', '.join(words)}"] if words else []


def conversions(rows: Sequence[Row]) -> list[str]:
    """How long each runtime's files took to make and to load, in a line, where that is known."""
    from hwnas.measuring.comparison import runtime_name

    longest: dict[str, tuple[float, float]] = {}
    for _, one in rows:
        said = dict(one.receipt.settings)
        if "convert_s" in said and "load_s" in said:
            name, before = runtime_name(one.receipt), (0.0, 0.0)
            took = float(said["convert_s"]), float(said["load_s"])
            longest[name] = max(longest.get(name, before), took, key=sum)
    if not longest:
        return []
    words = (f"{name} {made:.2f} + {read:.2f}" for name, (made, read) in longest.items())
    many = "at most, " if len({key for key, _ in rows}) > 1 else ""
    return [f"converting + loading (and a first run), {many}in seconds: {', '.join(words)}"]


def off_by(one: Outcome) -> str:
    """The largest error relative to the largest output, empty where nothing was compared."""
    settings = dict(one.receipt.settings)
    if "parity_max" not in settings:
        return ""
    largest = max(float(settings["largest_output"]), 1e-12)
    return f"{float(settings['parity_max']) / largest:.1e}"


def agreement(comparison: Comparison) -> Any:
    """Kendall's tau between runtimes; the diagonal is the ceiling."""
    count = len(comparison.networks)
    title = (
        f"Kendall's tau between runtimes over {count} networks (diagonal: halves of the samples)"
    )
    grid = table(title=title, title_justify="left")
    grid.add_column("")
    for name in comparison.runtimes:
        grid.add_column(name, justify="right")
    for name, row in zip(comparison.runtimes, comparison.agreement(), strict=True):
        grid.add_row(name, *("" if tau != tau else f"{tau:.2f}" for tau in row))
    return grid


def as_dict(comparison: Comparison) -> dict[str, Any]:
    """The comparison for `--json`; null where there is nothing."""

    def numbers(rows: Any) -> list[list[float | None]]:
        return [[None if value != value else float(value) for value in row] for row in rows]

    return {
        "networks": [visible(key) for key in comparison.networks],
        "runtimes": list(comparison.runtimes),
        "latency_ms": numbers(comparison.latency_ms),
        "kendall_tau": numbers(comparison.agreement()),
        "fastest": comparison.fastest(),
        "notes": comparison.lines(),
    }
