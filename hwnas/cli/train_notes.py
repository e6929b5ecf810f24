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
    from hwnas.training.epochs import EpochPlan
    from hwnas.training.loop import TrainingDiverged
    from hwnas.training.recipe import Recipe
    from hwnas.training.train import Trained

DEVICES = ("auto", "cpu", "cuda")


def announced(
    models: list[Model], dataset: Dataset, recipe: Recipe, place: str, plan: EpochPlan
) -> str:
    """What is about to be trained, in a line."""
    epochs = sorted(set(plan.epochs.values()))
    words = f"{epochs[0]} to {epochs[-1]}" if len(epochs) > 1 else f"{epochs[0]}"
    words += " epoch" if epochs == [1] else " epochs"
    return f"{len(models)} to train on {dataset.name} by recipe {recipe.name}: {words}, on {place}"


def epochs_of(result: Trained) -> str:
    """How many epochs a training made, and which of them counts where patience ended it."""
    words = "1 epoch" if result.epochs == 1 else f"{result.epochs} epochs"
    if result.kept_epoch in (None, result.epochs):
        return words
    return f"{words}, of which epoch {result.kept_epoch} is kept"


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
