"""Back ends that count: params, MACs and FLOPs of a torch module or an ONNX file."""

from __future__ import annotations

from profilers.device import Device
from profilers.host import host
from profilers.measurement import FLOPS, MACS, PARAMS, Outcome, Receipt, counted, pairs
from profilers.subject import Options, Subject, needs_module, needs_onnx


def counts(subject: Subject, device: Device, options: Options) -> list[Outcome]:
    """params, macs and flops by structure: of a torch module, else of an ONNX graph."""
    from profilers.onnx_counts import count_onnx

    fewest: int | None = None
    uncounted_params: tuple[str, ...] = ()
    if subject.module is None:
        found = count_onnx(needs_onnx(subject), dict(options.shapes), options.batch)
        params, macs, uncounted, shape = found.params, found.macs, found.uncounted, found.shape
        fewest, uncounted_params = found.fewest_macs, found.uncounted_params
    else:
        from profilers.counts import count

        of_module = count(subject.module, subject.shape)
        params, macs, uncounted = of_module.params, of_module.macs, of_module.uncounted
        shape = of_module.shape
    receipt = count_receipt("counts", device, options, shape)
    of_params = receipt.with_notes(*_uncounted(uncounted_params))
    return [
        counted(PARAMS, params, of_params, at_least=bool(uncounted_params)),
        *_macs_and_flops(macs, receipt.with_notes(*_uncounted(uncounted)), bool(uncounted), fewest),
    ]


def _macs_and_flops(
    macs: int, receipt: Receipt, at_least: bool, fewest: int | None = None
) -> list[Outcome]:
    least = macs if fewest is None else fewest
    if least < macs:
        receipt = receipt.with_notes(
            "branches differ: the interval goes from the cheaper to the dearer"
        )
    return [
        counted(MACS, macs, receipt, least, at_least),
        counted(FLOPS, 2 * macs, receipt, 2 * least, at_least),
    ]


def torch_counter(subject: Subject, device: Device, options: Options) -> list[Outcome]:
    """macs and flops as torch counts the operators that run."""
    import torch

    from profilers.torch_counter import count_with_torch

    macs = count_with_torch(needs_module(subject), subject.shape).macs
    receipt = count_receipt(
        "torch-counter", device, options, subject.shape, versions={"torch": torch.__version__}
    )
    return _macs_and_flops(macs, receipt, at_least=False)


def thop(subject: Subject, device: Device, options: Options) -> list[Outcome]:
    """params and macs as thop counts them, with the difference of its MACs from ours in their
    notes."""
    from profilers.thop import count_with_thop

    found = count_with_thop(needs_module(subject), subject.shape)
    name, _, version = found.distribution.partition(" ")
    receipt = count_receipt(
        "thop", device, options=options, shape=subject.shape, notes=(), versions={name: version}
    )
    of_macs = receipt.with_notes(found.explain(), *_uncounted(found.uncounted))
    return [
        counted(PARAMS, found.params, receipt),
        counted(MACS, found.macs, of_macs, at_least=bool(found.uncounted)),
    ]


def count_receipt(
    name: str,
    device: Device,
    options: Options,
    shape: tuple[int, ...],
    notes: tuple[str, ...] = (),
    versions: dict[str, str] | None = None,
) -> Receipt:
    """The receipt of a count: no device is needed for one."""
    return Receipt(
        backend=name,
        device=device.name,
        versions=pairs(versions or {}),
        batch=shape[0] if shape else options.batch,
        shape=shape,
        host=host().fingerprint,
        time=options.time,
        notes=notes,
    )


def _uncounted(names: tuple[str, ...]) -> tuple[str, ...]:
    return (f"not counted: {', '.join(names)}",) if names else ()
