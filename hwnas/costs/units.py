"""Latencies in the wrong unit: three seconds read as three milliseconds fit as well as any
others."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from profilers.errors import InputError

if TYPE_CHECKING:
    from hwnas.costs.latency_csv import Measured
    from hwnas.space.space import Space
    from profilers.device import Device
    from profilers.table import NetworkSize

OFF = 100.0
"""Times that a median may be off the roofline, which is right to about a factor of five
(docs/latency-tables.md)."""
USUAL_MS = (0.05, 1000.0)
"""Medians outside are asked about where there is no roofline: few devices are so fast, or so
slow."""


def check_range(
    csv: Path,
    measured: Measured,
    unit: str | None,
    device: Device | None,
    space: Space,
    network: NetworkSize | None,
    batch: int,
) -> None:
    """Refuse (InputError) latencies that can't be of this device, or whose unit has to be said.

    ``unit``: the one that was typed, None where none was.
    """
    import numpy as np

    median = float(np.median(measured.latency_ms))
    read = f"{csv}: read as {measured.unit}, the median latency is {median:.3g} ms"
    expected = expected_ms(measured, device, space, network, batch)
    if expected is not None and device is not None:
        if not 1 / OFF <= median / expected <= OFF:
            fitting = fitting_unit(median / expected, measured.unit)
            advice = (
                f"are they in {fitting}? say --unit {fitting}"
                if fitting
                else "are they of this device?"
            )
            raise InputError(
                f"{read}, where the peaks of {device.name} say about {expected:.3g} ms: {advice}"
            )
    elif unit is None and not measured.unit_in_column and not USUAL_MS[0] <= median <= USUAL_MS[1]:
        raise InputError(f"{read}: say what they are in, with --unit ms, us or s")


def expected_ms(
    measured: Measured, device: Device | None, space: Space, network: NetworkSize | None, batch: int
) -> float | None:
    """The median of what the device's roofline says of the same networks, None where there is
    none."""
    import numpy as np

    from hwnas.costs.latency import roofline
    from hwnas.costs.tables import RUNTIMES, benchmark, family_of, peaks_of

    peaks = None if device is None else peaks_of(device)
    network = network or benchmark(space)
    if device is None or peaks is None or network is None:
        return None
    estimate = roofline(family_of(space, network), peaks, RUNTIMES[device.kind], device.name, batch)
    return float(np.median(estimate.predict(measured.choices)))


def fitting_unit(ratio: float, unit: str) -> str | None:
    """The unit that brings a median nearest to what is expected, where it comes within the
    factor."""
    from hwnas.costs.latency_csv import TO_MS

    ratios = {name: ratio * factor / TO_MS[unit] for name, factor in TO_MS.items() if name != unit}
    best = min(ratios, key=lambda name: max(ratios[name], 1 / ratios[name]))
    return best if 1 / OFF <= ratios[best] <= OFF else None
