"""A search whose weight steps compute in bfloat16, and what can't."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch

from hwnas.nets.supernet import Supernet
from hwnas.runs.directory import open_run
from hwnas.search import compute
from hwnas.search.plan import plan
from hwnas.search.search import resume, search, summary
from profilers.bfloat16 import bfloat16_problem, slow_bfloat16
from profilers.errors import InputError
from tests.search import tiny

LOW = {"weight_step": {"batch_size": 16, "precision": "bfloat16"}}
SHORT: dict[str, Any] = {
    "space": "nasbench201",
    "stages": [{"cells": 3, "epochs": 1}],
    "evaluation": {"channels": 4, "cells": 3},
    "finalists_per_policy": 1,
}

NDARTS = {**SHORT, **LOW, "algorithm": "ndarts", "objectives": [], "weights": "mixture"}


@pytest.fixture
def data(tmp_path: Path) -> Path:
    return tiny.images(tmp_path / "tiny.npz", count=48)


def test_only_weight_steps_compute_in_bfloat16_and_the_run_says_so(
    data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    low: list[tuple[bool, bool]] = []
    sampled = Supernet.sampled

    def watched(self: Supernet, *args: Any) -> torch.Tensor:
        low.append((torch.is_grad_enabled(), torch.is_autocast_enabled("cpu")))
        return sampled(self, *args)

    monkeypatch.setattr(Supernet, "sampled", watched)
    run = search(tiny.config(data, **SHORT, **LOW), tmp_path / "run")
    assert set(low) == {(True, True), (False, False)}
    assert open_run(run.path).config.weight_step.precision == "bfloat16"
    # What was begun in one precision does not go on in another.
    file = run.path / "config.toml"
    file.write_text(file.read_text().replace('precision = "bfloat16"', 'precision = "float32"'))
    (run.path / "front.json").unlink()
    with pytest.raises(InputError, match=r"weight_step\.precision is .float32. now and was"):
        resume(run.path)


@pytest.mark.slow
def test_ndarts_searches_with_weight_steps_in_bfloat16(data: Path, tmp_path: Path) -> None:
    run = search(tiny.config(data, **NDARTS), tmp_path / "run")
    assert summary(run)["front"]


def test_steps_without_a_gradient_are_refused_in_bfloat16(data: Path) -> None:
    with pytest.raises(InputError, match="bfloat16 is for steps along a gradient"):
        plan(tiny.config(data, **NDARTS, ndarts={"weights": "es"}))


def test_a_gpu_without_bfloat16_is_refused_in_a_line(
    data: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(torch.version, "cuda", "12.6")
    monkeypatch.setattr(torch.cuda, "get_device_name", lambda index: "NVIDIA GeForce GTX 1080 Ti")
    config = tiny.config(data, **SHORT, **LOW)
    monkeypatch.setattr(compute, "compute_device", lambda *_: torch.device("cuda"))
    for capability, refused in (((6, 1), True), ((7, 5), True), ((8, 0), False), ((9, 0), False)):
        monkeypatch.setattr(torch.cuda, "get_device_capability", lambda index, at=capability: at)
        assert bool(bfloat16_problem("cuda")) == refused
        if refused:
            with pytest.raises(InputError, match=r"weight_step.precision: .*1080 Ti .*float32"):
                compute.check_precision(config)
        else:
            assert compute.check_precision(config) == ""


@pytest.mark.parametrize(
    ("flags", "slow"),
    [
        ("flags\t\t: fpu avx512f avx512_bf16", False),
        ("flags\t\t: fpu avx2", True),
        ("Features\t: fp asimd bf16", False),
        ("model name\t: of no flags", False),
    ],
)
def test_a_cpu_without_instructions_for_it_is_named(tmp_path: Path, flags: str, slow: bool) -> None:
    (tmp_path / "cpuinfo").write_text(f"processor\t: 0\n{flags}\n")
    assert bool(slow_bfloat16("cpu", tmp_path / "cpuinfo")) == slow
    assert slow_bfloat16("cuda", tmp_path / "cpuinfo") == ""
    assert slow_bfloat16("cpu", tmp_path / "missing") == ""
