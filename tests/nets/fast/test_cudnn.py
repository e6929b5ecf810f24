"""cuDNN tries its kernels on CUDA, where nobody was promised the same bits, and a run says so."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest
import torch

from hwnas.nets.fast import cudnn
from hwnas.nets.fast.cudnn import computed_by, tries_kernels, trying_kernels
from hwnas.search.search import fixed_shapes
from hwnas.search.search import search as searching
from hwnas.space.genotype import Architecture
from hwnas.space.published import PUBLISHED
from hwnas.training.data import load
from hwnas.training.recipe import recipe_named
from hwnas.training.train import train
from tests.search import tiny

CPU, CUDA = torch.device("cpu"), torch.device("cuda", 0)


def is_on() -> bool:
    return torch.backends.cudnn.benchmark


def test_it_is_switched_on_for_cuda_alone_and_off_again() -> None:
    assert not is_on()
    for device, fixed, wanted in ((CPU, True, False), (CUDA, True, True), (CUDA, False, False)):
        with trying_kernels(device, fixed):
            assert is_on() == wanted
        assert not is_on()
    with pytest.raises(ZeroDivisionError), trying_kernels(CUDA):
        _ = 1 / 0
    assert not is_on()


def test_who_asked_for_the_same_bits_gets_them(monkeypatch: pytest.MonkeyPatch) -> None:
    assert tries_kernels(CUDA)
    monkeypatch.setattr(torch.backends.cudnn, "deterministic", True)
    assert not tries_kernels(CUDA)
    monkeypatch.undo()
    monkeypatch.setattr(torch, "are_deterministic_algorithms_enabled", lambda: True)
    assert not tries_kernels(CUDA)


def test_networks_of_many_shapes_are_not_tried(tmp_path: Path) -> None:
    data = tiny.images(tmp_path / "tiny.npz")
    for space, fixed in (("nasbench201", True), ("mobile", False)):
        changes = {"cells": 3} if fixed else {}
        config = tiny.config(data, space=space, stages=[{**changes, "epochs": 1}], evaluation={})
        assert fixed_shapes(config) == fixed


def test_a_run_keeps_the_gpu_and_how_it_computed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(torch.cuda, "get_device_name", lambda device: "NVIDIA H200")
    said = computed_by(CUDA)
    assert said == "NVIDIA H200, cudnn.benchmark on, TF32 in convolutions on"
    assert computed_by(CPU) is None

    seen: list[bool] = []
    monkeypatch.setattr(cudnn, "tries_kernels", lambda *_: True)
    for module in ("hwnas.search.search", "hwnas.training.train"):
        monkeypatch.setattr(f"{module}.computed_by", lambda *_: said)
    data = tiny.images(tmp_path / "tiny.npz", count=48)
    config = tiny.config(
        data,
        space="nasbench201",
        stages=[{"cells": 3, "epochs": 1}],
        evaluation={"channels": 4, "cells": 3},
        finalists_per_policy=1,
    )
    run = searching(config, tmp_path / "run", lambda progress: seen.append(is_on()))
    assert json.loads((run.path / "environment.json").read_text())["computed_by"] == said
    recipe = replace(recipe_named("quick"), epochs=1)
    small = Architecture(PUBLISHED["DARTS_V2"], channels=2, cells=1)
    trained = train(small, load(data), recipe, 0, report=lambda epoch: seen.append(is_on()))
    assert trained.computed_by == said and set(seen) == {True} and not is_on()
