"""Live progress on standard error: quiet when told so, or when nobody watches."""

from __future__ import annotations

import math
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING

from hwnas.cli import processes
from hwnas.cli.outside import console, echo
from profilers.errors import visible

if TYPE_CHECKING:
    from hwnas.search.progress import SearchProgress


EVENTS_SHARE = 0.01
"""Of the search's time that TensorBoard's events may take while it runs."""
LATEST = 200
QUIET_SECONDS = 60.0


def notes(quiet: bool) -> Callable[[str], None]:
    """A function that prints one line to standard error, or nothing."""
    return (lambda line: None) if quiet else step


def step(line: str) -> None:
    """Print what is being done to standard error, fainter than a note about it."""
    is_marked = line.startswith(("note:", "warning:"))
    echo(line, err=True, kind="" if is_marked else "step")


def reading(line: str) -> None:
    """Print how far a long look at files is, unless the command was told to be quiet; one of
    several processes of a search says it."""
    # Typer hands its context to commands alone, and this is heard from deep below them.
    if "--quiet" not in sys.argv and not processes.follows():
        step(line)


@contextmanager
def watching(
    quiet: bool, run: Path, verbose: bool = False
) -> Iterator[Callable[[SearchProgress], None]]:
    """Yield what the search in ``run`` tells its progress to: a live view at a terminal, a line a
    minute elsewhere. ``verbose``: with the entropies of the policies.

    TensorBoard's events are brought up to date as long as that takes little time, and when the
    search has ended.
    """
    shown: Callable[[SearchProgress], None] = _lines(verbose)
    with ExitStack() as stack:
        if quiet:
            shown = lambda progress: None  # noqa: E731
        elif sys.stderr.isatty():
            shown = stack.enter_context(_live(run, verbose))

        took, done = 0.0, time.monotonic()

        def watch(progress: SearchProgress) -> None:
            nonlocal took, done
            shown(progress)
            began = time.monotonic()
            if began - done > took / EVENTS_SHARE:
                _record(run)
                done = time.monotonic()
                took = done - began

        yield watch
    _record(run)


def _record(run: Path) -> None:
    """Write the events; a search does not end because they can't be written."""
    from hwnas.report.events import write_events
    from hwnas.runs.directory import open_run

    with suppress(Exception):
        write_events(open_run(run))


def _lines(verbose: bool) -> Callable[[SearchProgress], None]:
    """What prints a line at the end of a stage, and otherwise when none has come for a minute."""
    last = time.monotonic()

    def show(progress: SearchProgress) -> None:
        nonlocal last
        if progress.epoch == progress.epochs or time.monotonic() - last > QUIET_SECONDS:
            step(", ".join(describe(progress, verbose)))
            last = time.monotonic()
        for note in progress.notes:
            echo(f"note: {note}", err=True)

    return show


def describe(progress: SearchProgress, verbose: bool = False) -> tuple[str, ...]:
    """Where the search is, how well it does and, with ``verbose``, how undecided its policies are:
    short lines."""
    left = progress.seconds * (1 - progress.share_done) / max(progress.share_done, 1e-9)
    rest = "scoring the finalists" if progress.share_done >= 1 else f"about {left:.0f} s left"
    where = (
        f"stage {progress.stage + 1}/{progress.stages}, epoch {progress.epoch}/{progress.epochs},"
        f" {progress.seconds:.0f} s, {rest}"
    )
    # A stage that trains nothing has none.
    loss = "" if math.isnan(progress.loss) else f"loss {progress.loss:.3f}, "
    if progress.accuracy is not None:
        loss += f"accuracy {progress.accuracy:.3f} (shared weights), "
    loss += f"{progress.evaluations:,} networks tried"
    if not verbose:
        return where, loss
    entropies = " ".join(f"{value:.0f}" for value in progress.entropies)
    return where, loss, f"entropy {entropies} nats" if entropies else "no policy"


@contextmanager
def _live(run: Path, verbose: bool) -> Iterator[Callable[[SearchProgress], None]]:
    """A bar with three lines and the present front under it, redrawn after every epoch; gone in
    the end."""
    from rich.live import Live
    from rich.progress_bar import ProgressBar
    from rich.table import Table
    from rich.text import Text

    from hwnas.cli.chart import chart, follow

    dots = follow(run / "trials.jsonl", None)
    with Live("starting", console=console(stderr=True), transient=True) as live:

        def watch(progress: SearchProgress) -> None:
            bar = ProgressBar(total=1.0, completed=progress.share_done, width=60)
            lines = Table.grid()
            lines.add_row(bar)
            for row in describe(progress, verbose):
                lines.add_row(row)
            drawn = chart(
                dots()[-LATEST:], f"first cost; the latest {LATEST} evaluations, one batch each"
            )
            if drawn:
                lines.add_row(Text(drawn, no_wrap=True))
            live.update(lines)
            for note in progress.notes:
                live.console.print(f"note: {visible(note)}")

        yield watch
