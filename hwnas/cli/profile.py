"""`hwnas profile`: every metric of a network on a target, with its interval and its origin."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Annotated

import typer

from hwnas.cli.choice_options import (
    Best,
    Every,
    Keys,
    Knee,
    Prefer,
    Within,
    choice_of,
    chosen_of,
    refuse_choice,
)
from hwnas.cli.next_steps import say_next
from hwnas.cli.outside import echo, echo_json
from hwnas.cli.values import one_of
from profilers.errors import InputError
from profilers.limits import check_input, check_numbers


def profile(
    subject: Annotated[
        str,
        typer.Argument(
            help="A network (a name such as MOBILENET_V2_0.35, a genotype's file or text), an .onnx"
            " or .tflite file, or a run.",
            metavar="SUBJECT",
        ),
    ],
    keys: Keys = None,
    every: Every = False,
    best: Best = False,
    knee: Knee = False,
    within: Within = None,
    prefer: Prefer = None,
    target: Annotated[str, typer.Option(help="Device: a name, an alias or a .toml file.")] = "cpu",
    targets: Annotated[
        str | None,
        typer.Option(help="Several devices, such as a,b,c; a run keeps what is measured."),
    ] = None,
    ray: Annotated[
        str | None,
        typer.Option(
            "--ray",
            metavar="[ADDRESS]",
            help="On nodes of Ray that offer device:NAME; ADDRESS HOST:PORT.",
        ),
    ] = None,
    channels: Annotated[
        int | None,
        typer.Option(help="Initial channels. Default: 36; of nasbench201 16; a chain's own."),
    ] = None,
    cells: Annotated[
        int | None,
        typer.Option(
            help="Cells. Default: 20; of nasbench201 15. A chain's blocks are its table's."
        ),
    ] = None,
    classes: Annotated[int | None, typer.Option(min=1, help="Classes. Default: 10.")] = None,
    image: Annotated[
        str | None, typer.Option(help="Image: SIDE or CHANNELSxHEIGHTxWIDTH. Default: 32.")
    ] = None,
    stem: Annotated[
        str | None, typer.Option(help="Stem of the network: cifar or imagenet. Default: cifar.")
    ] = None,
    backend: Annotated[
        list[str] | None,
        typer.Option(help="Back ends, such as openvino,ncnn,onnxruntime; may be given again."),
    ] = None,
    batch: Annotated[int, typer.Option(min=1, help="Images that a network is run on at once.")] = 1,
    threads: Annotated[int, typer.Option(min=1, help="CPU threads that run it.")] = 1,
    shape: Annotated[
        list[str] | None, typer.Option(help="ONNX: sizes of an input, NAME=1,3,32,32.")
    ] = None,
    dtype: Annotated[
        str | None,
        typer.Option(
            "--dtype",
            "--precision",
            help="fp32, fp16, bf16 or int8, where the back end has it. Default: fp32.",
        ),
    ] = None,
    graph_level: Annotated[
        str, typer.Option(help="ORT: disabled, basic, extended or all.")
    ] = "all",
    channels_last: Annotated[
        bool, typer.Option("--channels-last", help="torch: memory format.")
    ] = False,
    cuda_graph: Annotated[
        bool, typer.Option("--cuda-graph", help="torch: replay a captured graph.")
    ] = False,
    flush_l2: Annotated[
        bool, typer.Option("--flush-l2", help="torch on CUDA: empty the L2 cache before each run.")
    ] = False,
    io_binding: Annotated[
        bool, typer.Option("--io-binding", help="ORT: bind inputs and outputs.")
    ] = False,
    tensorrt: Annotated[
        bool, typer.Option("--tensorrt", help="ORT on CUDA: by TensorRT what that takes.")
    ] = False,
    budget: Annotated[float, typer.Option(help="Seconds of sampling per network.")] = 2.0,
    statistic: Annotated[
        str,
        typer.Option(
            help="Of all runs: median, p10 or min. auto: at the quiet host's speed where that is"
            " known, else the median, or on a noisy host the steadiest of the three."
        ),
    ] = "auto",
    limit: Annotated[
        float, typer.Option(help="Seconds after which a measurement is given up.")
    ] = 60.0,
    require: Annotated[
        str | None, typer.Option(help="Refuse a latency that is less: measured or table.")
    ] = None,
    table: Annotated[
        str | None, typer.Option(help="Calibration table of a target that isn't attached, JSON.")
    ] = None,
    ssh: Annotated[
        str | None, typer.Option(help="Measure on user@host (numpy and the runtime there).")
    ] = None,
    run_with: Annotated[
        str | None, typer.Option(help="Measure there by COMMAND 'SHELL LINE'.")
    ] = None,
    remote_python: Annotated[
        str, typer.Option(help="The Python to run there, 3.9 or later.")
    ] = "python3",
    per_op: Annotated[bool, typer.Option("--per-op", help="Show every operation too.")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Only JSON on standard output.")] = False,
) -> None:
    """Measure a network on a device: params, MACs, FLOPs, latency, memory; each with its origin."""
    from hwnas.catalog import find_device
    from hwnas.cli.profile_farm import keep, measure_by_ray
    from hwnas.cli.profile_output import as_dict, folded_notes, show
    from hwnas.cli.profile_runtimes import split
    from hwnas.cli.subject_options import subject_size, table_of_run
    from hwnas.measuring.profile import measure_elsewhere, measure_here, refuse_less
    from hwnas.measuring.subject_notes import sizes_of, strides_of
    from hwnas.measuring.subjects import members, resolve
    from hwnas.runs.choice import Choice, knee_of_run
    from hwnas.runs.directory import open_run
    from hwnas.runs.training_record import read_records
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
    typed = choice_of(
        "profile", keys, every=every, best=best, knee=knee, within=within, prefer=prefer
    )
    # not Path.is_dir(), which raises for a genotype's long text
    is_run = os.path.isdir(subject)
    if not is_run:
        refuse_choice("profile", typed, subject)
    several = targets is not None or ray is not None
    words = [target] if targets is None else [word.strip() for word in targets.split(",")]
    devices = list(
        {device.name: device for device in (load(find_device(word)) for word in words)}.values()
    )
    one_of("--require", require, ("measured", "table", None))
    said = {
        "--channels": channels,
        "--cells": cells,
        "--classes": classes,
        "--stem": stem,
        "--image": image,
    }
    backends = names_of(backend)
    if tensorrt and "onnxruntime" not in (backends or ()):
        raise InputError("--tensorrt: it is for --backend onnxruntime, on a CUDA target")
    torch_only = {"--channels-last": channels_last, "--cuda-graph": cuda_graph}
    of_files = {"--shape": shape, "--batch": batch, "--precision": dtype}
    size, shapes = subject_size(subject, {**said, **torch_only, **of_files})
    check_input(f"--batch {batch}", (batch, *size.image))
    if is_run:
        run = open_run(Path(subject))
        found = members(run, chosen_of(run, typed or Choice(every=True), "either", _say).members)
        taken = knee_of_run(run, "either")
        middle = taken.label
        for note in taken.notes if typed is None or typed.every else ():
            _note(note)
    else:
        found, middle = resolve(subject, size), None
    options = Options(
        batch=batch,
        threads=threads,
        dtype=one_of("--dtype", dtype or "fp32", PRECISIONS),
        channels_last=channels_last,
        cuda_graph=cuda_graph,
        flush_l2=flush_l2,
        graph_level=one_of("--graph-level", graph_level, ("disabled", "basic", "extended", "all")),
        io_binding=io_binding,
        tensorrt=tensorrt,
        limit_s=limit,
        shapes=shapes,
        protocol=Protocol(
            budget_s=budget,
            min_s=min(0.5, budget),
            statistic=one_of("--statistic", statistic, ("auto", "median", "p10", "min")),
        ),
        run=measure_elsewhere(ssh, run_with, remote_python),
        time=utc_now(),
    )
    run_table = table_of_run(subject, devices) if table is None else None
    if table is not None and len(devices) > 1:
        raise InputError("--table: with a single target")
    if ray is None:
        profiles = [
            measure_here(
                found,
                device,
                options,
                backends=backends,
                table=table,
                run_table=run_table,
                per_op=per_op,
                note=_note,
            )
            for device in devices
        ]
    elif ssh or run_with or per_op or table or run_table:
        raise InputError("--ray: not together with --ssh, --run-with, --per-op or --table")
    else:
        profiles = measure_by_ray(found, devices, options, backends, ray)
    kept = several or any(split(one.rows)[0] for one in profiles)
    if kept and is_run:
        keep(Path(subject), profiles)
    for one in profiles:
        refuse_less(one.rows, require, one.device)
    answers = [
        as_dict(subject, one.device, one.rows, one.operations, named=typed is not None)
        for one in profiles
    ]
    usual = not is_run and None in (channels, cells, classes, image)
    for line in (
        *(sizes_of(found) if usual else ()),
        *(() if is_run else strides_of(found)),
        *folded_notes(subject, profiles[0].rows),
    ):
        _note(line)
    if as_json:
        echo_json(answers if several else answers[0])
    else:
        for one in profiles:
            show(subject, one.device, one.rows, one.operations, middle)
        if is_run:
            one_network = found[0].architecture if len(found) == 1 else None
            meant = "--best" if one_network is None else one_network.genotype.key
            done = {record.key for record in read_records(open_run(Path(subject)))}
            step = "export" if meant in done else "train"
            say_next((step, Path(subject), meant), ("report", Path(subject)))
    outcomes = [outcome for one in profiles for _, outcome in one.rows]
    if any(one.lost for one in profiles) or any(
        isinstance(one, Failure) and one.went_wrong for one in outcomes
    ):
        raise typer.Exit(1)


PRECISIONS = ("fp32", "fp16", "bf16", "int8")


def names_of(backends: list[str] | None) -> list[str] | None:
    """The back ends of all --backend options, which may hold several with commas between."""
    words = [word.strip() for text in backends or () for word in text.split(",")]
    return [word for word in dict.fromkeys(words) if word] or None


def _note(line: str) -> None:
    _say(f"note: {line}")


def _say(line: str) -> None:
    echo(line, err=True)
