"""Estimate a latency from data-sheet peaks: per operation the larger of arithmetic and traffic,
plus launches.

The roofline of Williams et al. (CACM 2009), one kernel at a time, for devices that nobody has
calibrated. Its constants are one set per runtime, sourced or reasoned below, and none is fitted to
a device or a batch size. It is meant to put networks in order; absolute values may be off by a
factor of five (benchmarks/rooflines.py), so what comes of it is marked `estimated`.

A host issues kernels into a queue while the GPU works them off, so a network costs the larger of
two sums: what the host needs to issue it and what the device needs to run it. Small networks are
bound by the host, whatever the GPU.
"""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Literal, TypeVar, cast

import numpy as np
import numpy.typing as npt

Kind = Literal["conv", "depthwise", "linear", "batch_norm", "elementwise", "pool", "concat"]
Runtime = Literal["eager_gpu", "graph_gpu", "graph_cpu"]
Number = TypeVar("Number", float, npt.NDArray[np.float64])
FLOAT_BYTES = 4


@dataclass(frozen=True, kw_only=True)
class Kernel:
    """One operation as a device sees it, batch included.

    macs: multiply-accumulates. reads, writes: elements moved, each once. outputs: elements of the
    result per channel (pixels x batch); channels: of the result. window: elements that a direct
    kernel (pooling, depthwise) loads per output. groups: a dense convolution's, each on channels of
    its own.
    """

    kind: Kind
    macs: int
    reads: int
    writes: int
    outputs: int
    channels: int
    window: int = 1
    groups: int = 1


@dataclass(frozen=True, kw_only=True)
class Peaks:
    """The two slopes of the roofline: arithmetic in 10^9 MAC/s, memory in 10^9 bytes/s."""

    gmacs_per_s: float
    gb_per_s: float


@dataclass(frozen=True, kw_only=True)
class Costs:
    """What a runtime adds to the peaks.

    issue_us: host time to issue an operation; overlapped: whether the device works meanwhile;
    start_us: time from a kernel's start to its first result; compute, memory: the sustained share
    of the two peaks; free: operations that the runtime folds into their neighbours; lanes:
    multiply-accumulators of one core; tile: (outputs, channels) that a core computes at a time in a
    dense convolution, so that a part costs a whole.
    """

    issue_us: dict[Kind, float]
    overlapped: bool
    start_us: float
    compute: float
    memory: float
    free: frozenset[Kind]
    lanes: int
    tile: tuple[int, int]


# Issuing from Python. An elementwise operation needs 5 to 7 us of interpreter and dispatcher on a
# fast core (pytorch/pytorch#41383) and about 5 us for cudaLaunchKernel; a profiler trace of another
# host says 26 us, the profiler's own few included (pytorch/pytorch#27058): 15 us lies between. A
# cuDNN convolution or BatchNorm adds descriptors, an algorithm look-up and several wrappers: in
# that trace conv2d takes 112 us and cudnn_batch_norm 51 us without its wrappers, so about 4 : 3 :
# 1.
_EAGER_US: dict[Kind, float] = {
    "elementwise": 15.0,
    "pool": 15.0,
    "concat": 15.0,
    "linear": 30.0,
    "batch_norm": 45.0,
    "conv": 60.0,
    "depthwise": 60.0,
}
_LAUNCH_US: dict[Kind, float] = dict.fromkeys(_EAGER_US, 5.0)
_NODE_US: dict[Kind, float] = dict.fromkeys(_EAGER_US, 2.0)

COSTS: dict[Runtime, Costs] = {
    # SGEMM-like kernels sustain about 70 % of the multiply-add peak on tiles that fill a
    # multiprocessor, copies about 75 % of the memory peak. A kernel that does nothing takes about 2
    # us on the device. 128 FP32 lanes to a core. Implicit-GEMM convolutions have tiles of 128
    # outputs x 32 channels or larger.
    "eager_gpu": Costs(
        issue_us=_EAGER_US,
        overlapped=True,
        start_us=2.0,
        compute=0.7,
        memory=0.75,
        free=frozenset(),
        lanes=128,
        tile=(128, 32),
    ),
    "graph_gpu": Costs(
        issue_us=_LAUNCH_US,
        overlapped=True,
        start_us=2.0,
        compute=0.7,
        memory=0.75,
        free=frozenset({"batch_norm"}),
        lanes=128,
        tile=(128, 32),
    ),
    # A CPU runs what it issues itself, by default on one thread, while the peaks are those of all
    # cores (four or more): blocked convolutions sustain half of a core's, in blocks of a few
    # outputs x 16 channels; one core draws less than half of the memory's peak.
    "graph_cpu": Costs(
        issue_us=_NODE_US,
        overlapped=False,
        start_us=0.0,
        compute=0.12,
        memory=0.4,
        free=frozenset({"batch_norm"}),
        lanes=16,
        tile=(8, 16),
    ),
}
NOMINAL_GHZ = 1.5
"""Lanes of a GPU = peak / clock; GPUs since 2016 run FP32 at 1.3 to 1.9 GHz."""


def latency_ms(kernels: Iterable[Kernel], peaks: Peaks, runtime: Runtime) -> float:
    """Estimated time of kernels run one after the other, in milliseconds."""
    costs = COSTS[runtime]
    kernels = tuple(kernels)
    issue = sum(issue_us(kernel, costs) for kernel in kernels)
    device = sum(device_us(kernel, peaks, costs) for kernel in kernels)
    return together(issue, device, costs) / 1000


def together(issue: Number, device: Number, costs: Costs) -> Number:
    """A whole network's time from its two sums: the larger where host and device overlap, else
    their sum.

    The queue between them holds a thousand launches, so it is the sums that compete, not single
    kernels.
    """
    if costs.overlapped:
        return cast(Number, np.maximum(issue, device))
    return issue + device


def issue_us(kernel: Kernel, costs: Costs) -> float:
    """What the host needs to issue one kernel, in microseconds."""
    return 0.0 if kernel.kind in costs.free else costs.issue_us[kernel.kind]


def device_us(kernel: Kernel, peaks: Peaks, costs: Costs) -> float:
    """What the device needs to run one kernel, in microseconds: the larger of arithmetic and
    traffic."""
    if kernel.kind in costs.free:
        return 0.0
    return costs.start_us + max(_compute_us(kernel, peaks, costs), _memory_us(kernel, peaks, costs))


def _compute_us(kernel: Kernel, peaks: Peaks, costs: Costs) -> float:
    if not kernel.macs:
        return 0.0
    rate = peaks.gmacs_per_s * 1e3 * costs.compute  # MAC per us
    if kernel.kind != "conv":
        return kernel.macs / rate
    # Tiles go to the cores in waves; the last wave takes as long as a full one.
    cores = max(1, round(peaks.gmacs_per_s / NOMINAL_GHZ / costs.lanes))
    outputs, channels = costs.tile
    in_group = math.ceil(kernel.channels / kernel.groups / channels)
    tiles = math.ceil(kernel.outputs / outputs) * in_group * kernel.groups
    per_output = kernel.macs / (kernel.outputs * kernel.channels)
    work = math.ceil(tiles / cores) * cores * outputs * channels * per_output
    return work / rate


def _memory_us(kernel: Kernel, peaks: Peaks, costs: Costs) -> float:
    # Direct kernels (pooling, depthwise) give a thread to each output and load its window element
    # by element.
    reads = max(kernel.reads, kernel.window * kernel.outputs * kernel.channels)
    return FLOAT_BYTES * (reads + kernel.writes) / (peaks.gb_per_s * 1e3 * costs.memory)
