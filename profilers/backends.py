"""Every way to measure, by name; other packages add theirs through the entry-point group
`hwnas.profilers`.

A back end is a function (subject, device, options) -> list of outcomes. docs/profilers.md shows how
to write one.
"""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from importlib.metadata import EntryPoint, entry_points
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from profilers.answered import checked
from profilers.device import Device
from profilers.errors import InputError, nearest
from profilers.host import host
from profilers.limits import check_numbers
from profilers.measurement import (
    FLOPS,
    MACS,
    PARAMS,
    Outcome,
    Receipt,
    counted,
    pairs,
)
from profilers.timing import Protocol

if TYPE_CHECKING:
    from torch import nn

    from profilers.onnx_latency import Measure

GROUP = "hwnas.profilers"


@dataclass(frozen=True, kw_only=True)
class Subject:
    """What is measured: a torch module with its input shape (batch included), or an ONNX file,
    or both."""

    name: str
    module: nn.Module | None = None
    shape: tuple[int, ...] = ()
    onnx: Path | None = None


@dataclass(frozen=True, kw_only=True)
class Options:
    """How to measure. `place` is cpu or cuda:N; `run` is where ONNX Runtime runs (None: here).

    Where `run` is given, no measured figure may come from this machine: a back end goes through it
    or refuses. Raises InputError for numbers out of range.
    """

    place: str = "cpu"
    batch: int = 1
    threads: int = 1
    dtype: Literal["fp32", "fp16", "bf16"] = "fp32"
    channels_last: bool = False
    cuda_graph: bool = False
    flush_l2: bool = False
    graph_level: Literal["disabled", "basic", "extended", "all"] = "all"
    io_binding: bool = False
    limit_s: float = 60.0
    shapes: tuple[tuple[str, tuple[int, ...]], ...] = ()
    protocol: Protocol = field(default_factory=Protocol)
    run: Measure | None = None
    time: str = ""

    def __post_init__(self) -> None:
        """Refuse numbers out of range (InputError)."""
        check_numbers(
            batch=self.batch,
            threads=self.threads,
            limit=self.limit_s,
            budget=self.protocol.budget_s,
        )


Backend = Callable[[Subject, Device, Options], list[Outcome]]


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


def torch_backend(subject: Subject, device: Device, options: Options) -> list[Outcome]:
    """latency of the module in eager torch; on CUDA its memory too.

    Raises InputError for another machine.
    """
    if options.run is not None:
        raise InputError("back end 'torch' measures on this machine only, not through Options.run")
    from profilers.memory import cuda_memory
    from profilers.torch_latency import TorchOptions, measure_torch

    how = TorchOptions(
        place=options.place,
        dtype=options.dtype,
        channels_last=options.channels_last,
        cuda_graph=options.cuda_graph,
        flush_l2=options.flush_l2,
        threads=options.threads,
        protocol=options.protocol,
    )
    module = needs_module(subject)
    outcomes = measure_torch([module], subject.shape, how, device=device.name)
    if options.place != "cpu":
        outcomes.append(cuda_memory(module, subject.shape, how, device=device.name))
    return outcomes


def cuda_index(place: str) -> int:
    """The N of "cuda:N"; 0 for "cuda" and "cpu"."""
    return int(place.partition(":")[2] or 0)


def onnxruntime(subject: Subject, device: Device, options: Options) -> list[Outcome]:
    """latency and memory of the ONNX file, or of the module exported once, each in a process of
    its own."""
    return onnxruntime_together([subject], device, options)[0]


def onnxruntime_together(
    subjects: Sequence[Subject], device: Device, options: Options
) -> list[list[Outcome]]:
    """`onnxruntime` for several subjects, whose latencies are sampled in turn."""
    from profilers.isolate import measure
    from profilers.memory import onnx_memory
    from profilers.onnx_check import check_onnx
    from profilers.onnx_latency import OnnxOptions, measure_latency

    how = OnnxOptions(
        threads=options.threads,
        provider="cpu" if options.place == "cpu" else "cuda",
        index=cuda_index(options.place),
        graph_level=options.graph_level,
        io_binding=options.io_binding,
        limit_s=options.limit_s,
        protocol=options.protocol,
    )
    run = options.run or measure
    with tempfile.TemporaryDirectory(prefix="hwnas-") as folder:
        files = [
            _onnx_file(subject, Path(folder) / f"{i}.onnx") for i, subject in enumerate(subjects)
        ]
        models = [check_onnx(file, dict(options.shapes), options.batch) for file in files]
        latencies = measure_latency(models, how, device=device.name, run=run)
        memories = [onnx_memory(model, how, device=device.name, run=run) for model in models]
    return [list(pair) for pair in zip(latencies, memories, strict=True)]


def _onnx_file(subject: Subject, path: Path) -> Path:
    if subject.onnx is not None:
        return subject.onnx
    from profilers.onnx_export import export_onnx

    return export_onnx(needs_module(subject), subject.shape, path)


BACKENDS: dict[str, Backend] = {
    "counts": counts,
    "torch-counter": torch_counter,
    "thop": thop,
    "torch": torch_backend,
    "onnxruntime": onnxruntime,
}


def plugins() -> dict[str, EntryPoint]:
    """Back ends that other installed packages announce, by name; none is imported yet."""
    return {point.name: point for point in entry_points(group=GROUP)}


def backend(name: str) -> Backend:
    """A back end by name; ours win over a plug-in of the same name.

    Raises InputError for an unknown one; a plug-in that gives no outcomes raises FaultyPlugin.
    """
    if name in BACKENDS:
        return BACKENDS[name]
    others = plugins()
    if name not in others:
        raise InputError(f"unknown back end '{name}'{nearest(name, [*BACKENDS, *others])}")
    try:
        found: Backend = others[name].load()
    except Exception as error:
        raise InputError(
            f"back end '{name}' ({others[name].value}): {type(error).__name__}: {error}"
        ) from None
    if not callable(found):
        raise InputError(f"back end '{name}' ({others[name].value}) is not a function")
    return checked(f"back end '{name}' ({GROUP})", found)


def needs_module(subject: Subject) -> nn.Module:
    """The torch module, or InputError: this back end cannot measure an ONNX file."""
    if subject.module is None:
        raise InputError(f"{subject.name}: this back end needs a torch network, not an ONNX file")
    return subject.module


def needs_onnx(subject: Subject) -> Path:
    """The ONNX file, or InputError."""
    if subject.onnx is None:
        raise InputError(f"{subject.name}: neither a torch network nor an ONNX file")
    return subject.onnx


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
