"""The device of these tests: the pretended GPU, or CUDA where HWNAS_TEST_DEVICE=cuda asks for
it."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import pytest
import torch

from tests.pretended import missing, pretended_gpu


@pytest.fixture
def device() -> Iterator[torch.device]:
    if os.environ.get("HWNAS_TEST_DEVICE", "pretended") == "cuda":
        yield torch.device("cuda", 0)
        return
    if missing():
        pytest.skip(missing())
    with pretended_gpu() as found:
        yield found


@pytest.fixture
def pretended(device: torch.device) -> torch.device:
    """The pretended GPU, for what only it can count or refuse."""
    if device.type == "cuda":
        pytest.skip("counted on the pretended GPU")
    return device


@pytest.fixture(scope="session")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    from tests.search import (
        tiny,
    )  # here: a bare machine has steps to test, and not what searches need

    return tiny.images(tmp_path_factory.mktemp("data") / "tiny.npz", count=48)
