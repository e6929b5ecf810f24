"""Whether a device computes in bfloat16, and whether that is of use on it."""

from __future__ import annotations

from pathlib import Path

UNITS = ("avx512_bf16", "amx_bf16", "bf16")
"""What Linux calls instructions for it: of x86 processors the first two, of Arm the last."""


def bfloat16_problem(kind: str, index: int = 0) -> str:
    """Why a device, "cpu" or "cuda" number ``index``, can't compute in bfloat16, in a line.

    "" where it can.
    """
    if kind != "cuda":
        return ""
    import torch

    major, minor = torch.cuda.get_device_capability(index)
    if major >= 8 or torch.version.cuda is None:
        return ""
    return (
        f"{torch.cuda.get_device_name(index)} (compute capability {major}.{minor}) has no bfloat16,"
        " which begins with 8.0: take float32"
    )


def slow_bfloat16(kind: str, cpuinfo: Path = Path("/proc/cpuinfo")) -> str:
    """That bfloat16 is slower than float32 on this CPU, in a line; "" where it need not be, or
    nobody can say."""
    if kind != "cpu":
        return ""
    try:
        lines = cpuinfo.read_text(encoding="utf-8", errors="replace").splitlines()
    except OSError:
        return ""
    named = [line.partition(":") for line in lines]
    flags = [value.split() for key, _, value in named if key.strip() in ("flags", "Features")]
    if not flags or any(unit in flags[0] for unit in UNITS):
        return ""
    return "this CPU has no instructions for bfloat16: float32 is quicker"
