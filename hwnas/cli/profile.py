"""`hwnas profile`: every metric of a network on a target, with its interval and its origin."""

from __future__ import annotations

import os
import re
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from hwnas.cli.outside import echo, echo_json
from profilers.errors import InputError, nearest
from profilers.limits import check_input, check_numbers

if TYPE_CHECKING:
    from hwnas.measuring.subjects import Named
    from profilers.backends import Options
    from profilers.device import Device
    from profilers.measurement import Outcome
    from profilers.onnx_latency import Measure
    from profilers.onnx_operations import Operation

    Row = tuple[str, Outcome]

HERE = ("torch", "onnxruntime")
_WHOLE = re.compile(r"[0-9]{1,12}")
ORDER = ("failed", "estimated", "table", "measured", "counted")


def profile(
    subject: Annotated[str, typer.Argument(help="A genotype (name, file or text), an .onnx file or a run.")],
    target: Annotated[str, typer.Option(help="Device: a name, an alias or a .toml file.")] = "cpu",
    targets: Annotated[
        str | None, typer.Option(help="Several devices, such as a,b,c; a run keeps what is measured.")
    ] = None,
    ray: Annotated[
        str | None,
        typer.Option(
            "--ray", metavar="[ADDRESS]", help="On nodes of Ray that offer device:NAME; ADDRESS HOST:PORT."
        ),
    ] = None,
    channels: Annotated[int | None, typer.Option(help="Initial channels. [default: 36; 16]")] = None,
    cells: Annotated[int | None, typer.Option(help="Searched cells. [default: 20; 15]")] = None,
    classes: Annotated[int | None, typer.Option(min=1, help="Classes. [default: 10]")] = None,
    image: Annotated[
        str | None, typer.Option(help="Image: SIDE or CHANNELSxHEIGHTxWIDTH. [default: 32]")
    ] = None,
    stem: Annotated[
        str | None, typer.Option(help="Stem of the network: cifar or imagenet. [default: cifar]")
    ] = None,
    backend: Annotated[list[str] | None, typer.Option(help="Back end; may be given again.")] = None,
    batch: Annotated[int, typer.Option(min=1)] = 1,
    threads: Annotated[int, typer.Option(min=1)] = 1,
    shape: Annotated[list[str] | None, typer.Option(help="ONNX: sizes of an input, NAME=1,3,32,32.")] = None,
    dtype: Annotated[str | None, typer.Option(help="torch: fp32, fp16 or bf16. [default: fp32]")] = None,
    graph_level: Annotated[str, typer.Option(help="ORT: disabled, basic, extended or all.")] = "all",
    channels_last: Annotated[bool, typer.Option("--channels-last", help="torch: memory format.")] = False,
    cuda_graph: Annotated[bool, typer.Option("--cuda-graph", help="torch: replay a captured graph.")] = False,
    flush_l2: Annotated[
        bool, typer.Option("--flush-l2", help="torch on CUDA: empty the L2 cache before each run.")
    ] = False,
    io_binding: Annotated[bool, typer.Option("--io-binding", help="ORT: bind inputs and outputs.")] = False,
    budget: Annotated[float, typer.Option(help="Seconds of sampling per network.")] = 2.0,
    statistic: Annotated[str, typer.Option(help="auto, median, p10 or min.")] = "auto",
    limit: Annotated[float, typer.Option(help="Seconds after which a measurement is given up.")] = 60.0,
    require: Annotated[
        str | None, typer.Option(help="Refuse a latency that is less: measured or table.")
    ] = None,
    table: Annotated[str | None, typer.Option(help="Calibration table of the target, JSON.")] = None,
    ssh: Annotated[
        str | None, typer.Option(help="Measure on user@host (onnxruntime and numpy there).")
    ] = None,
    run_with: Annotated[str | None, typer.Option(help="Measure there by COMMAND 'SHELL LINE'.")] = None,
    remote_python: Annotated[str, typer.Option(help="The Python to run there, 3.9 or later.")] = "python3",
    per_op: Annotated[bool, typer.Option("--per-op", help="Show every operation too.")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Only JSON on standard output.")] = False,
) -> None:
    """Measure a network on a device: params, MACs, FLOPs, latency and memory, each with its origin."""
    from hwnas.catalog import find_device
    from hwnas.cli.profile_output import as_dict, show
    from hwnas.cli.profiles import keep, measure_by_ray, measure_here
    from hwnas.cli.subject_options import subject_size
    from hwnas.measuring.subjects import resolve
    from profilers.backends import Options
    from profilers.device import load
    from profilers.measurement import Failure
    from profilers.onnx_latency import utc_now
    from profilers.timing import Protocol

    check_numbers(
        "--",
        channels=channels,
        cells=cells,
        classes=classes,
        batch=batch,
        threads=threads,
        limit=limit,
        budget=budget,
    )
    several = targets is not None or ray is not None
    words = [target] if targets is None else [word.strip() for word in targets.split(",")]
    devices = list({device.name: device for device in (load(find_device(word)) for word in words)}.values())
    one_of("--require", require, ("measured", "table", None))
    said = {"--channels": channels, "--cells": cells, "--classes": classes, "--stem": stem, "--image": image}
    torch_only = {"--dtype": dtype, "--channels-last": channels_last, "--cuda-graph": cuda_graph}
    size, shapes = subject_size(subject, {**said, **torch_only, "--shape": shape, "--batch": batch})
    check_input(f"--batch {batch}", (batch, *size.image))
    found = resolve(subject, size)
    options = Options(
        batch=batch,
        threads=threads,
        dtype=one_of("--dtype", dtype or "fp32", ("fp32", "fp16", "bf16")),
        channels_last=channels_last,
        cuda_graph=cuda_graph,
        flush_l2=flush_l2,
        graph_level=one_of("--graph-level", graph_level, ("disabled", "basic", "extended", "all")),
        io_binding=io_binding,
        limit_s=limit,
        shapes=shapes,
        protocol=Protocol(
            budget_s=budget,
            min_s=min(0.5, budget),
            statistic=one_of("--statistic", statistic, ("auto", "median", "p10", "min")),
        ),
        run=elsewhere(ssh, run_with, remote_python),
        time=utc_now(),
    )
    if table and len(devices) > 1:
        raise InputError("--table: with a single target")
    if ray is None:
        profiles = [
            measure_here(found, device, options, ssh, run_with, backend, table, per_op) for device in devices
        ]
    elif ssh or run_with or per_op or table:
        raise InputError("--ray: not together with --ssh, --run-with, --per-op or --table")
    else:
        profiles = measure_by_ray(found, devices, options, backend, ray)
    if several and os.path.isdir(subject):  # not Path.is_dir(), which raises for a genotype's long text
        keep(Path(subject), profiles)
    for one in profiles:
        refuse_less(one.rows, require, one.device)
    answers = [as_dict(subject, one.device, one.rows, one.operations) for one in profiles]
    if as_json:
        echo_json(answers if several else answers[0])
    else:
        for one in profiles:
            show(subject, one.device, one.rows, one.operations)
    outcomes = [outcome for one in profiles for _, outcome in one.rows]
    if any(one.lost for one in profiles) or any(
        isinstance(one, Failure) and one.went_wrong for one in outcomes
    ):
        raise typer.Exit(1)


def measure_all(
    found: Sequence[Named], device: Device, options: Options, names: Sequence[str] | None, table: str | None
) -> list[Row]:
    """Every outcome of every back end, in order; several networks are sampled in turn."""
    from hwnas.measuring.estimates import latency, memory
    from hwnas.measuring.subjects import build
    from profilers.backends import backend, onnxruntime_together
    from profilers.elsewhere import measured_there, refuse_elsewhere

    chosen = list(names or default_backends(found, options))
    refuse_elsewhere(chosen, options)
    functions = {name: measured_there(name, backend(name)) for name in chosen}
    rows: list[Row] = []
    with tempfile.TemporaryDirectory(prefix="hwnas-") as folder:
        subjects = [build(named, options.batch, Path(folder)) for named in found]
        for name, function in functions.items():
            if name in HERE and not options.place:
                for named in found:
                    rows.append((named.key, latency(named, device, options, table)))
                    rows.append((named.key, memory(named, device, options)))
            elif name == "onnxruntime":
                for named, outcomes in zip(
                    found, onnxruntime_together(subjects, device, options), strict=True
                ):
                    rows += [(named.key, outcome) for outcome in outcomes]
            else:
                for named, subject in zip(found, subjects, strict=True):
                    rows += [(named.key, outcome) for outcome in function(subject, device, options)]
    return sorted(rows, key=lambda row: [named.key for named in found].index(row[0]))


def per_operation(found: Sequence[Named], device: Device, options: Options) -> list[tuple[str, Operation]]:
    """Every operation of every network as ONNX Runtime runs it, the slowest first; estimated where nothing runs."""
    from hwnas.measuring.estimates import operations as estimated
    from hwnas.measuring.subjects import build
    from profilers.isolate import measure
    from profilers.measurement import Failure
    from profilers.onnx_check import check_onnx
    from profilers.onnx_latency import OnnxOptions
    from profilers.onnx_operations import onnx_operations

    if not options.place:
        return [(named.key, one) for named in found for one in estimated(named, device, options)]
    if options.place != "cpu":
        raise InputError("--per-op: only where ONNX Runtime measures on a CPU")
    how = OnnxOptions(threads=options.threads, graph_level=options.graph_level, limit_s=options.limit_s)
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
    """Counts, and what runs finished models on the target: ONNX Runtime on CPUs and elsewhere, eager torch on CUDA."""
    here = options.run is None and all(named.architecture for named in found)
    on_cuda = here and options.place.startswith("cuda")
    return ("counts", "torch") if on_cuda else ("counts", "onnxruntime")


def place(device: Device, ssh: str | None, run_with: str | None) -> str:
    """Where to measure: "cpu", "cuda:0", or "" when the target is not attached, or can't be used (which is said)."""
    from profilers.device import attached, match

    if ssh or run_with:
        return "cpu" if device.kind in ("cpu", "edge_cpu") else "cuda:0"
    found = match(device, attached()) or ""
    if found.startswith("cuda"):
        from profilers.cuda import cuda_problem

        problem = cuda_problem(int(found.partition(":")[2] or 0))
        if problem:
            echo(f"note: {device.name} can't be measured here: {problem}", err=True)
            return ""
    return found


def elsewhere(ssh_address: str | None, command: str | None, python: str = "python3") -> Measure | None:
    """Where ONNX Runtime runs when it is not here."""
    from profilers.remote import remote, run_with, ssh

    if ssh_address and command:
        raise InputError("--ssh and --run-with: give one of them")
    if ssh_address:
        return remote(ssh(ssh_address, python))
    return remote(run_with(command, python)) if command else None


def refuse_less(rows: Sequence[Row], require: str | None, device: Device) -> None:
    """Raise InputError for a latency whose origin is less than `--require` asks for, or that is missing."""
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


def image_size(text: str) -> tuple[int, int, int]:
    """SIDE or CHANNELSxHEIGHTxWIDTH, or InputError."""
    parts = text.lower().split("x")
    if len(parts) in (1, 3) and all(_WHOLE.fullmatch(part) and 0 < int(part) <= 4096 for part in parts):
        numbers = [int(part) for part in parts]
        sizes = (3, numbers[0], numbers[0]) if len(numbers) == 1 else (numbers[0], numbers[1], numbers[2])
        check_input("--image", sizes)
        return sizes
    raise InputError(
        f"--image: expected SIDE or CHANNELSxHEIGHTxWIDTH, such as 32 or 3x32x32, not {text[:40]!r}"
    )


def input_shape(text: str) -> tuple[str, tuple[int, ...]]:
    """NAME=1,3,32,32, or InputError."""
    name, equals, sizes = text.rpartition("=")
    parts = sizes.split(",")
    if not equals or not name or not all(_WHOLE.fullmatch(part.strip()) for part in parts):
        raise InputError(f"--shape: expected NAME=1,3,32,32, not {text[:60]!r}")
    return name, tuple(int(part) for part in parts)


def one_of(option: str, value: Any, choices: Sequence[Any]) -> Any:
    """The value, or InputError with the nearest choice."""
    if value in choices:
        return value
    names = [choice for choice in choices if choice is not None]
    raise InputError(f"{option}: unknown value {str(value)[:40]!r}{nearest(str(value), names)}")
