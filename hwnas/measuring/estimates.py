"""Latency and memory without the device: from its calibration table or its peaks, and from the
layers."""

from __future__ import annotations

from typing import TYPE_CHECKING

from hwnas.measuring.rooflines import ROOFLINE_FACTOR, ROOFLINE_WORDS
from profilers.errors import InputError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from hwnas.costs.latency import Predictor
    from hwnas.measuring.subjects import Named
    from profilers.backends import Options
    from profilers.device import Device
    from profilers.measurement import Outcome
    from profilers.onnx_operations import Operation


def latency(named: Named, device: Device, options: Options, table: str | None) -> Outcome:
    """The latency of one network on a device that is not attached, or the Failure that says why
    there is none."""
    from hwnas.costs.latency import TablePredictor
    from hwnas.costs.tables import predictor
    from hwnas.measuring.subjects import family_of
    from hwnas.space.encoding import to_choices
    from profilers.measurement import LATENCY, Failure, Measurement, Receipt

    architecture, shape = named.architecture, named.shape
    if architecture is None:
        from hwnas.measuring.onnx_estimates import onnx_latency_estimate

        return onnx_latency_estimate(named, device, options)
    receipt = Receipt(
        backend="", device=device.name, batch=options.batch, dtype=options.dtype, time=options.time
    )
    try:
        source = predictor(device, family_of(architecture, shape), batch=options.batch, table=table)
    except InputError as error:
        if table is not None:
            raise
        return Failure(metric=LATENCY, reason="not attached", detail=str(error), receipt=receipt)
    value = float(source.predict(to_choices(architecture.genotype)[None])[0])
    factor, note = spread(source)
    notes: tuple[str, ...] = (
        f"{device.name} is not attached here: nothing was measured",
        f"{source.source}; {note}",
    )
    if isinstance(source, TablePredictor) and source.table.device != device.name:
        notes += (f"the table is one of {source.table.device}, not of {device.name}",)
    receipt = Receipt(
        **{
            **vars(receipt),
            "backend": "table" if source.origin == "table" else "roofline",
            "notes": notes,
        }
    )
    return Measurement(
        metric=LATENCY,
        value=value,
        low=value / factor,
        high=value * factor,
        samples=(),
        origin=source.origin,
        receipt=receipt,
    )


def check_table(found: Sequence[Named], device: Device, options: Options, table: str) -> None:
    """Raise InputError for a named table that is missing or about other networks, or for files,
    of which no table says anything."""
    from hwnas.costs.tables import predictor
    from hwnas.measuring.subjects import family_of

    for named in found:
        if named.architecture is None:
            raise InputError(
                f"--table: {named.key}: a table is about networks of its space, not about a file"
            )
        of = family_of(named.architecture, named.shape)
        predictor(device, of, batch=options.batch, table=table)


def memory(named: Named, device: Device, options: Options) -> Outcome:
    """The memory that one network asks for on a device that is not attached."""
    from hwnas.costs.memory import memory_table
    from hwnas.measuring.subjects import family_of
    from hwnas.space.encoding import to_choices
    from profilers.measurement import MEMORY, Measurement, Receipt

    architecture, shape = named.architecture, named.shape
    if architecture is None:
        from hwnas.measuring.onnx_estimates import onnx_memory_estimate

        return onnx_memory_estimate(named, device, options)
    receipt = Receipt(
        backend="layers", device=device.name, batch=options.batch, dtype="fp32", time=options.time
    )
    table = memory_table(family_of(architecture, shape), options.batch)
    value = float(table.of(to_choices(architecture.genotype))[0])
    noted = receipt.with_notes(
        "weights and the maps alive at once; a runtime takes more than a network asks for"
    )
    return Measurement(
        metric=MEMORY,
        value=value,
        low=value,
        high=value,
        samples=(),
        origin="estimated",
        receipt=noted,
    )


def operations(named: Named, device: Device, options: Options) -> list[Operation]:
    """What each operation of one network would take on a device that is not attached, the slowest
    first.

    Raises InputError where there are no peaks to estimate from.
    """
    from hwnas.costs.kernels import steps_of
    from hwnas.costs.tables import RUNTIMES, peaks_of
    from hwnas.space.build import architecture_graph
    from hwnas.space.size import Task
    from profilers.onnx_operations import Operation
    from profilers.roofline import COSTS, device_us, issue_us

    peaks, architecture, shape = peaks_of(device), named.architecture, named.shape
    if architecture is None:
        from hwnas.measuring.onnx_estimates import onnx_operation_estimates

        return onnx_operation_estimates(named, device, options)
    if peaks is None:
        raise InputError(
            f"--per-op: {named.key}: {device.name} is not attached, and there is nothing to"
            " estimate from"
        )
    costs, found = COSTS[RUNTIMES[device.kind]], []
    task = Task(classes=shape.classes, image=shape.image)
    for step in steps_of(architecture_graph(architecture, task, shape.stem), options.batch):
        times = [
            (issue_us(kernel, costs), device_us(kernel, peaks, costs)) for kernel in step.kernels
        ]
        us = sum(max(pair) if costs.overlapped else sum(pair) for pair in times)
        found.append((step.name, step.kind, us))
    total = sum(us for *_, us in found)
    slowest_first = sorted(found, key=lambda one: -one[2])
    return [
        Operation(name=name, kind=kind, us=us, share=us / total, origin="estimated")
        for name, kind, us in slowest_first
    ]


def spread(source: Predictor) -> tuple[float, str]:
    """The factor within which the true latency is expected, and the words for it."""
    from hwnas.costs.latency import TablePredictor

    if isinstance(source, TablePredictor):
        agreement = source.table.agreement
        held = agreement.get("held_out") or agreement.get("cross_validation") or {}
        if "mape_percent" in held:
            # Two mean absolute errors: nine in ten of normal errors.
            error = float(held["mape_percent"])
            return 1 + 2 * error / 100, f"mean error {error:.2f} % on networks that it had not seen"
    return ROOFLINE_FACTOR, ROOFLINE_WORDS
