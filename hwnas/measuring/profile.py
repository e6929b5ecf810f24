"""Every outcome of several back ends for several networks on one device: measured here or there,
or estimated."""

from __future__ import annotations

import tempfile
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

from hwnas.measuring.estimates import check_table, latency, memory
from hwnas.measuring.estimates import operations as estimated
from hwnas.measuring.subjects import Named, build
from profilers import remote
from profilers.backends import Options, backend
from profilers.cuda import cuda_problem
from profilers.device import Device, attached, match
from profilers.elsewhere import measured_there, refuse_elsewhere
from profilers.errors import InputError
from profilers.isolate import measure
from profilers.measurement import Failure, Measurement, Outcome
from profilers.onnx_check import check_onnx
from profilers.onnx_latency import Measure, OnnxOptions
from profilers.onnx_operations import Operation, onnx_operations
from profilers.pattern import found_in
from profilers.runtime_backends import together
from profilers.runtimes import RUNTIMES, check_runtime

Row = tuple[str, Outcome]
HERE = ("torch", *RUNTIMES)
ORDER = ("failed", "estimated", "table", "measured", "counted")
"""What an outcome can come from, the least first."""


@dataclass(frozen=True, kw_only=True)
class Profile:
    """All outcomes on one device.

    ``said``: per row, its node, begin and end; ``lost``: how many tasks gave none.
    """

    device: Device
    rows: list[tuple[str, Outcome]]
    said: list[Mapping[str, object]]
    operations: list[tuple[str, Operation]] = field(default_factory=list)
    lost: int = 0


def measure_here(
    found: Sequence[Named],
    device: Device,
    options: Options,
    *,
    backends: Sequence[str] | None,
    table: str | None,
    run_table: str | None = None,
    per_op: bool,
    note: Callable[[str], None],
) -> Profile:
    """On this host, or by ``options.run`` on another; ``note`` takes lines for people.

    ``table``: the latency table that was named, which is checked even where the device is
    measured. ``run_table``: the one that a run keeps, for want of another. Raises InputError.
    """
    options = replace(options, place=place(device, options.run is not None, note))
    if table is not None:
        check_table(found, device, options, table)
        if options.place:
            note(f"--table {table}: not used, because {device.name} is measured")
    began = time.time()
    rows = measure_all(found, device, options, backends, table or run_table)
    if options.run is not None:
        rows = [(key, noted(device, outcome)) for key, outcome in rows]
    ended = time.time()
    operations = per_operation(found, device, options) if per_op else []
    said = {"node": "", "began": began, "ended": ended}
    return Profile(device=device, rows=rows, said=[said] * len(rows), operations=operations)


def noted(device: Device, outcome: Outcome) -> Outcome:
    """What another machine measured, with a note where that machine's CPU is not the one the
    device is known by."""
    pattern, host = device.cpu_model_regex, outcome.receipt.host
    if not isinstance(outcome, Measurement) or outcome.origin != "measured" or not pattern:
        return outcome
    if found_in(pattern, host):
        return outcome
    note = f"the machine that answered is {host or 'unknown'}, which {device.name} is not known by"
    return replace(outcome, receipt=outcome.receipt.with_notes(note))


def measure_all(
    found: Sequence[Named],
    device: Device,
    options: Options,
    names: Sequence[str] | None,
    table: str | None,
) -> list[Row]:
    """Every outcome of every back end, in order; several networks are sampled in turn."""
    chosen = list(dict.fromkeys(names or default_backends(found, options)))
    refuse_elsewhere(chosen, options)
    refuse_tflite(found, device, options)
    functions = {name: measured_there(name, backend(name)) for name in chosen}
    rows: list[Row] = []
    with tempfile.TemporaryDirectory(prefix="hwnas-") as folder:
        tflite = options.dtype if options.place and "litert" in chosen else ""
        if tflite:
            check_runtime("litert", tflite, options.place, elsewhere=options.run is not None)
        subjects = [build(named, options.batch, Path(folder), tflite=tflite) for named in found]
        estimated_for = next((name for name in chosen if name in HERE), "")
        for name, function in functions.items():
            if name in HERE and not options.place:
                # An estimate is of the device, not of a runtime: once is enough.
                for named in found if name == estimated_for else ():
                    rows.append((named.key, latency(named, device, options, table)))
                    rows.append((named.key, memory(named, device, options)))
            elif name in RUNTIMES:
                for named, outcomes in zip(
                    found, together(name, subjects, device, options), strict=True
                ):
                    rows += [(named.key, outcome) for outcome in outcomes]
            else:
                for named, subject in zip(found, subjects, strict=True):
                    rows += [(named.key, outcome) for outcome in function(subject, device, options)]
    return sorted(rows, key=lambda row: [named.key for named in found].index(row[0]))


