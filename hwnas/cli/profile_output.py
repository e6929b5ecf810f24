"""What `hwnas profile` prints: a table for people, one object for machines."""

from __future__ import annotations

import math
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from hwnas.cli.outside import echo, print_table, table
from hwnas.cli.profile_runtimes import as_dict as comparison_as_dict
from hwnas.cli.profile_runtimes import show_runtimes, split
from profilers.errors import visible

if TYPE_CHECKING:
    from profilers.device import Device
    from profilers.measurement import Outcome
    from profilers.onnx_operations import Operation

    Row = tuple[str, Outcome]

WAITED = 1.5
"""A run that lasted so many times longer on the wall than the network's own time waited for the
processor."""


def as_dict(
    subject: str,
    device: Device,
    rows: Sequence[Row],
    operations: Sequence[tuple[str, Operation]],
    named: bool = False,
) -> dict[str, Any]:
    """The object that `--json` prints. ``named``: with the key of a single network too."""
    several = named or len({key for key, _ in rows}) > 1
    metrics = []
    for key, outcome in rows:
        left_out = ("samples", "series", "better")
        entry = {name: value for name, value in outcome.to_dict().items() if name not in left_out}
        metrics.append({"key": key, **entry} if several else entry)
    answer: dict[str, Any] = {"subject": subject, "target": device.name, "metrics": metrics}
    runs, _ = split(rows)
    if runs:
        from hwnas.measuring.comparison import compared

        answer["runtimes"] = comparison_as_dict(compared(runs))
    return (
        {**answer, "operations": [{"key": key, **vars(operation)} for key, operation in operations]}
        if operations
        else answer
    )


def show(
    subject: str,
    device: Device,
    rows: Sequence[Row],
    operations: Sequence[tuple[str, Operation]],
    knee: str | None = None,
) -> None:
    """Tables for people: one line per metric, with interval and origin; failures and notes
    below. ``knee``: the key that is marked as the knee of a run, where the subject is one."""
    title = f"{short(visible(subject))} on {visible(device.name)}"
    if knee is not None:
        rows = [(f"{key} (knee)" if key == knee else key, outcome) for key, outcome in rows]
        keys = list(dict.fromkeys(key for key, _ in rows))
        title = f"{short(visible(subject))}, {keys[0]}" if len(keys) == 1 else visible(subject)
        title += f" on {visible(device.name)}"
    runs, others = split(rows)
    if others:
        print_table(grid_of(others, title))
    if runs:
        show_runtimes(runs, title)
    for note in notes_of(rows):
        echo(note)
    if operations:
        print_table(operation_grid(operations))


def grid_of(rows: Sequence[Row], title: str) -> Any:
    """One line per metric."""
    grid = table(title=title, title_justify="left")
    several = len({key for key, _ in rows}) > 1
    for header in (
        *(["network"] if several else []),
        "metric",
        "value",
        "interval",
        "unit",
        "origin",
    ):
        grid.add_column(header, justify="right" if header in ("value", "interval") else "left")
    for key, outcome in rows:
        grid.add_row(*([key] if several else []), *cells_of(outcome))
    return grid


def cells_of(outcome: Outcome) -> list[str]:
    """metric, value, interval, unit, origin of one outcome, as text."""
    from profilers.measurement import Failure

    name, unit, receipt = outcome.metric.name, outcome.metric.unit, outcome.receipt
    if isinstance(outcome, Failure):
        return [name, "failed", "", unit, f"{outcome.reason} ({receipt.backend})"]
    count = outcome.origin == "counted"
    value = f"{outcome.value:,.0f}" if count else f"{outcome.value:.4g}"
    # A single sample, or an estimate that says no spread, has no interval.
    interval = f"{outcome.low:.4g} .. {outcome.high:.4g}" if outcome.low < outcome.high else ""
    if count:
        interval = (
            f"{outcome.low:,.0f} .. {outcome.high:,.0f}" if outcome.low < outcome.high else "exact"
        )
        interval = "at least" if outcome.at_least else interval
    return [name, value, interval, unit, f"{outcome.origin} ({receipt.backend})"]


def notes_of(rows: Sequence[Row]) -> list[str]:
    """What a reader should know beside the numbers, each said once."""
    from profilers.measurement import Failure, Measurement

    notes: dict[str, None] = {}
    for _, outcome in rows:
        name, receipt = outcome.metric.name, outcome.receipt
        if isinstance(outcome, Failure):
            by = f" ({receipt.backend})" if receipt.backend else ""
            notes[f"{name}{by}: {outcome.reason}: {outcome.detail}"] = None
        elif outcome.origin == "measured":
            said = f"{name}: {receipt.statistic} on {receipt.host}, {receipt.threads} thread(s)"
            notes[said] = None
        settings = dict(receipt.settings)
        if "reference_now_ms" in settings:
            wall, now, quiet = (
                float(settings[key])
                for key in ("wall_median_ms", "reference_now_ms", "reference_ms")
            )
            own = outcome.value if isinstance(outcome, Measurement) else math.inf
            waited = "; other programs had the core in between" * (wall > WAITED * own)
            notes[
                f"{name} ({receipt.backend}): {settings['runs']} runs, median on the wall"
                f" {wall:.4g} ms{waited}; the reference network took {now:.3g} ms beside"
                f" them, {quiet:.3g} ms when the host is quiet"
            ] = None
        for note in receipt.notes:
            notes[f"{name} ({receipt.backend}): {note}"] = None
    return list(notes)


def folded_notes(subject: str, rows: Sequence[Row]) -> list[str]:
    """Why a file of `hwnas export` has fewer parameters than the run that it is from; none where
    it has not."""
    from hwnas.export.own_files import network_parameters
    from profilers.measurement import PARAMS, Measurement

    if not subject.endswith(".onnx"):
        return []
    own = [one.value for _, one in rows if isinstance(one, Measurement) and one.metric == PARAMS]
    whole = network_parameters(Path(subject))
    if whole is None or not own or own[0] >= whole:
        return []
    return [f"params: the file's own, with BatchNorm folded in; the network has {whole:,}"]


def operation_grid(operations: Sequence[tuple[str, Operation]]) -> Any:
    """The breakdown, the slowest first."""
    grid = table(title=f"operations ({operations[0][1].origin})", title_justify="left")
    for header in ("network", "operation", "kind", "us", "share"):
        grid.add_column(header, justify="right" if header in ("us", "share") else "left")
    for key, operation in operations:
        grid.add_row(
            key,
            operation.name,
            operation.kind,
            f"{operation.us:.1f}",
            f"{100 * operation.share:.1f} %",
        )
    return grid


def short(text: str) -> str:
    """A subject for a title."""
    return text if len(text) <= 60 else text[:57] + "..."
