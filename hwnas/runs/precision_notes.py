"""What is said of networks in their precisions: files that do not pay, and how far the figures can
be trusted."""

from __future__ import annotations

from collections.abc import Sequence

from hwnas.runs.paired import standard_errors_lost
from hwnas.runs.precision_record import PrecisionPoint

ERRORS = 2.0
"""A file that loses more accuracy than so many standard errors is told of: less can be chance."""


def notes_on(points: Sequence[PrecisionPoint], again: str) -> list[str]:
    """A line for each file that does not pay, then lines about the figures.

    ``again``: the command that measures all of them in one sitting.
    """
    found = [line for point in points if (line := does_not_pay(point, points))]
    if any(point.trained_on for point in points):
        found.append(
            "the networks were trained on the validation images too, so accuracies there are too"
            " high: they compare the precisions of a network; the test accuracy stands beside"
        )
    counts = {point.images for point in points}
    if len(counts) > 1:
        found.append("the networks were validated on different images: export all of them again")
    busy = sum(point.latency is not None and bool(point.latency.noisy) for point in points)
    if busy:
        found.append(f"the host was busy while {busy} of the {len(points)} files were measured")
    sittings = {point.measured for point in points if point.latency is not None}
    if len(sittings) > 1:
        found.append(
            f"the latencies were measured in {len(sittings)} sittings; {again} measures all files"
            " in turn"
        )
    return found


def does_not_pay(point: PrecisionPoint, points: Sequence[PrecisionPoint]) -> str:
    """What speaks against a file of a lower precision, in one line; empty where nothing does."""
    plain = float32_of(point, points)
    if plain is None:
        return ""
    said = [
        one for one in (_slower(point, plain), _larger(point, plain), _loses(point, plain)) if one
    ]
    if not said:
        return ""
    return f"{point.network} {point.precision} ({point.runtime}): {'; '.join(said)}"


def float32_of(point: PrecisionPoint, points: Sequence[PrecisionPoint]) -> PrecisionPoint | None:
    """The float32 file of the same network and runtime, else of another runtime; None for one that
    is float32 itself."""
    plain = [one for one in points if one.network == point.network and one.precision == "fp32"]
    if point.precision == "fp32" or not plain:
        return None
    return next((one for one in plain if one.runtime == point.runtime), plain[0])


def _slower(point: PrecisionPoint, plain: PrecisionPoint) -> str:
    """Beyond both intervals, in the same runtime."""
    if point.latency is None or plain.latency is None or point.runtime != plain.runtime:
        return ""
    (low, _), (_, high) = point.latency.interval, plain.latency.interval
    if low <= high:
        return ""
    return f"slower than float32, {point.latency.value:.3g} ms instead of {plain.latency.value:.3g}"


def _larger(point: PrecisionPoint, plain: PrecisionPoint) -> str:
    if point.size < plain.size:
        return ""
    return f"no smaller, {point.size / 1024:,.0f} KiB instead of {plain.size / 1024:,.0f}"


def _loses(point: PrecisionPoint, plain: PrecisionPoint) -> str:
    """More accuracy than can be chance, on the same images."""
    if point.images != plain.images:
        return ""
    errors = standard_errors_lost(plain.bits, point.bits)
    if errors <= ERRORS:
        return ""
    lost = 100 * (plain.accuracy.value - point.accuracy.value)
    return f"loses {lost:.1f} points of accuracy ({errors:.1f} standard errors)"
