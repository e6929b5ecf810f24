"""trials.jsonl of a run directory: every evaluation of its search, append only."""

from __future__ import annotations

import json
import math
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any

from hwnas import files
from hwnas.runs.directory import Run, keeping_run
from hwnas.runs.lines import MAX_LINE_BYTES, append_lines, no_number, whole_lines
from profilers.errors import InputError


@dataclass(frozen=True, slots=True, kw_only=True)
class Trial:
    """One evaluation of one sub-network during a search: shared weights, a few validation images.

    ``choices``: operation index per edge. ``accuracy`` in 0..1. ``costs`` in the units of their
    objectives. ``likelihood``, in 0..1: exp of minus the mean cross-entropy, where the search
    compared candidates by it.
    """

    number: int
    stage: int
    epoch: int
    step: int
    key: str
    choices: tuple[int, ...]
    accuracy: float
    costs: dict[str, float]
    likelihood: float | None = None

    @property
    def score(self) -> float:
        """What the search compared this sub-network by."""
        return self.accuracy if self.likelihood is None else self.likelihood


def append_trials(run: Run, trials: Iterable[Trial]) -> None:
    """Add evaluations to trials.jsonl and give them to the system, so that a killed process loses
    none.

    Raises Stopped where the file system refuses.
    """
    append_lines(run, run.trials_path, trials)


def read_trials(run: Run) -> list[Trial]:
    """All whole lines of trials.jsonl; a last line that a dying process tore is passed over."""
    return list(_whole_trials(run))


def truncate_trials(run: Run, count: int) -> None:
    """Keep the first ``count`` trials: what a checkpoint knows of.

    The rest will be made again, identically.
    """
    kept = 0
    if files.exists(run.trials_path, run.path):
        with files.reading(run.trials_path, run.path) as file:
            for _ in range(count):
                line = file.readline(MAX_LINE_BYTES)
                if not line.endswith(b"\n"):
                    raise InputError(f"{run.trials_path}: fewer trials than its checkpoint counts")
                kept += len(line)
        with keeping_run(run):
            files.truncate(run.trials_path, run.path, kept)
    elif count:
        raise InputError(f"{run.trials_path}: missing")


def _whole_trials(run: Run) -> Iterator[Trial]:
    path = run.trials_path
    for line in whole_lines(run, path):
        try:
            data = json.loads(line, parse_constant=no_number)
            yield _trial(run, data)
        except (ValueError, TypeError, KeyError, AttributeError, OverflowError, RecursionError):
            raise InputError(f"{path}: damaged line {line[:40]!r}") from None


def _trial(run: Run, data: dict[str, Any]) -> Trial:
    """A line of trials.jsonl. Raises ValueError and its like for what no search writes."""
    found = Trial(**{**data, "choices": tuple(data["choices"])})
    places = (found.number, found.stage, found.epoch, found.step, *found.choices)
    numbers = (found.accuracy, found.score, *found.costs.values())
    whole = all(type(one) is int and one >= 0 for one in places) and isinstance(found.key, str)
    known = whole and found.stage < len(run.config.stages)
    if not known or not all(type(one) in (int, float) and math.isfinite(one) for one in numbers):
        raise ValueError(data)
    return found
