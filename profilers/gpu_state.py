"""What nvidia-smi says of a CUDA device while it is measured: clocks, and who else is on it.

Read, never set.
"""

from __future__ import annotations

import os
import subprocess
from collections.abc import Callable, Sequence
from dataclasses import dataclass

Ask = Callable[[Sequence[str]], str]
LIMIT_S = 10.0


@dataclass(frozen=True, kw_only=True)
class GpuState:
    """Clocks in MHz, temperature in degrees Celsius, utilisation in percent; None where nobody
    tells.

    ``others``: processes of others that hold memory of it.
    """

    clock_mhz: float | None = None
    memory_clock_mhz: float | None = None
    most_mhz: float | None = None
    celsius: float | None = None
    others: int | None = None


FIELDS = ("clocks.sm", "clocks.mem", "clocks.max.sm", "temperature.gpu")


def smi(arguments: Sequence[str]) -> str:
    """What nvidia-smi prints; "" where it isn't to be had or does not answer."""
    try:
        command = ["nvidia-smi", *arguments]
        return subprocess.run(command, capture_output=True, text=True, timeout=LIMIT_S).stdout
    except (OSError, subprocess.SubprocessError):
        return ""


def gpu_state(index: int, ask: Ask = smi, own: int | None = None) -> GpuState:
    """The state of CUDA device ``index``; ``own``: this process, by default the one that asks."""
    which = _which(index)
    if not which:
        return GpuState()
    here = ["-i", which, "--format=csv,noheader,nounits"]
    lines = ask([f"--query-gpu={','.join(FIELDS)}", *here]).strip().splitlines()
    if not lines:
        return GpuState()
    numbers = [_number(part) for part in lines[0].split(",")] + [None] * len(FIELDS)
    pids = [_number(line) for line in ask(["--query-compute-apps=pid", *here]).split()]
    mine = os.getpid() if own is None else own
    return GpuState(
        clock_mhz=numbers[0],
        memory_clock_mhz=numbers[1],
        most_mhz=numbers[2],
        celsius=numbers[3],
        others=sum(pid is not None and pid != mine for pid in pids),
    )


def settings(before: GpuState, after: GpuState) -> dict[str, object]:
    """For a receipt: what is known of both."""
    found: dict[str, object] = {}
    for when, state in (("before", before), ("after", after)):
        found |= {
            f"{name}_{when}": value for name, value in vars(state).items() if value is not None
        }
    return {name: value for name, value in found.items() if name != "most_mhz_after"}


def notes(before: GpuState, after: GpuState) -> tuple[str, ...]:
    """What a reader of the measurement has to know."""
    others = max(before.others or 0, after.others or 0)
    return (f"{others} other processes were on this GPU",) if others else ()


def _which(index: int) -> str:
    """nvidia-smi's name of what CUDA calls ``index``: they count differently."""
    import torch

    try:
        found = str(torch.cuda.get_device_properties(index).uuid)
    except (RuntimeError, AssertionError, AttributeError):
        return ""
    return found if found.startswith(("GPU-", "MIG-")) else f"GPU-{found}"


def _number(text: str) -> float | None:
    try:
        return float(text.strip())
    except ValueError:
        return None
