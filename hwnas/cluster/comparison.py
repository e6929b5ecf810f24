"""What a sweep found: a row per run, means over seeds, and one report of all runs that have
ended."""

from __future__ import annotations

import json
from collections.abc import Sequence
from datetime import datetime, timezone
from pathlib import Path
from statistics import fmean, stdev
from typing import Any

from hwnas import __version__
from hwnas.cluster.sweep_file import Planned, state_of
from hwnas.runs.atomic import atomic_write
from hwnas.runs.directory import open_run
from hwnas.runs.summary import health_lines, read_front
from profilers.errors import InputError

SWEEP = "sweep.json"
REPORT = "report.html"
FIGURES = ("hypervolume", "random_hypervolume", "best_accuracy", "evaluations", "seconds")


def compare(runs: Sequence[Planned], out: Path) -> dict[str, Any]:
    """{"runs": a row per run, "over_seeds": means and standard deviations, "comparable": same boxes
    or not}.

    Accuracies in 0..1 are those of shared weights; "notes" are what there is to be known of a
    search. A hypervolume is measured in the box of its run:
    those of other spaces or targets are other boxes, and then "comparable" is false.
    """
    rows = [_row(run, out / run.name) for run in runs]
    ended = [row for row in rows if row["state"] == "finished"]
    boxes = {json.dumps(row.pop("bounds"), sort_keys=True) for row in ended}
    return {"runs": rows, "over_seeds": over_seeds(ended), "comparable": len(boxes) <= 1}


def _row(run: Planned, path: Path) -> dict[str, Any]:
    row: dict[str, Any] = {
        "name": run.name,
        "path": str(path),
        "values": run.values,
        "state": state_of(path),
    }
    if row["state"] != "finished":
        return row
    summary = read_front(open_run(path))
    if not summary.members:
        raise InputError(f"{path / 'front.json'}: its front is empty")
    return {
        **row,
        "hypervolume": float(summary.hypervolume),
        "random_hypervolume": float(summary.baseline.random_hypervolume),
        "best_accuracy": max(float(member.accuracy.value) for member in summary.members),
        "front": len(summary.front),
        "evaluations": summary.evaluations,
        "seconds": float(summary.seconds),
        "notes": health_lines(summary.health or []),
        "bounds": summary.bounds,
    }


def over_seeds(rows: Sequence[dict[str, Any]]) -> list[dict[str, Any]]:
    """Rows that differ in their seed alone, as one: {"values", "seeds", FIGURE: {"mean",
    "deviation"}}.

    ``deviation`` is the sample standard deviation, None of a single seed. Empty where no list of
    seeds was given.
    """
    groups: dict[str, list[dict[str, Any]]] = {}
    for row in rows:
        if "seed" in row["values"]:
            rest = {key: value for key, value in row["values"].items() if key != "seed"}
            groups.setdefault(json.dumps(rest, default=str), []).append(row)
    found = []
    for several in groups.values():
        values = {key: value for key, value in several[0]["values"].items() if key != "seed"}
        entry: dict[str, Any] = {
            "values": values,
            "seeds": [row["values"]["seed"] for row in several],
        }
        for name in FIGURES:
            numbers = [float(row[name]) for row in several]
            deviation = stdev(numbers) if len(numbers) > 1 else None
            entry[name] = {"mean": fmean(numbers), "deviation": deviation}
        found.append(entry)
    return found


def write_comparison(runs: Sequence[Planned], out: Path, found: dict[str, Any]) -> Path | None:
    """Write sweep.json and report.html into ``out``; returns the report's path, None where no
    run has ended."""
    from hwnas.report.load import load_run
    from hwnas.report.page import page

    atomic_write(out / SWEEP, (json.dumps(found, indent=1, default=str) + "\n").encode())
    ended = [load_run(out / run.name) for run in runs if state_of(out / run.name) == "finished"]
    if not ended:
        return None
    now = datetime.now(timezone.utc).isoformat(timespec="seconds")
    atomic_write(out / REPORT, page(ended, [], __version__, now).encode())
    return out / REPORT
