"""Which of cuDNN's kernels a convolution on CUDA takes, and the words in which a run keeps that."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import torch


def tries_kernels(device: torch.device, fixed: bool = True) -> bool:
    """Whether cuDNN is to try its kernels at the first step of each shape and keep the quickest.

    On CUDA alone, where no results are promised to be the same to the bit, unless torch was told to
    compute deterministically. ``fixed``: shapes come again; of many different ones trying costs
    more than it gains.
    """
    asked = (
        torch.are_deterministic_algorithms_enabled()
        or torch.backends.cudnn.deterministic
        or not torch.backends.cudnn.enabled
    )
    return device.type == "cuda" and fixed and not asked


@contextmanager
def trying_kernels(device: torch.device, fixed: bool = True) -> Iterator[None]:
    """Inside, cuDNN tries its kernels where ``tries_kernels``; nothing changes elsewhere."""
    if not tries_kernels(device, fixed):
        yield
        return
    before = torch.backends.cudnn.benchmark
    torch.backends.cudnn.benchmark = True
    try:
        yield
    finally:
        torch.backends.cudnn.benchmark = before


def computed_by(device: torch.device, fixed: bool = True) -> str | None:
    """The device and what its convolutions compute in, as a run keeps it; None of a CPU, about
    which the environment says all."""
    if device.type != "cuda":
        return None
    tried = tries_kernels(device, fixed) or torch.backends.cudnn.benchmark
    return ", ".join(
        [
            torch.cuda.get_device_name(device),
            f"cudnn.benchmark {'on' if tried else 'off'}",
            f"TF32 in convolutions {'on' if torch.backends.cudnn.allow_tf32 else 'off'}",
        ]
    )
