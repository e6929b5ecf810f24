"""A CUDA device counts as usable where a small convolution runs on it; else one line says why
and what helps."""

from __future__ import annotations

from collections.abc import Iterator
from types import SimpleNamespace
from typing import Any

import pytest
import torch

from profilers import cuda
from profilers.cuda import compute_place, cuda_problem, usable_cuda
from profilers.errors import InputError

NO_KERNEL = "CUDA error: no kernel image is available for execution on the device\nCUDA kernel errors might be"


@pytest.fixture
def card(monkeypatch: pytest.MonkeyPatch) -> Iterator[SimpleNamespace]:
    """A made-up GTX 1080 Ti; its convolution runs, or fails with what ``says`` holds."""
    made = SimpleNamespace(says="", driver=True, cards=1, capability=(6, 1))
    cuda_problem.cache_clear()
    monkeypatch.setattr(cuda, "has_cuda_driver", lambda: made.driver)
    monkeypatch.setattr(torch.cuda, "is_available", lambda: made.cards > 0)
    monkeypatch.setattr(torch.cuda, "device_count", lambda: made.cards)
    monkeypatch.setattr(torch.cuda, "get_device_name", lambda index: "NVIDIA GeForce GTX 1080 Ti")
    monkeypatch.setattr(torch.cuda, "get_device_capability", lambda index: made.capability)
    monkeypatch.setattr(torch.cuda, "get_arch_list", lambda: ["sm_75", "sm_90"])
    ones, convolution = torch.ones, torch.conv2d

    def on_cpu(*size: int, device: torch.device) -> torch.Tensor:
        made.asked = device
        return ones(*size)

    def conv2d(*given: Any) -> torch.Tensor:
        if made.says:
            raise RuntimeError(made.says)
        return convolution(*given)

    monkeypatch.setattr(torch, "ones", on_cpu)
    monkeypatch.setattr(torch, "conv2d", conv2d)
    yield made
    cuda_problem.cache_clear()


def test_a_device_whose_convolution_runs_is_usable(card: SimpleNamespace) -> None:
    card.cards = 2
    assert usable_cuda(1) and card.asked == torch.device("cuda", 1)
    assert compute_place("auto") == compute_place("cuda") == ("cuda", "")
    assert "torch sees 2" in cuda_problem(2)


@pytest.mark.parametrize(
    ("says", "expected"),
    [
        (
            NO_KERNEL,
            [
                "no kernels for NVIDIA GeForce GTX 1080 Ti (compute capability 6.1)",
                "sm_75",
                "older CUDA, such as 12.6",
            ],
        ),
        (
            "CUDA out of memory. Tried to allocate 2 MiB",
            ["memory of NVIDIA GeForce GTX 1080 Ti", "is full"],
        ),
        ("cuDNN error: CUDNN_STATUS_ALLOC_FAILED", ["is full"]),
        (
            "cuDNN error: CUDNN_STATUS_EXECUTION_FAILED",
            ["CUDNN_STATUS_EXECUTION_FAILED", "nvidia-smi"],
        ),
    ],
)
def test_a_device_without_kernels_is_refused_with_advice_and_auto_takes_the_cpu(
    card: SimpleNamespace, says: str, expected: list[str]
) -> None:
    card.says = says
    problem = cuda_problem()
    assert not usable_cuda() and "\n" not in problem and "--device cpu" in problem
    assert all(words in problem for words in expected)
    place, said = compute_place("auto")
    assert place == "cpu" and problem in said
    with pytest.raises(InputError, match=r"^device cuda: "):
        compute_place("cuda")
    assert compute_place("cpu") == ("cpu", "")


def test_a_gpu_that_this_torch_can_not_reach_is_told_from_none(
    card: SimpleNamespace, monkeypatch: pytest.MonkeyPatch
) -> None:
    card.cards = 0
    monkeypatch.setattr(torch.version, "cuda", None)
    assert "is a build for CPUs" in compute_place("auto")[1]
    cuda_problem.cache_clear()
    monkeypatch.setattr(torch.version, "cuda", "13.0")
    assert "update the driver" in compute_place("auto")[1]
    cuda_problem.cache_clear()
    card.driver = False
    assert cuda_problem() == "no CUDA device is attached"
    assert compute_place("auto") == ("cpu", "")


def test_gpus_that_are_no_cuda_devices_are_named_and_not_used(
    card: SimpleNamespace, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(torch.version, "hip", "6.4", raising=False)
    assert compute_place("auto") == (
        "cuda",
        "device: by ROCm 6.4, on which hwnas has not been tried",
    )
    cuda_problem.cache_clear()
    card.cards, card.driver = 0, False
    monkeypatch.setattr(torch.backends.mps, "is_available", lambda: True)
    assert compute_place("auto") == (
        "cpu",
        "device: the GPU of this Mac (MPS) is not used: on the CPU",
    )
    monkeypatch.setattr(torch.backends.mps, "is_available", lambda: False)
    monkeypatch.setattr(torch.xpu, "is_available", lambda: True)
    assert "Intel (XPU) is not used" in compute_place("auto")[1]
