"""Timing on a CUDA device: events around every run, the wall clock beside them, graphs and cold
caches.

The events and the synchronisation are arguments, so that the order of calls can be tested without a
device.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from typing import Any, Protocol, cast

import torch
from torch import Tensor, nn

from profilers.timing import Clock, Duration, Sampler

MS = 1000.0


class Event(Protocol):
    """What is needed of torch.cuda.Event."""

    def record(self) -> object:
        """Mark this point of the device's work."""

    def elapsed_time(self, end: Any) -> float:
        """Milliseconds between two events that have happened."""


def cuda_sampler(
    run: Callable[[], object],
    event: Callable[[], Event],
    synchronize: Callable[[], object],
    clock: Clock = time.perf_counter,
    flush: Callable[[], object] | None = None,
) -> Sampler:
    """A sampler with two passes of n runs: events around each run, then the wall clock around each.

    In the first pass the device is waited for once, at the end, so that the queue never runs dry;
    in the second after every run, which is what a caller that needs the result sees.
    """

    def sampler(n: int) -> list[Duration]:
        marks = [(event(), event()) for _ in range(n)]
        synchronize()
        for start, end in marks:
            if flush is not None:
                flush()
            start.record()
            run()
            end.record()
        synchronize()
        walls = []
        for _ in range(n):
            if flush is not None:
                flush()
                synchronize()
            begin = clock()
            run()
            synchronize()
            walls.append(clock() - begin)
        own = [start.elapsed_time(end) / MS for start, end in marks]
        return [Duration(own=o, wall=w) for o, w in zip(own, walls, strict=True)]

    return sampler


def captured(module: nn.Module, x: Tensor) -> Callable[[], object]:
    """The module's forward as a CUDA graph: warmed up on a side stream, captured once, replayed by
    the caller.

    Streams and graphs belong to a device: to that of ``x``, whichever is the current one.
    """
    with torch.cuda.device(x.device):
        now = torch.cuda.current_stream(x.device)
        stream = torch.cuda.Stream(x.device)  # type: ignore[no-untyped-call]
        stream.wait_stream(now)
        with torch.cuda.stream(stream):
            for _ in range(3):
                module(x)
        now.wait_stream(stream)
        graph = torch.cuda.CUDAGraph()
        # A stream of this device: by default torch captures in one that it keeps from the first
        # capture, on any device.
        with torch.cuda.graph(graph, stream=stream):
            module(x)
    return graph.replay


def on_device(place: torch.device, sampler: Sampler) -> Sampler:
    """The sampler with ``place`` as the current device: events are recorded in the current
    device's stream."""

    def sample(n: int) -> Sequence[Duration]:
        with torch.cuda.device(place):
            return sampler(n)

    return sample


def flusher(place: torch.device) -> Callable[[], object]:
    """Overwrites a buffer of twice the device's L2 cache."""
    size = 2 * int(getattr(torch.cuda.get_device_properties(place), "L2_cache_size", 2**26))
    buffer = torch.empty(size, dtype=torch.int8, device=place)
    return buffer.zero_


def new_event() -> Event:
    """An event of the current device that takes the time."""
    return cast(Event, torch.cuda.Event(enable_timing=True))  # type: ignore[no-untyped-call]
