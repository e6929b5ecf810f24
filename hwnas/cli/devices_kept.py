"""`hwnas devices tables`: which latency tables there are, what each is about, how near it is."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from hwnas.cli.outside import echo, echo_json

if TYPE_CHECKING:
    from profilers.table import Table


def tables(
    as_json: Annotated[
        bool, typer.Option("--json", help="Print JSON, and nothing else, on stdout.")
    ] = False,
) -> None:
    """The latency tables that searches find by themselves: your own, then those that ship."""
    from hwnas.costs.tables import all_tables, described, user_folder
    from profilers.errors import InputError
    from profilers.table import load

    rows: list[dict[str, Any]] = []
    for path in all_tables():
        try:
            table = load(path)
            rows.append(_row(path, table, described(table)))
        except InputError as error:
            rows.append({"name": path.stem, "problem": str(error), "path": str(path)})
    if as_json:
        echo_json(rows)
        return
    for row in rows:
        echo(row["name"])
        echo(f"  {row['problem']}" if "problem" in row else f"  {row['about']}")
        for line in row.get("notes", ()):
            echo(f"  {line}")
    if not rows:
        echo(f"no tables yet; `hwnas devices calibrate` and `fit` keep theirs in {user_folder()}")


def _row(path: Path, table: Table, about: str) -> dict[str, Any]:
    """What is said of one table."""
    from hwnas.costs.tables import why_not_found

    agreement = table.agreement.get("held_out") or table.agreement.get("cross_validation") or {}
    error, tau = agreement.get("mape_percent"), agreement.get("kendall_tau")
    made = str(table.provenance.get("time") or "")[:10]
    why = why_not_found(table.device, table, path)
    notes = [
        f"off by {error:.2g} % (MAPE), Kendall's tau {tau:.2f}" if error and tau else "",
        f"made on {made}" if made else "",
    ]
    return {
        "name": path.stem,
        "device": table.device,
        "space": table.space,
        "metric": table.metric,
        "about": about,
        "mape_percent": error,
        "kendall_tau": tau,
        "time": table.provenance.get("time"),
        "found_by_searches": not why,
        "path": str(path),
        "notes": [
            *([", ".join(filter(None, notes))] if any(notes) else []),
            *([f"no search finds it by itself: {why}"] if why else []),
        ],
    }
