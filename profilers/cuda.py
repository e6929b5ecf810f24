"""Whether torch can compute on a CUDA device here, and where a search or a training computes.

A device that is listed need not be usable: wheels of torch hold kernels for some generations only,
and a GPU of another one fails at its first kernel. So a small convolution is tried.
"""

from __future__ import annotations

from functools import cache
from typing import Any

from profilers.device import has_cuda_driver
from profilers.errors import InputError

OLDER = "12.6"
"""A CUDA version whose builds of torch hold kernels from Maxwell (2014) on; newer ones begin
with later GPUs."""


def usable_cuda(index: int = 0) -> bool:
    """Whether a small convolution runs on CUDA device ``index`` as CUDA counts them."""
    return not cuda_problem(index)


@cache
def cuda_problem(index: int = 0) -> str:
    """Why torch can't compute on CUDA device ``index``, and what helps, in a line; "" where it
    can."""
    import torch

    if not torch.cuda.is_available():
        return _none_seen(torch)
    if index >= torch.cuda.device_count():
        return (
            f"there is no CUDA device {index}: torch sees {torch.cuda.device_count()}, counted"
            " from 0"
        )
    try:
        place = torch.device("cuda", index)
        ones = torch.ones(1, 8, 8, 8, device=place), torch.ones(4, 8, 3, 3, device=place)
        total = float(torch.conv2d(*ones).sum())
    except (RuntimeError, AssertionError) as error:
        return _refused(torch, index, error)
    # 4 x 6 x 6 outputs of 8 x 3 x 3 products of ones each, exact in every precision.
    return (
        ""
        if total == 4 * 36 * 72
        else f"{_name(torch, index)} computes wrong sums: it may be damaged"
    )


def compute_place(asked: str) -> tuple[str, str]:
    """("cpu" or "cuda", what a user has to know of it or "") for ``asked``: auto, cpu or cuda.

    Raises InputError where cuda was asked for and can't be used.
    """
    if asked == "cpu":
        return "cpu", ""
    problem = cuda_problem()
    if not problem:
        return "cuda", _rocm()
    if asked == "cuda":
        raise InputError(f"device cuda: {problem}")
    if seen():
        return "cpu", f"device: {problem}; on the CPU for now"
    other = _other_gpu()
    return "cpu", f"device: {other} is not used: on the CPU" if other else ""


def seen() -> bool:
    """Whether there is a CUDA device, usable or not."""
    import torch

    return torch.cuda.is_available() or has_cuda_driver()


def _none_seen(torch: Any) -> str:
    if not has_cuda_driver():
        return "no CUDA device is attached"
    if torch.version.cuda is None and getattr(torch.version, "hip", None) is None:
        return (
            f"there is a GPU, but torch {torch.__version__} is a build for CPUs: install a build"
            " for CUDA, or take --device cpu"
        )
    return (
        f"there is a GPU, but torch {torch.__version__} (CUDA {torch.version.cuda}) can't reach it:"
        " update the driver, look at CUDA_VISIBLE_DEVICES, or take --device cpu"
    )


def _refused(torch: Any, index: int, error: BaseException) -> str:
    said = " ".join(str(error).split())
    name = _name(torch, index)
    if "no kernel image" in said or "not compatible" in said:
        kernels = ", ".join(torch.cuda.get_arch_list()) or "other GPUs"
        return (
            f"torch {torch.__version__} has no kernels for {name}, only for {kernels}: install a"
            f" build for an older CUDA, such as {OLDER}, for an older GPU and the newest for a"
            " newer one, or take --device cpu"
        )
    if "out of memory" in said or "ALLOC_FAILED" in said:
        return f"the memory of {name} is full: end other programs on it, or take --device cpu"
    return (
        f"a small convolution fails on {name} ({said[:120]}): look at nvidia-smi, or take"
        " --device cpu"
    )


def _name(torch: Any, index: int) -> str:
    major, minor = torch.cuda.get_device_capability(index)
    return f"{torch.cuda.get_device_name(index)} (compute capability {major}.{minor})"


def _rocm() -> str:
    import torch

    version = getattr(torch.version, "hip", None)
    return f"device: by ROCm {version}, on which hwnas has not been tried" if version else ""


def _other_gpu() -> str:
    """The kind of GPU that torch sees and hwnas does not use, or ""."""
    import torch

    if torch.backends.mps.is_available():
        return "the GPU of this Mac (MPS)"
    xpu = getattr(torch, "xpu", None)
    return "the GPU of Intel (XPU)" if xpu is not None and xpu.is_available() else ""
