"""Live progress on standard error: quiet when told so, or when nobody watches."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from hwnas.search.loop import Progress


def notes(quiet: bool) -> Callable[[str], None]:
    """A function that prints one line to standard error, or nothing."""
    return (lambda line: None) if quiet else (lambda line: print(line, file=sys.stderr))


@contextmanager
def watching(quiet: bool) -> Iterator[Callable[[Progress], None]]:
    """Yield what a search tells its progress to: a live bar at a terminal, a line per stage elsewhere."""
    if quiet:
        yield lambda progress: None
    elif sys.stderr.isatty():
        with _live() as watch:
            yield watch
    else:
        yield _line


def _line(progress: Progress) -> None:
    if progress.epoch == progress.epochs:
        print(", ".join(describe(progress)), file=sys.stderr)
    for note in progress.notes:
        print(f"note: {note}", file=sys.stderr)


def describe(progress: Progress) -> tuple[str, str, str]:
    """Where the search is, how well it does, and how undecided its policies are: three short lines."""
    left = progress.seconds * (1 - progress.share_done) / max(progress.share_done, 1e-9)
    rest = "scoring the finalists" if progress.share_done >= 1 else f"about {left:.0f} s left"
    where = (
        f"stage {progress.stage + 1}/{progress.stages}, epoch {progress.epoch}/{progress.epochs},"
        f" {progress.seconds:.0f} s, {rest}"
    )
    loss = f"loss {progress.loss:.3f}"
    if progress.accuracy is not None:
        loss += f", accuracy {progress.accuracy:.3f} (shared weights)"
    loss += f", {progress.evaluations:,} evaluations"
    entropies = " ".join(f"{value:.0f}" for value in progress.entropies)
    return where, loss, f"entropy {entropies} nats" if entropies else "no policy"


@contextmanager
def _live() -> Iterator[Callable[[Progress], None]]:
    """A bar with three lines under it, redrawn after every epoch; gone when the search is over."""
    from rich.console import Console
    from rich.live import Live
    from rich.progress_bar import ProgressBar
    from rich.table import Table

    with Live("starting", console=Console(stderr=True), transient=True) as live:

        def watch(progress: Progress) -> None:
            bar = ProgressBar(total=1.0, completed=progress.share_done, width=60)
            lines = Table.grid()
            for row in (bar, *describe(progress)):
                lines.add_row(row)
            live.update(lines)
            for note in progress.notes:
                live.console.print(f"note: {note}", markup=False, highlight=False)

        yield watch
