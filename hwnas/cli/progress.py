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
        print(describe(progress), file=sys.stderr)


def describe(progress: Progress) -> str:
    """Stage, epoch, loss, accuracy, entropy of each policy and the time left, in one line."""
    parts = [
        f"stage {progress.stage + 1}/{progress.stages}",
        f"epoch {progress.epoch}/{progress.epochs}",
        f"loss {progress.loss:.3f}",
    ]
    if progress.accuracy is not None:
        parts.append(f"accuracy {progress.accuracy:.3f} (shared weights)")
    if progress.entropies:
        parts.append("entropy " + " ".join(f"{value:.0f}" for value in progress.entropies) + " nats")
    left = progress.seconds * (1 - progress.share_done) / max(progress.share_done, 1e-9)
    parts.append(f"{progress.evaluations} evaluations, {progress.seconds:.0f} s, about {left:.0f} s left")
    return ", ".join(parts)


@contextmanager
def _live() -> Iterator[Callable[[Progress], None]]:
    from rich.console import Console
    from rich.progress import BarColumn, TaskProgressColumn, TextColumn, TimeElapsedColumn
    from rich.progress import Progress as Bar

    columns = (BarColumn(), TaskProgressColumn(), TimeElapsedColumn(), TextColumn("{task.description}"))
    with Bar(*columns, console=Console(stderr=True), transient=True) as bar:
        task = bar.add_task("starting", total=1.0)
        yield lambda progress: bar.update(task, completed=progress.share_done, description=describe(progress))
