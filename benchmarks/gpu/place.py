"""Where the parts compute: a CUDA device, else the pretended one of the tests, else the CPU; and
how time is taken."""

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
LONGEST_S = 10.0
"""Seconds for all timed steps of one kind."""
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
    """The first CUDA device; without one the pretended GPU, or the CPU where this torch can't
    pretend."""
    if torch.cuda.is_available():
        yield Place(kind="cuda", device=torch.device("cuda", 0), name=torch.cuda.get_device_name(0))
    elif missing():
        yield Place(kind="cpu", device=torch.device("cpu"), name=f"CPU, no GPU here ({missing()})")
    else:
        with pretended_gpu() as device:
            yield Place(
                kind="pretended",
                device=device,
                name="pretended GPU: values from the CPU, tiny sizes",
            )


def wait(place: Place) -> None:
    """Until the device has done all that was asked."""
    if place.kind == "cuda":
        torch.cuda.synchronize(place.device)


def timed(step: Step, place: Place, count: int = 30, block: int = 5) -> dict[str, Any]:
    """Milliseconds per step: median, least and most over blocks of steps, the device waited for
    after each block.

    Fewer steps, three at least, where ``count`` of them would take more than LONGEST_S: ``steps``
    says how many.
    """
    if place.tiny:
        count, block = 1, 1
    else:
        step()  # chooses kernels
        count, block = _affordable(_seconds(step, 1, place), count, block)
        for _ in range(2 if block > 1 else 0):
            step()
    wait(place)
    if place.kind == "cuda":
        torch.cuda.reset_peak_memory_stats(place.device)
    taken = [MS * _seconds(step, block, place) / block for _ in range(count // block)]
    found = {
        "ms": statistics.median(taken),
        "ms_least": min(taken),
        "ms_most": max(taken),
        "steps": count,
    }
    if place.kind == "cuda":
        found["peak_mib"] = torch.cuda.max_memory_allocated(place.device) / 2**20
    return found


def _affordable(seconds: float, count: int, block: int) -> tuple[int, int]:
    """So many steps, in blocks of so many, for steps of so many seconds."""
    if seconds * count <= LONGEST_S:
        return count, block
    return max(3, int(LONGEST_S / seconds)), 1


def _seconds(step: Step, count: int, place: Place) -> float:
    began = time.perf_counter()
    for _ in range(count):
        step()
    wait(place)
    return time.perf_counter() - began


def traced(step: Step, place: Place, count: int = 3) -> dict[str, Any]:
    """Per step: kernels, synchronisations, copies to the device; on CUDA the share of time that
    it computes, too."""
    if place.kind == "cpu":
        return {}
    if place.kind == "pretended":
        with counted() as counts:
            step()
        return {name: float(value) for name, value in counts.totals().items()}
    slow = _seconds(step, 1, place) > LONGEST_S / 30
    return _profiled(step, place, 1 if slow else count)


def _profiled(step: Step, place: Place, count: int) -> dict[str, Any]:
    from torch.profiler import ProfilerActivity, profile

    with profile(
        activities=[ProfilerActivity.CUDA]
    ) as seen:  # operators of the CPU would cost more than they tell
        seconds = _seconds(step, count, place)
    return {**shares(events(seen), seconds, count), "ms_while_traced": MS * seconds / count}


@dataclass(frozen=True, kw_only=True)
class Event:
    """One thing that a trace holds: a kernel or a copy of the device, or a call of the host."""

    name: str
    on_device: bool
    seconds: float


def events(seen: Any) -> list[Event]:
    """What a profile holds, straight from its source: hundreds of thousands of events are slow
    to make anew."""
    return [
        Event(
            name=one.name(),
            on_device=str(one.device_type()).endswith("CUDA"),
            seconds=one.duration_ns() / 1e9,
        )
        for one in seen.profiler.kineto_results.events()
    ]


def shares(found: list[Event], seconds: float, count: int) -> dict[str, Any]:
    """Per step: kernels, launches, waits, copies in; and the share of the time in which the
    device worked."""
    on_device = [one for one in found if one.on_device]
    kernels = [one for one in on_device if not one.name.startswith(("Memcpy", "Memset"))]
    waits = sum(one.name in WAITS for one in found)
    return {
        "kernels": len(kernels) / count,
        "launches": sum(one.name in LAUNCHES for one in found) / count,
        "synchronisations": max(0, waits - 1) / count,  # one is ours
        "copies": sum("Memcpy HtoD" in one.name for one in on_device) / count,
        "busy_share": sum(one.seconds for one in on_device) / seconds,
    }
