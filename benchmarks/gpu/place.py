"""Where the parts compute: a CUDA device, else the pretended one of the tests, else the CPU; and how time is taken."""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, Literal

import torch

from tests.pretended import counted, missing, pretended_gpu

Step = Callable[[], object]
Kind = Literal["cuda", "pretended", "cpu"]
MS = 1000.0
LAUNCHES = (
    "cudaLaunchKernel",
    "cudaLaunchKernelExC",
    "cuLaunchKernel",
    "cuLaunchKernelEx",
    "cudaGraphLaunch",
)
WAITS = ("cudaStreamSynchronize", "cudaDeviceSynchronize", "cudaEventSynchronize")


@dataclass(frozen=True, kw_only=True)
class Place:
    """A device with its name. ``tiny``: sizes are cut down, since what is timed is not a GPU."""

    kind: Kind
    device: torch.device
    name: str

    @property
    def tiny(self) -> bool:
        """Whether nothing here tells of a GPU's speed."""
        return self.kind != "cuda"


@contextmanager
def here() -> Iterator[Place]:
    """The first CUDA device; without one the pretended GPU, or the CPU where this torch can't pretend."""
    if torch.cuda.is_available():
        yield Place(kind="cuda", device=torch.device("cuda", 0), name=torch.cuda.get_device_name(0))
    elif missing():
        yield Place(kind="cpu", device=torch.device("cpu"), name=f"CPU, no GPU here ({missing()})")
    else:
        with pretended_gpu() as device:
            yield Place(
                kind="pretended", device=device, name="pretended GPU: values from the CPU, tiny sizes"
            )


def wait(place: Place) -> None:
    """Until the device has done all that was asked."""
    if place.kind == "cuda":
        torch.cuda.synchronize(place.device)


def timed(step: Step, place: Place, count: int = 30, block: int = 5) -> dict[str, Any]:
    """Milliseconds per step: median, least and most over blocks of steps, the device waited for after each block."""
    count, block, warm = (1, 1, 0) if place.tiny else (count, block, 3)
    for _ in range(warm):
        step()
    wait(place)
    if place.kind == "cuda":
        torch.cuda.reset_peak_memory_stats(place.device)
    taken = []
    for _ in range(count // block):
        began = time.perf_counter()
        for _ in range(block):
            step()
        wait(place)
        taken.append(MS * (time.perf_counter() - began) / block)
    found = {"ms": statistics.median(taken), "ms_least": min(taken), "ms_most": max(taken), "steps": count}
    if place.kind == "cuda":
        found["peak_mib"] = torch.cuda.max_memory_allocated(place.device) / 2**20
    return found


def traced(step: Step, place: Place, count: int = 3) -> dict[str, Any]:
    """Per step: kernels, synchronisations, copies to the device; on CUDA the share of time that it computes, too."""
    if place.kind == "cpu":
        return {}
    if place.kind == "pretended":
        with counted() as counts:
            step()
        return {name: float(value) for name, value in counts.totals().items()}
    return _profiled(step, place, count)


def _profiled(step: Step, place: Place, count: int) -> dict[str, Any]:
    from torch.profiler import ProfilerActivity, profile

    step()
    wait(place)
    with profile(activities=[ProfilerActivity.CPU, ProfilerActivity.CUDA]) as seen:
        began = time.perf_counter()
        for _ in range(count):
            step()
        wait(place)
        seconds = time.perf_counter() - began
    events = list(seen.events() or [])
    on_device = [one for one in events if str(getattr(one, "device_type", "")).endswith("CUDA")]
    kernels = [one for one in on_device if not one.name.startswith(("Memcpy", "Memset"))]
    copies = [one for one in on_device if "Memcpy HtoD" in one.name]
    host = [one for one in events if one not in on_device] if len(events) < 2_000 else events
    busy = sum(_microseconds(one) for one in on_device) / 1e6
    return {
        "kernels": len(kernels) / count,
        "launches": sum(one.name in LAUNCHES for one in host) / count,
        "synchronisations": (sum(one.name in WAITS for one in host) - 1) / count,  # one is ours
        "copies": len(copies) / count,
        "busy_share": busy / seconds,
        "ms_while_traced": MS * seconds / count,
    }


def _microseconds(event: Any) -> float:
    """A device event's length: its name has changed between versions of torch."""
    for name in ("device_time_total", "cuda_time_total", "self_device_time_total"):
        value = getattr(event, name, None)
        if value:
            return float(value)
    return float(event.time_range.elapsed_us())
