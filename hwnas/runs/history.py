"""history.jsonl of a run directory: what the policies had come to at the end of every epoch, append
only.

Trials say what was evaluated; these lines say what was believed. They hold nothing that depends on
the clock, so a search that was stopped and resumed leaves the same file as one that was not.
"""

from __future__ import annotations

import json
import math
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from hwnas import files
from hwnas.runs.directory import Run, keeping_run
from hwnas.runs.lines import append_lines, no_number, whole_lines
from hwnas.space.space import Choices
from profilers.errors import InputError

Tables = NDArray[np.float64]
"""softmax(alpha) of K policies, (K, edges, operations); K = 0 for a search without policies."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Epoch:
    """The end of one epoch: mean loss and accuracy of it, and of each policy its entropy, cell and
    probabilities.

    ``accuracy`` in 0..1, of the sub-networks that the epoch evaluated; None where it evaluated
    none. ``derived``: (K, edges) operation indices. ``probabilities``: (K, edges, operations) in
    thousandths.
    """

    stage: int
    epoch: int
    evaluations: int
    loss: float | None
    accuracy: float | None
    entropies: tuple[float, ...]
    derived: tuple[tuple[int, ...], ...]
    probabilities: tuple[tuple[tuple[int, ...], ...], ...]


def epoch_of(
    position: tuple[int, int, int],
    losses: Sequence[float],
    accuracies: Sequence[float],
    entropies: Sequence[float],
    tables: Tables,
    derived: Sequence[Choices],
) -> Epoch:
    """The line of one epoch; ``position``: stage, epoch, evaluations so far."""
    stage, epoch, evaluations = position
    thousandths = np.rint(1000 * tables).astype(int)
    return Epoch(
        stage=stage,
        epoch=epoch,
        evaluations=evaluations,
        loss=_mean(losses),
        accuracy=_mean(accuracies),
        entropies=tuple(round(value, 4) for value in entropies),
        derived=tuple(tuple(int(op) for op in one) for one in derived),
        probabilities=tuple(tuple(tuple(row) for row in table) for table in thousandths.tolist()),
    )


def history_path(run: Run) -> Path:
    """One JSON object per epoch, append only."""
    return run.path / "history.jsonl"


def append_epoch(run: Run, epoch: Epoch) -> None:
    """Add a line and give it to the system. Raises Stopped where the file system refuses."""
    append_lines(run, history_path(run), [epoch])


def read_history(run: Run) -> list[Epoch]:
    """All whole lines; a torn last one is passed over, and a run of an older version has none."""
    found: list[Epoch] = []
    for line in whole_lines(run, history_path(run)):
        epoch = _epoch(history_path(run), line)
        counts = {len(epoch.entropies), len(epoch.derived), len(epoch.probabilities)}
        alike = counts == {len((found or [epoch])[0].entropies)}
        if not alike or not 0 <= epoch.stage < len(run.config.stages) or epoch.epoch < 0:
            raise InputError(f"{history_path(run)}: damaged line {line[:40]!r}")
        found.append(epoch)
    return found


def truncate_history(run: Run, stage: int, epoch: int) -> None:
    """Keep the lines of epochs before this one: what a checkpoint knows of.

    The rest will be made again.
    """
    path = history_path(run)
    if not files.exists(path, run.path):
        return
    kept = 0
    for line in whole_lines(run, path):
        found = _epoch(path, line)
        if (found.stage, found.epoch) >= (stage, epoch):
            break
        kept += len(line)
    with keeping_run(run):
        files.truncate(path, run.path, kept)


def _epoch(path: Path, line: bytes) -> Epoch:
    try:
        data: dict[str, Any] = json.loads(line, parse_constant=no_number)
        return Epoch(
            stage=int(data["stage"]),
            epoch=int(data["epoch"]),
            evaluations=int(data["evaluations"]),
            loss=_number(data["loss"]),
            accuracy=_number(data["accuracy"]),
            entropies=tuple(float(value) for value in data["entropies"]),
            derived=tuple(tuple(int(op) for op in one) for one in data["derived"]),
            probabilities=tuple(
                tuple(tuple(int(p) for p in row) for row in table)
                for table in data["probabilities"]
            ),
        )
    except (ValueError, TypeError, KeyError, AttributeError, OverflowError, RecursionError):
        raise InputError(f"{path}: damaged line {line[:40]!r}") from None


def _number(value: Any) -> float | None:
    return None if value is None else float(value)


def _mean(values: Sequence[float]) -> float | None:
    """The mean, None where there is none or it is no number."""
    found = float(np.mean(values)) if len(values) else math.nan
    return round(found, 6) if math.isfinite(found) else None