def refuse_tflite(found: Sequence[Named], device: Device, options: Options) -> None:
    """Raise InputError for a .tflite file where nothing runs it."""
    file = next((named.tflite for named in found if named.tflite), None)
    if file is not None and not options.place:
        raise InputError(
            f"{file}: {device.name} is not attached here, and nothing is estimated of a TFLite"
            " file: give the network or its ONNX file"
        )


def per_operation(
    found: Sequence[Named], device: Device, options: Options
) -> list[tuple[str, Operation]]:
    """Every operation of every network as ONNX Runtime runs it, the slowest first; estimated
    where nothing runs."""
    if any(named.tflite for named in found):
        raise InputError(f"--per-op: {found[0].key}: of networks and ONNX files, not TFLite files")
    if not options.place:
        return [(named.key, one) for named in found for one in estimated(named, device, options)]
    if options.place != "cpu":
        raise InputError("--per-op: only where ONNX Runtime measures on a CPU")
    how = OnnxOptions(
        threads=options.threads, graph_level=options.graph_level, limit_s=options.limit_s
    )
    operations: list[tuple[str, Operation]] = []
    with tempfile.TemporaryDirectory(prefix="hwnas-") as folder:
        for named in found:
            subject = build(named, options.batch, Path(folder), with_module=False)
            model = check_onnx(subject.onnx or "", dict(options.shapes), options.batch)
            nodes = onnx_operations(model, how, run=options.run or measure)
            if isinstance(nodes, Failure):
                raise InputError(f"--per-op: {named.key}: {nodes.reason}: {nodes.detail}")
            operations += [(named.key, node) for node in nodes]
    return operations


def default_backends(found: Sequence[Named], options: Options) -> tuple[str, ...]:
    """Counts, and what runs finished models on the target: ONNX Runtime on CPUs and elsewhere,
    eager torch on CUDA; LiteRT for its own file."""
    if any(named.tflite for named in found):
        return ("litert",)
    here = options.run is None and all(named.architecture for named in found)
    on_cuda = here and options.place.startswith("cuda")
    return ("counts", "torch") if on_cuda else ("counts", "onnxruntime")


def place(device: Device, on_another: bool, note: Callable[[str], None]) -> str:
    """Where to measure: "cpu", "cuda:0", or "" where the target is not attached or can't be used
    (``note`` says why).

    ``on_another``: on another host, which has what the device is.
    """
    if on_another:
        return "cpu" if device.kind in ("cpu", "edge_cpu") else "cuda:0"
    found = match(device, attached()) or ""
    if found.startswith("cuda"):
        problem = cuda_problem(int(found.partition(":")[2] or 0))
        if problem:
            note(f"{device.name} can't be measured here: {problem}")
            return ""
    return found


def measure_elsewhere(
    ssh: str | None, run_with: str | None, python: str = "python3"
) -> Measure | None:
    """How ONNX Runtime is run on another host, None where it runs here.

    Raises InputError for both at once.
    """
    if ssh and run_with:
        raise InputError("--ssh and --run-with: give one of them")
    if ssh:
        return remote.remote(remote.ssh(ssh, python))
    return remote.remote(remote.run_with(run_with, python)) if run_with else None


def refuse_less(rows: Sequence[Row], require: str | None, device: Device) -> None:
    """Raise InputError for a latency whose origin is less than `--require` asks for, or that is
    missing."""
    if require is None:
        return
    latencies = [outcome for _, outcome in rows if outcome.metric.name == "latency"]
    for outcome in latencies:
        origin = getattr(outcome, "origin", "failed")
        if ORDER.index(origin) < ORDER.index(require):
            why = getattr(outcome, "detail", "") or f"its latency here is only {origin}"
            raise InputError(f"--require {require}: {device.name}: {why}")
    if not latencies:
        raise InputError(f"--require {require}: no back end of this call gives a latency")
