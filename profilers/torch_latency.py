"""Latency of torch modules, eager on the CPU or on a CUDA device, in this process.

A throw-away copy is moved, cast and measured; the module itself is left as found. On the CPU a
torch version of the reference network runs beside it (see `reference.py`). On CUDA every run lies
between two events with one synchronisation at the end of a cycle, and the wall clock with a
synchronisation per run is taken beside it.
"""

from __future__ import annotations

import copy
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path
from typing import Literal

import torch
from torch import Tensor, nn

from profilers.cuda_timing import captured, cuda_sampler, flusher, new_event, on_device
from profilers.gpu_state import GpuState, gpu_state, notes
from profilers.gpu_state import settings as clocks
from profilers.host import host
from profilers.limits import check_numbers
from profilers.lock import host_lock
from profilers.measurement import LATENCY, Failure, Measurement, Outcome, Receipt, pairs
from profilers.onnx_latency import utc_now
from profilers.preserve import example_input, left_as_found, random_states_kept
from profilers.reference import default_store, nominal_speed
from profilers.timing import Clock, Protocol, Sampler, Samples, sample_interleaved, timed
from profilers.torch_reference import reference_sampler

BACKEND = "torch"
MS = 1000.0
DTYPES = {"fp32": torch.float32, "fp16": torch.float16, "bf16": torch.bfloat16}


@dataclass(frozen=True, kw_only=True)
class TorchOptions:
    """How torch runs the module: `place` is cpu or cuda:N; the rest as in `OnnxOptions`.

    `cuda_graph` replays a captured graph, which takes the launches out; `flush_l2` overwrites the
    L2 cache before each run. "fp32" is float32 on a GPU, too, not TF32.
    """

    place: str = "cpu"
    dtype: Literal["fp32", "fp16", "bf16"] = "fp32"
    channels_last: bool = False
    threads: int = 1
    cuda_graph: bool = False
    flush_l2: bool = False
    reference: bool = True
    store: Path | None = field(default_factory=default_store)
    protocol: Protocol = field(default_factory=Protocol)

    def __post_init__(self) -> None:
        """Refuse numbers out of range (InputError)."""
        check_numbers(threads=self.threads, budget=self.protocol.budget_s)


def measure_torch(
    modules: Sequence[nn.Module],
    input_shape: Sequence[int],
    options: TorchOptions | None = None,
    *,
    device: str = "",
    now: Callable[[], str] = utc_now,
) -> list[Outcome]:
    """Latency in ms of each module on a random input of `input_shape` (batch included), sampled in
    turn.

    What fails (no memory, no such device, outputs that are not finite) is a Failure in its place.
    """
    options = options or TorchOptions()
    shape = tuple(int(size) for size in input_shape)
    receipt = make_receipt(options, shape, device, now())
    samplers: dict[str, Sampler] = {}
    failures: dict[str, Outcome] = {}
    with (
        host_lock(),
        random_states_kept(),
        torch_threads(options.threads),
        full_float32(options.place),
        torch.inference_mode(),
    ):
        before = _state(options)
        for index, module in enumerate(modules):
            try:
                samplers[str(index)] = module_sampler(module, shape, options)
            except (RuntimeError, ValueError, AssertionError) as error:
                # AssertionError is what a torch without CUDA raises.
                failures[str(index)] = failed(error, receipt)
        reference = (
            reference_sampler(own_clock(options)) if samplers and uses_reference(options) else None
        )
        try:
            taken = sample_interleaved(
                samplers,
                options.protocol,
                reference=reference,
                nominal_s=1.0 if reference else None,
            )
        except RuntimeError as error:
            taken = {}
            failures |= {name: failed(error, receipt) for name in samplers}
        receipt = _with_state(receipt, before, _state(options))
    done = {name: finished(samples, receipt, options) for name, samples in taken.items()}
    return [{**failures, **done}[str(index)] for index in range(len(modules))]


def module_sampler(module: nn.Module, shape: tuple[int, ...], options: TorchOptions) -> Sampler:
    """Copy, move and check one module; RuntimeError or ValueError where it cannot run."""
    with left_as_found(module):
        duplicate = copy.deepcopy(module)
    place, dtype = torch.device(options.place), DTYPES[options.dtype]
    duplicate = duplicate.to(device=place, dtype=dtype)
    x = example_input(duplicate, shape).to(device=place, dtype=dtype)
    if options.channels_last and x.dim() == 4:
        # nn.Module.to takes it, its stub does not say so.
        duplicate = duplicate.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
        x = x.contiguous(memory_format=torch.channels_last)
    for part in duplicate.modules():
        part.training = False
    y = duplicate(x)
    if isinstance(y, Tensor) and not bool(torch.isfinite(y).all()):
        raise ValueError("the outputs are not finite")
    if place.type != "cuda":
        return timed(lambda: duplicate(x), own=own_clock(options))
    run = captured(duplicate, x) if options.cuda_graph else lambda: duplicate(x)
    flush = flusher(place) if options.flush_l2 else None
    wait = partial(torch.cuda.synchronize, place)
    return on_device(place, cuda_sampler(run, new_event, wait, flush=flush))


def own_clock(options: TorchOptions) -> Clock:
    """CPU time where one thread does all the work; threads that wait for each other have the
    wall clock only."""
    return time.thread_time if options.threads == 1 else time.perf_counter


