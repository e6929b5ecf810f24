"""``hwnas resume``: go on with a search that was stopped."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

from hwnas.cli import processes as several
from hwnas.cli.outside import echo
from hwnas.errors import quoted


def resume(
    context: typer.Context,
    run: Annotated[Path, typer.Argument(help="A run directory.", metavar="RUN")],
    processes: Annotated[int | None, typer.Option(help=several.HELP)] = None,
    data: Annotated[
        str | None, typer.Option(help="Where the images of the search are now, if they have moved.")
    ] = None,
    test: Annotated[
        Path | None, typer.Option(help="Where its folder of test images is now.")
    ] = None,
    data_root: Annotated[Path | None, typer.Option(help="Folder of the public data sets.")] = None,
    download: Annotated[
        bool, typer.Option("--download", help="Fetch a missing public data set.")
    ] = False,
    json: Annotated[bool, typer.Option("--json", help="Only JSON on standard output.")] = False,
    quiet: Annotated[bool, typer.Option("--quiet", "-q", help="No progress.")] = False,
    verbose: Annotated[
        bool, typer.Option("--verbose", help="Also the entropies of the policies.")
    ] = False,
) -> None:
    """Go on from the last checkpoint; a search that has ended is only shown."""
    from hwnas.cli.progress import notes, watching
    from hwnas.cli.show import print_summary

    several.launched(processes, context.find_root().obj)
    from hwnas.nets.fast.allocator import keep_freed_memory
    from hwnas.runs.summary import read_front
    from hwnas.runs.verdict import with_verdict
    from hwnas.search.search import resume as go_on

    keep_freed_memory()
    images: dict[str, Any] = {
        "root": data_root,
        "download": download,
        "source": data,
        "test": test,
    }
    with several.joined() as ranks:
        if not ranks.is_main:
            go_on(run, ranks=ranks, **images)
            return
        try:
            with watching(quiet, run, verbose) as watch:
                found = go_on(run, watch, say=notes(quiet), ranks=ranks, **images)
        except KeyboardInterrupt:
            echo(
                f"stopped; go on with: hwnas resume {quoted(run)}{several.again(ranks)}",
                err=True,
            )
            raise
        print_summary(with_verdict(found, read_front(found)), run, json)
