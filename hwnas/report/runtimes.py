"""A run's networks in several runtimes: what `hwnas profile RUN --backend a,b` kept, as tables."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

from hwnas import files
from hwnas.measuring.comparison import Comparison, compared
from hwnas.report.load import RunData
from hwnas.runs.measurements import read_profile
from profilers.errors import InputError, shown, visible
from profilers.measurement import Measurement, Outcome

FOLDER = "profiles"


def across_runtimes(data: RunData) -> list[dict[str, Any]]:
    """A section for each target on which at least two runtimes measured the run's networks.

    Raises InputError for a file of measurements that is none.
    """
    folder = data.run.path / FOLDER
    sections = []
    for path in sorted(folder.glob("*.jsonl.gz")) if folder.is_dir() else ():
        # The same file, by a name that is known not to lead out of the run.
        if not files.exists(path, data.run.path):
            continue
        lines = read_profile(path)
        comparison = compared([row for line in lines for row in _measured(path.name, line)])
        if len(comparison.runtimes) > 1:
            sections.append(_section(path.name.removesuffix(".jsonl.gz"), comparison, lines))
    return sections


def _measured(name: str, line: Mapping[str, Any]) -> list[tuple[str, Outcome]]:
    """(network, measurement) of one line, nothing for a failure."""
    if line.get("value") is None:
        return []
    try:
        return [(visible(str(line["key"])), Measurement.from_dict(shown(line)))]
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise InputError(f"{FOLDER}/{name}: no measurement of hwnas profile ({error})") from None


def _section(
    target: str, comparison: Comparison, lines: Sequence[Mapping[str, Any]]
) -> dict[str, Any]:
    """Runtime x network, and Kendall's tau between runtimes."""
    tables = [
        {
            "title": "latency in ms, with 95 % intervals; ◆ the fastest in a runtime",
            "columns": ["network", *comparison.runtimes],
            "rows": _latencies(comparison),
        }
    ]
    if len(comparison.networks) > 2:
        tables.append(
            {
                "title": "Kendall's tau between runtimes; on the diagonal the ceiling",
                "columns": ["runtime", *comparison.runtimes],
                "rows": [
                    [name, *("" if math.isnan(tau) else f"{tau:.2f}" for tau in row)]
                    for name, row in zip(comparison.runtimes, comparison.agreement(), strict=True)
                ],
            }
        )
    failed = sum(line.get("name") == "latency" and line.get("value") is None for line in lines)
    notes = [
        *comparison.lines(),
        "the ceiling: how well the first half of a runtime's samples agrees with the second",
        *([f"{failed} measurements failed"] if failed else []),
    ]
    return {
        "title": f"The same networks in several runtimes on {visible(target)}",
        "note": ". ".join(note[0].upper() + note[1:] for note in notes) + ".",
        "charts": [],
        "tables": tables,
    }


def _latencies(comparison: Comparison) -> list[list[str]]:
    """A row per network, the fastest of each runtime marked."""
    fastest = comparison.fastest()
    rows = []
    for row, network in enumerate(comparison.networks):
        cells = [network]
        for column, runtime in enumerate(comparison.runtimes):
            value = comparison.latency_ms[row, column]
            if math.isnan(value):
                cells.append("")
                continue
            low, high = comparison.low[row, column], comparison.high[row, column]
            # Narrow, so that five runtimes stand side by side.
            mark = " ◆" if fastest[runtime] == network else ""
            cells.append(f"{value:.4g} ({low:.4g}..{high:.4g}){mark}")
        rows.append(cells)
    return rows
