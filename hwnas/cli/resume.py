"""``hwnas resume``: go on with a search that was stopped."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from hwnas.cli import processes as several
from hwnas.cli.outside import echo


def resume(
    context: typer.Context,
    run: Annotated[Path, typer.Argument(help="A run directory.")],
    processes: Annotated[int | None, typer.Option(help=several.HELP)] = None,
    data_root: Annotated[Path | None, typer.Option(help="Folder of the public data sets.")] = None,
    download: Annotated[
        bool, typer.Option("--download", help="Fetch a missing public data set.")
    ] = False,
    json: Annotated[bool, typer.Option("--json", help="Only JSON on standard output.")] = False,
    quiet: Annotated[bool, typer.Option("--quiet", "-q", help="No progress.")] = False,
) -> None:
    """Go on from the last checkpoint; a search that has ended is only shown."""
    from hwnas.cli.progress import notes, watching
    from hwnas.cli.show import print_summary

    several.launched(processes, context.find_root().obj)
    from hwnas.runs.summary import read_front
    from hwnas.search.search import resume as go_on

    with several.joined() as ranks:
        if not ranks.is_main:
            go_on(run, ranks=ranks, root=data_root, download=download)
            return
        try:
            with watching(quiet, run) as watch:
                found = go_on(
                    run, watch, say=notes(quiet), ranks=ranks, root=data_root, download=download
                )
        except KeyboardInterrupt:
            echo(f"stopped; go on with: hwnas resume {run}{several.again(ranks)}", err=True)
            raise
        print_summary(read_front(found), run, json)
