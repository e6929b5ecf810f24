"""A latency without the device: its calibration table where there is one, else its roofline."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from hwnas.cli.subjects import Named
    from profilers.backends import Options
    from profilers.device import Device
    from profilers.measurement import Outcome


def latency(named: Named, device: Device, options: Options, table: str | None) -> Outcome:
    """The latency of one network on a device that is not attached, or the Failure that says why."""
    import numpy as np

    from hwnas.space.encoding import to_choices
    from hwnas.space.latency import roofline
    from hwnas.space.space import SPACES
    from profilers.measurement import LATENCY, Failure, Measurement, Receipt, pairs
    from profilers.roofline import Peaks
    from profilers.table import Network

    receipt = Receipt(
        backend="roofline",
        device=device.name,
        batch=options.batch,
        dtype=options.dtype,
        time=options.time,
        notes=(f"{device.name} is not attached here: nothing was measured",),
    )
    architecture = named.architecture
    if architecture is None:
        reason = "an ONNX file can only be measured, and the target is not attached"
        return Failure(LATENCY, "not attached", reason, receipt)
    peak = device.fp16_gmacs_per_s if options.dtype != "fp32" else device.fp32_gmacs_per_s
    if peak is None or device.memory_gb_per_s is None:
        reason = f"{device.path} gives no peaks, and the device is not attached"
        return Failure(LATENCY, "not attached", reason, receipt)
    shape = named.shape
    estimate = roofline(
        SPACES[architecture.genotype.space],
        Network(architecture.channels, architecture.cells, shape.classes, shape.image),
        Peaks(peak, device.memory_gb_per_s),
        "eager_gpu" if device.kind in ("gpu", "edge_gpu") else "graph_cpu",
        device.path,
        options.batch,
        shape.stem,
    )
    value = float(estimate.predict(np.asarray(to_choices(architecture.genotype)))[0])
    receipt = receipt.with_notes("estimated from data-sheet peaks: for ranking; off by up to a factor of two")
    settings = pairs({"runtime": estimate.runtime, "gmacs_per_s": peak, "gb_per_s": device.memory_gb_per_s})
    return Measurement(
        LATENCY,
        value,
        value / 2,
        value * 2,
        (),
        "estimated",
        Receipt(**{**vars(receipt), "settings": settings}),
    )