def uses_reference(options: TorchOptions) -> bool:
    """Whether the reference runs: on the CPU, where other work disturbs, with the automatic
    statistic."""
    return options.reference and options.place == "cpu" and options.protocol.statistic == "auto"


def finished(samples: Samples, receipt: Receipt, options: TorchOptions) -> Measurement:
    """One module's samples as a measurement in ms."""
    scale, settings, notes = MS, dict[str, object](), receipt.notes
    if samples.reference:
        key = f"{receipt.host} torch {torch.__version__} threads {options.threads}"
        level = nominal_speed(options.store, key, samples.reference)
        scale, notes = MS * level.seconds, (*notes, *level.notes)
        now = sorted(samples.reference)[len(samples.reference) // 2]
        settings = {
            "reference_ms": f"{MS * level.seconds:.6g}",
            "reference_now_ms": f"{MS * now:.6g}",
        }
    wall, summary = samples.wall_summary, samples.summary
    settings |= {
        f"wall_{name}_ms": f"{MS * getattr(wall, name):.6g}"
        for name in ("min", "p10", "median", "p90", "p99", "iqr")
    }
    return Measurement(
        metric=LATENCY,
        value=scale * summary.value,
        low=scale * summary.low,
        high=scale * summary.high,
        samples=tuple(MS * value for value in samples.wall),
        origin="measured",
        receipt=Receipt(
            **{
                **vars(receipt),
                "statistic": summary.statistic,
                "noisy": wall.noisy,
                "notes": notes,
                "settings": pairs({**dict(receipt.settings), "runs": wall.n, **settings}),
            }
        ),
        series=(
            ("own", tuple(MS * value for value in samples.own)),
            ("reference", tuple(MS * value for value in samples.reference)),
        ),
    )


def make_receipt(options: TorchOptions, shape: tuple[int, ...], device: str, time: str) -> Receipt:
    """What a reader needs to repeat this measurement."""
    settings: Mapping[str, object] = {
        "place": options.place,
        "channels_last": options.channels_last,
        "cuda_graph": options.cuda_graph,
        "flush_l2": options.flush_l2,
        **_precisions(options),
        "own_time": "cuda events"
        if options.place != "cpu"
        else "cpu"
        if options.threads == 1
        else "wall",
    }
    return Receipt(
        backend=BACKEND,
        device=device,
        versions=pairs(versions(options.place)),
        threads=options.threads,
        batch=shape[0] if shape else None,
        shape=shape,
        dtype=options.dtype,
        host=host().fingerprint,
        time=time,
        settings=pairs(settings),
    )


def versions(place: str) -> dict[str, str]:
    """Versions of torch and, on CUDA, of what lies below it, and the device's name and present
    clock."""
    found = {"torch": str(torch.__version__)}
    if place != "cpu" and torch.cuda.is_available():
        index = torch.device(place).index or 0
        found |= {
            "cuda": str(torch.version.cuda),
            "cudnn": str(cudnn_version()),
            "gpu": torch.cuda.get_device_name(index),
        }
    return found


def cudnn_version() -> object:
    """cuDNN's version number, None where there is none."""
    return torch.backends.cudnn.version()  # type: ignore[no-untyped-call]


def failed(error: Exception, receipt: Receipt) -> Failure:
    """What went wrong, as a value."""
    text = " ".join(str(error).split())[:300]
    memory = isinstance(error, torch.OutOfMemoryError) or "memory" in text.lower()
    reason = "out of memory" if memory else "not finite" if "not finite" in text else "refused"
    return Failure(metric=LATENCY, reason=reason, detail=text, receipt=receipt)


def _precisions(options: TorchOptions) -> dict[str, object]:
    """What a GPU makes of float32, and how cuDNN chooses its kernels."""
    if options.place == "cpu":
        return {}
    return {"tf32": False, "cudnn_benchmark": torch.backends.cudnn.benchmark}


def _state(options: TorchOptions) -> GpuState:
    return (
        GpuState() if options.place == "cpu" else gpu_state(torch.device(options.place).index or 0)
    )


def _with_state(receipt: Receipt, before: GpuState, after: GpuState) -> Receipt:
    known = {**dict(receipt.settings), **clocks(before, after)}
    return replace(receipt, settings=pairs(known), notes=(*receipt.notes, *notes(before, after)))


@contextmanager
def full_float32(place: str) -> Iterator[None]:
    """Inside, "fp32" on a GPU is float32: by default cuDNN takes TF32, of 10 bits, from Ampere
    on."""
    if place == "cpu":
        yield
        return
    before = torch.backends.cuda.matmul.allow_tf32, torch.backends.cudnn.allow_tf32
    torch.backends.cuda.matmul.allow_tf32 = torch.backends.cudnn.allow_tf32 = False
    try:
        yield
    finally:
        torch.backends.cuda.matmul.allow_tf32, torch.backends.cudnn.allow_tf32 = before


@contextmanager
def torch_threads(threads: int) -> Iterator[None]:
    """Run with so many intra-op threads, then with as many as before."""
    before = torch.get_num_threads()
    torch.set_num_threads(threads)
    try:
        yield
    finally:
        torch.set_num_threads(before)
