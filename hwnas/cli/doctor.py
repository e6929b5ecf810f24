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
    data: Annotated[
        str | None,
        typer.Option(
            help="Images to look at instead: a folder, an .npz file or a name, as in hwnas search."
        ),
    ] = None,
    test: Annotated[
        Path | None, typer.Option(help="With --data: the test images, as in hwnas search.")
    ] = None,
    data_root: Annotated[Path | None, typer.Option(help="Folder of the public data sets.")] = None,
    json: Annotated[bool, typer.Option("--json", help="Only JSON on standard output.")] = False,
) -> None:
    """Check installation, hardware, back ends and, if named, a run; exit code 1 for problems.

    With --data PHOTOS: every image that is unreadable (exit code 2), odd, turned, twice or hidden.
    """
    from hwnas.doctor import examine, examine_data
    from profilers.errors import InputError

    if test is not None and data is None:
        raise InputError("test: needs the training images, --data")
    if run is not None and data is not None:
        raise InputError("doctor: looks at a run or at images (--data), not at both at once")
    found, area = [], ""
    for finding in examine(run) if data is None else examine_data(data, data_root, test):
        found.append(finding)
        if json:
            continue
        if finding.area != area:
            area = finding.area
            echo(area)
        tail = f"; {finding.advice}" if finding.advice else ""
        echo(f"{MARKS[finding.level]} {finding.text}{tail}")
        for file in finding.files:
            echo(f"{' ' * len(MARKS[finding.level])}   {file}")
    if json:
        echo_json([asdict(finding) for finding in found])
    if any(finding.level == "problem" for finding in found):
        raise typer.Exit(1 if data is None else 2)
