"""What a GPU's memory holds while networks are scored, and what is said where it is too small."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from hwnas.errors import Stopped, is_memory
from hwnas.nets.supernet import build_supernet
from hwnas.search import compute, memory
from hwnas.search import search as searching
from hwnas.search.distributed import shared_weights
from hwnas.search.plan import plan
from hwnas.search.search import resume, search, summary
from hwnas.space.encoding import sample
from hwnas.space.family import family
from hwnas.space.space import SPACES
from hwnas.training.data import Batch, load
from tests.pretended import counted
from tests.search import tiny

NET: dict[str, Any] = {"channels": 2, "cells": 3, "classes": 3, "image": (1, 8, 8)}


def images(count: int, made: list[int], device: torch.device) -> Iterator[Batch]:
    source = torch.Generator().manual_seed(0)
    for number in range(count):
        made.append(number)
        x = torch.randn(6, 1, 8, 8, generator=source)
        yield Batch(x.to(device), (torch.arange(6) % 3).to(device))


def test_each_batch_is_read_once_for_all_networks_and_held_alone(device: torch.device) -> None:
    space, rng = SPACES["nasbench201"], np.random.default_rng(0)
    net = build_supernet(family(space, **NET), seed=0).to(device)
    networks = [sample(space, rng) for _ in range(3)]
    made: list[int] = []
    held: list[int] = []
    run = net.sampled

    def sampled(x: torch.Tensor, choices: Any) -> torch.Tensor:
        held.append(len(made))
        return run(x, choices)

    net.sampled = sampled  # type: ignore[method-assign]
    together = shared_weights.accuracies(net, networks, images(2, made, device))
    assert made == [0, 1] and held == [1, 1, 1, 2, 2, 2]
    alone = [shared_weights.accuracy(net, one, images(2, [], device)) for one in networks]
    assert together.tolist() == alone


def test_accuracies_of_many_networks_are_waited_for_once(pretended: torch.device) -> None:
    space, rng = SPACES["nasbench201"], np.random.default_rng(0)
    net = build_supernet(family(space, **NET), seed=0).to(pretended)
    batches = list(images(2, [], pretended))
    with counted() as counts:
        shared_weights.accuracies(net, [sample(space, rng) for _ in range(5)], batches)
    assert counts.synchronisations.total() == 1


@pytest.mark.parametrize(
    "error",
    [
        torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 2.00 GiB."),
        RuntimeError("cuDNN error: CUDNN_STATUS_ALLOC_FAILED"),
        RuntimeError("CUDA error: CUBLAS_STATUS_ALLOC_FAILED when calling `cublasCreate(handle)`"),
        RuntimeError(
            "[enforce fail at alloc_cpu.cpp:117] DefaultCPUAllocator: can't allocate memory"
        ),
        MemoryError(),
    ],
)
def test_the_words_of_every_library_for_too_little_memory_are_known(error: Exception) -> None:
    assert is_memory(error)
    assert not is_memory(RuntimeError("CUDA error: an illegal memory access"))


def test_too_little_memory_for_scoring_ends_in_a_line_and_can_be_gone_on_with(
    data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*_: Any, **__: Any) -> None:
        raise RuntimeError("cuDNN error: CUDNN_STATUS_ALLOC_FAILED")

    config = tiny.config(data, space="nasbench201", stages=[{"cells": 3, "epochs": 1}])
    with monkeypatch.context() as patch:
        patch.setattr(searching, "finish", full)
        with pytest.raises(Stopped, match=re.escape(f"hwnas resume {tmp_path / 'run'}")):
            search(config, tmp_path / "run")
    assert summary(resume(tmp_path / "run"))["front"]


def test_images_that_go_to_the_gpu_count_before_a_step(
    data: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    images_ = load(data)
    config = tiny.config(data)
    monkeypatch.setattr(memory, "free_mib", lambda config, ranks=None: 100.0)
    monkeypatch.setattr(compute, "compute_device", lambda config, ranks=None: torch.device("cpu"))
    assert memory.room_mib(config, images_) == 100.0
    monkeypatch.setattr(compute, "compute_device", lambda config, ranks=None: torch.device("cuda"))
    # 48 grey images of 8 x 8 bytes to train on, and as many to test.
    assert memory.room_mib(config, images_) == 100.0 - 2 * 48 * 64 / 2**20


def test_a_search_of_steps_too_small_for_a_gpu_says_so(
    data: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    said: list[str] = []
    monkeypatch.setattr(memory, "free_mib", lambda config, ranks=None: 1e6)
    for place, large, expected in (
        ("cpu", False, False),
        ("cuda", False, True),
        ("cuda", True, False),
    ):
        said.clear()
        monkeypatch.setattr(
            compute, "compute_device", lambda config, ranks=None, at=place: torch.device(at)
        )
        size = {"weight_step": {"batch_size": 4096}, "channels": 64} if large else {}
        plan(
            tiny.config(data, space="nasbench201", stages=[{"cells": 3, "epochs": 1}], **size),
            said.append,
        )
        assert any("try --device cpu" in line for line in said) == expected
