"""``hwnas doctor``: is the installation whole, what can be measured here, and how is a run?"""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path
from typing import Annotated

import typer

from hwnas.cli.outside import echo, echo_json

MARKS = {"ok": "  ok     ", "note": "  note   ", "problem": "  PROBLEM"}


def doctor(
    run: Annotated[Path | None, typer.Argument(help="A run directory to look at, too.")] = None,
    json: Annotated[bool, typer.Option("--json", help="Only JSON on standard output.")] = False,
) -> None:
    """Check installation, hardware, back ends and, where one is named, a run directory; exit code 1 for problems."""
    from hwnas.doctor import examine

    found, area = [], ""
    for finding in examine(run):
        found.append(finding)
        if json:
            continue
        if finding.area != area:
            area = finding.area
            echo(area)
        tail = f"; {finding.advice}" if finding.advice else ""
        echo(f"{MARKS[finding.level]} {finding.text}{tail}")
    if json:
        echo_json([asdict(finding) for finding in found])
    if any(finding.level == "problem" for finding in found):
        raise typer.Exit(1)
