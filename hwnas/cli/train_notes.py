"""What `hwnas train` says, here and on Ray: what begins, what is left out, what ends it early."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

from hwnas.cli.outside import echo
from hwnas.errors import quoted
from profilers.errors import InputError, nearest

if TYPE_CHECKING:
    from hwnas.runs.directory import Run
    from hwnas.runs.models import Model
    from hwnas.training.dataset import Dataset
    from hwnas.training.loop import TrainingDiverged
    from hwnas.training.recipe import Recipe

DEVICES = ("auto", "cpu", "cuda")


def announced(models: list[Model], dataset: Dataset, recipe: Recipe, place: str) -> str:
    """What is about to be trained, in a line."""
    return (
        f"{len(models)} to train on {dataset.name} by recipe {recipe.name}: {recipe.epochs} epochs,"
        f" on {place}"
    )


def warned(line: str) -> None:
    """Print a warning, whether quiet or not."""
    echo(f"warning: {line}", err=True)


def left_out(model: Model, error: TrainingDiverged) -> None:
    """Warn of a training that diverged."""
    warned(f"{model.name} is left out: {error}")


@contextmanager
def told(run: Run) -> Iterator[None]:
    """Say what ends a training early in one line: a directory that can't be written
    (InputError), or Ctrl-C."""
    try:
        yield
    except OSError as error:
        raise InputError(f"train: {run.path} can't be written: {error.strerror or error}") from None
    except KeyboardInterrupt:
        echo(
            f"stopped; the same command goes on: hwnas train {quoted(run.path)} ...",
            err=True,
        )
        raise


def known_device(name: str) -> str:
    """``auto``, ``cpu`` or ``cuda``. Raises InputError with the nearest."""
    if name not in DEVICES:
        raise InputError(f"device: unknown {name!r}{nearest(name, DEVICES)}")
    return name
