"""What stands in a run directory that somebody else may have made."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.fuzz.parser import Parser, Read
from hwnas.config import resolve
from hwnas.report import charts
from hwnas.report.commands import commands
from hwnas.report.load import fitting_together, load_run, metrics
from hwnas.runs import directory as runs
from hwnas.runs import history
from hwnas.runs.checkpoint import load_checkpoint, save_checkpoint
from hwnas.runs.choice import Choice, choose
from hwnas.runs.directory import Run
from hwnas.runs.environment import read_environment
from hwnas.runs.models import model_of
from hwnas.runs.summary import read_front
from hwnas.runs.trials import Trial, append_trials, read_trials
from hwnas.search.checkpoint import checkpoint
from hwnas.search.config_kept import settled
from hwnas.space.published import PUBLISHED
from hwnas.space.text import format_text
from profilers.errors import InputError


def run_parsers(folder: Path) -> list[Parser]:
    """What is read of a run directory, file by file."""
    run = made_run(folder / "run")

    def inside(path: Path, read: Callable[[], object]) -> Read:
        def call(data: bytes) -> object:
            path.write_bytes(data)
            return read()

        return call

    front = json.dumps(summary(), indent=1).encode()

    def reported() -> object:
        data = load_run(run.path)
        for member in data.summary.members:
            model_of(run, member)
            for cost in data.costs:
                charts.front(data.fronts[0], cost, data.summary.baseline.random)
            commands(data, member), metrics(data, member)
        return choose(run, Choice())

    environment = run.path / "environment.json"
    state, lines = run.checkpoint_path, history.history_path(run)
    trials = run.trials_path
    return [
        Parser(
            name="trials",
            seeds=[trials.read_bytes()],
            read=inside(trials, lambda: read_trials(run)),
        ),
        Parser(
            name="history",
            seeds=[lines.read_bytes()],
            read=inside(lines, lambda: history.read_history(run)),
        ),
        Parser(
            name="front, reported",
            seeds=[front],
            read=inside(run.front_path, lambda: promised(reported, run)),
        ),
        Parser(name="state", seeds=_states(run), read=lambda data: _resumed(run, data)),
        Parser(name="front", seeds=[front], read=inside(run.front_path, lambda: read_front(run))),
        Parser(
            name="checkpoint",
            seeds=[state.read_bytes()],
            read=inside(state, lambda: load_checkpoint(run)),
        ),
        Parser(
            name="environment",
            seeds=[environment.read_bytes()],
            read=inside(environment, lambda: read_environment(run.path)),
        ),
    ]


def promised(read: Callable[[], object], run: Run) -> object:
    """What `hwnas report` makes of a run."""
    with fitting_together(run.front_path):
        return read()


def _states(run: Run) -> list[bytes]:
    """The JSON of checkpoints: its digest is made anew, as a stranger would."""
    position = {"stage": 0, "epoch": 1, "step": 2, "trials": 3, "seconds": 1.5, "rate": 1.0}
    setback = {"stage": 0, "epoch": 1, "step": 2, "loss": None, "rate": 0.5}
    state = {
        "position": {**position, "parts": 1},
        "setbacks": [setback],
        "processes": 1,
        "losses": [1.0],
        "accuracies": [0.5],
        "config": settled(run.config),
    }
    return [json.dumps(state).encode()]


def _resumed(run: Run, data: bytes) -> object:
    """What a search that goes on makes of the state in `data`, whose digest is right."""
    kept = run.checkpoint_path.read_bytes()
    try:
        state = json.loads(data)
        if not isinstance(state, dict):
            raise InputError("no object")
        save_checkpoint(run, {"a": np.arange(3)}, state)
    except (ValueError, RecursionError) as error:
        raise InputError("no JSON") from error
    try:
        return checkpoint(run)
    finally:
        run.checkpoint_path.write_bytes(kept)


def summary() -> dict[str, Any]:
    """A front of one network, as it is written."""
    genotype = PUBLISHED["DARTS_V2"]
    member = {
        "key": genotype.key,
        "genotype": genotype.to_dict(),
        "text": format_text(genotype),
        "channels": 8,
        "cells": 5,
        "accuracy": {"value": 0.5, "origin": "shared weights (validation)"},
        "costs": {"params": {"value": 1000, "unit": "parameters", "origin": "counted"}},
    }
    return {
        "space": "darts",
        "algorithm": "tndnas",
        "seed": 0,
        "data": "digits",
        "evaluations": 40,
        "seconds": 1.5,
        "hypervolume": 0.5,
        "classes": ["0", "1"],
        "image": [1, 8, 8],
        "bounds": {"accuracy": [0.1, 1.0], "params": [100, 2000]},
        "reference_point": {"accuracy": 0.1, "params": 2000},
        "baseline": {"random_hypervolume": 0.4, "random_evaluations": 4},
        "front": [member],
    }


def made_run(path: Path) -> Run:
    """A run directory with a file of every kind."""
    run = runs.create(
        path, resolve({"algorithm": "random", "objectives": [{"metric": "params"}]}), ["hwnas"], "0"
    )
    append_trials(
        run,
        [
            Trial(
                number=i,
                stage=0,
                epoch=0,
                step=i,
                key="ab",
                choices=(1, 2, 3),
                accuracy=0.5,
                costs={"params": 12.0},
            )
            for i in range(3)
        ],
    )
    tables = np.full((1, 2, 3), 1 / 3)
    for epoch in range(2):
        line = history.epoch_of(
            (0, epoch, 3),
            [1.0],
            accuracies=[0.5],
            entropies=[2.2],
            tables=tables,
            derived=[np.array([0, 1])],
        )
        history.append_epoch(run, line)
    save_checkpoint(
        run, {"weight.a": np.arange(6.0), "b": np.arange(3)}, {"position": {"stage": 0}}
    )
    return run
