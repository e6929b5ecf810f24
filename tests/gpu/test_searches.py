"""Every algorithm searches on a GPU, and a checkpoint of either device goes on on the other."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch

from hwnas.runs import directory as runs
from hwnas.runs.checkpoint import load_checkpoint
from hwnas.search import compute
from hwnas.search.bilevel import curvature
from hwnas.search.bilevel.curvature import power_iteration
from hwnas.search.progress import SearchProgress
from hwnas.search.search import resume, search, summary
from tests.search import tiny

SMALL: dict[str, Any] = {
    "space": "nasbench201",
    "stages": [{"cells": 3, "epochs": 2}],
    "evaluation": {"channels": 4, "cells": 3},
    "alpha_step": {"samples": 2, "every": 1, "images": 8},
    "finalists_per_policy": 1,
}
# Skip dropout draws on the device.
DROPPING = {**SMALL, "stages": [{"cells": 3, "epochs": 2, "skip_dropout": 0.5}]}
BILEVEL = {"algorithm": "ndarts", "objectives": [], "weights": "mixture"}
ALGORITHMS: dict[str, dict[str, Any]] = {
    "tndnas": {**DROPPING},
    "tndnas, mixture": {**DROPPING, "weights": "mixture"},
    "tndnas, directed": {**SMALL, "alpha_step": {**SMALL["alpha_step"], "form": "directed"}},
    "random": {**DROPPING, "algorithm": "random"},
    "nsga2": {**DROPPING, "algorithm": "nsga2"},
    "ndarts": {**DROPPING, **BILEVEL},
    "ndarts, evolution": {**SMALL, **BILEVEL, "ndarts": {"weights": "sgd+es", "population": 2}},
    "regression and SynFlow": {**SMALL, "finalists_by": "regression", "finalists_synflow": True},
}
LONG = ("ndarts", "ndarts, evolution", "tndnas, mixture")


def once(product: curvature.Product, start: curvature.Tensors, steps: int = 1) -> float:
    """The power iteration's first step: how exact it is, is no matter here."""
    return power_iteration(product, start, steps=1)


def stopped(progress: SearchProgress) -> None:
    raise KeyboardInterrupt


@pytest.mark.parametrize(
    ("name", "begins"),
    # The long ones in one direction: what crosses over is the same.
    [
        (name, begins)
        for name in ALGORITHMS
        for begins in ("there", "here")
        if begins == "here" or name not in LONG
    ],
)
def test_a_search_goes_on_on_the_other_device(
    device: torch.device,
    data: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    name: str,
    begins: str,
) -> None:
    places = [device, torch.device("cpu")] if begins == "there" else [torch.device("cpu"), device]
    monkeypatch.setattr(compute, "compute_device", lambda config, ranks=None: places[0])
    monkeypatch.setattr(curvature, "power_iteration", once)
    with pytest.raises(KeyboardInterrupt):
        search(
            tiny.config(data, **ALGORITHMS[name], checkpoint_minutes=1e-9),
            tmp_path / "run",
            stopped,
        )
    saved = load_checkpoint(runs.open_run(tmp_path / "run"))
    assert saved is not None and any(array.any() for array in saved[0].values())
    places.reverse()
    found = summary(resume(tmp_path / "run"))
    assert found["front"] and all(0 <= one["accuracy"]["value"] <= 1 for one in found["front"])
