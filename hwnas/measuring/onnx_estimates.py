"""What an ONNX file would take on a device that is not attached: a user's own model beside a front.

Latency is the roofline of the file's nodes. Where the user has calibrated a table of the device, it
is scaled: by how much the table's networks take longer than their own roofline says. So files and
members of a front, whose latencies come from the same table, can be compared.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from hwnas.costs.latency import TablePredictor, roofline
from hwnas.costs.tables import (
    benchmark,
    family_of,
    is_about,
    peaks_of,
    tables,
)
from hwnas.measuring.rooflines import ROOFLINE_FACTOR, ROOFLINE_WORDS
from hwnas.measuring.subjects import Named
from hwnas.space.encoding import sample
from hwnas.space.space import SPACES
from profilers.backends import Options
from profilers.device import Device
from profilers.errors import InputError
from profilers.measurement import LATENCY, MEMORY, Failure, Measurement, Outcome, Receipt
from profilers.onnx_kernels import OnnxKernels, onnx_kernels
from profilers.onnx_memory import onnx_memory_bytes
from profilers.onnx_operations import Operation
from profilers.roofline import COSTS, Peaks, Runtime, device_us, issue_us, latency_ms
from profilers.table import load

NETWORKS = 200
"""So many random networks of a table are compared with their roofline."""
MIB = 2**20
RUNTIMES: dict[str, Runtime] = {
    "gpu": "graph_gpu",
    "edge_gpu": "graph_gpu",
    "cpu": "graph_cpu",
    "edge_cpu": "graph_cpu",
}
"""A file runs as a compiled graph everywhere."""


@dataclass(frozen=True, kw_only=True)
class Scale:
    """By what a roofline of the device is multiplied: the median, and the ends of 90 % of a table's
    networks. ``words``: where it comes from."""

    factor: float
    low: float
    high: float
    words: str


UNSCALED = Scale(factor=1.0, low=1 / ROOFLINE_FACTOR, high=ROOFLINE_FACTOR, words=ROOFLINE_WORDS)


def onnx_latency_estimate(named: Named, device: Device, options: Options) -> Outcome:
    """The latency of one file, or the Failure that says why there is none."""
    receipt = _receipt("roofline", device, options)
    peaks = peaks_of(device)
    if peaks is None:
        why = f"{device.name} is not attached here, and has no peaks to estimate from"
        return Failure(metric=LATENCY, reason="not attached", detail=why, receipt=receipt)
    found = _kernels(named, options)
    kernels = [one.kernel for one in found.nodes]
    if not kernels:
        why = "nothing of this file can be priced: " + (", ".join(found.unpriced) or "it is empty")
        return Failure(metric=LATENCY, reason="not attached", detail=why, receipt=receipt)
    scale = scale_of(device, peaks, options.batch)
    value = latency_ms(kernels, peaks, RUNTIMES[device.kind])
    notes = [
        f"{device.name} is not attached here: nothing was measured",
        f"roofline of {device.name}; {scale.words}",
    ]
    if found.unpriced:
        notes.append(f"left out, no sizes are known: {', '.join(found.unpriced)}")
    if found.is_quantised:
        notes.append("its whole numbers are priced as floats")
    return Measurement(
        metric=LATENCY,
        value=value * scale.factor,
        low=value * scale.low,
        high=value * scale.high,
        samples=(),
        origin="estimated",
        receipt=replace(receipt, notes=tuple(notes)),
    )


def onnx_memory_estimate(named: Named, device: Device, options: Options) -> Outcome:
    """The memory that one file asks for."""
    receipt = _receipt("layers", device, options).with_notes(
        "weights and the maps alive at once; a runtime takes more than a file asks for"
    )
    value = onnx_memory_bytes(named.onnx or "", dict(options.shapes), options.batch) / MIB
    return Measurement(
        metric=MEMORY,
        value=value,
        low=value,
        high=value,
        samples=(),
        origin="estimated",
        receipt=receipt,
    )


def onnx_operation_estimates(named: Named, device: Device, options: Options) -> list[Operation]:
    """What each node would take, the slowest first. Raises InputError where there are no peaks."""
    peaks = peaks_of(device)
    if peaks is None:
        raise InputError(
            f"--per-op: {named.key}: {device.name} is not attached, and there is nothing to"
            " estimate from"
        )
    costs = COSTS[RUNTIMES[device.kind]]
    found = []
    for one in _kernels(named, options).nodes:
        pair = issue_us(one.kernel, costs), device_us(one.kernel, peaks, costs)
        found.append((one.name, one.kind, max(pair) if costs.overlapped else sum(pair)))
    total = sum(us for *_, us in found) or 1.0
    return [
        Operation(name=name, kind=kind, us=us, share=us / total, origin="estimated")
        for name, kind, us in sorted(found, key=lambda one: -one[2])
    ]


def scale_of(device: Device, peaks: Peaks, batch: int) -> Scale:
    """The scale by the first table of this device at this batch size; UNSCALED without one."""
    for path in tables(device.name):
        table = load(path)
        if table.space not in SPACES or not is_about(device, table):
            continue
        size = table.network or benchmark(SPACES[table.space])
        if size is None or table.metric != "latency" or (table.batch or 1) != batch:
            continue
        of = family_of(SPACES[table.space], size)
        rng = np.random.default_rng(0)
        choices = np.stack([sample(of.space, rng, of.space.mask) for _ in range(NETWORKS)])
        measured = TablePredictor(table=table, source=str(path)).predict(choices)
        runtime = RUNTIMES[device.kind]
        ratio = measured / roofline(of, peaks, runtime, "", batch).predict(choices)
        low, middle, high = np.percentile(ratio, [5, 50, 95]).tolist()
        return Scale(
            factor=middle,
            low=low,
            high=high,
            words=(
                f"times {middle:.3g}, by which the {table.space} networks of table {path} are"
                " off it in the median; the interval is that of nine in ten of them"
            ),
        )
    return UNSCALED


def _receipt(backend: str, device: Device, options: Options) -> Receipt:
    return Receipt(
        backend=backend,
        device=device.name,
        batch=options.batch,
        dtype=options.dtype,
        time=options.time,
    )


def _kernels(named: Named, options: Options) -> OnnxKernels:
    return onnx_kernels(named.onnx or "", dict(options.shapes), options.batch)
