"""``hwnas search``: from images and a target to a Pareto front."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from hwnas.cli import processes as several
from hwnas.cli.outside import echo
from hwnas.cli.panels import DataOption, HardwareOption, Option, OutputOption, SearchOption
from hwnas.cli.search_words import config_flags, flag_of, named_table
from hwnas.errors import quoted

if TYPE_CHECKING:
    from hwnas.config import Config
    from hwnas.search.distributed.ranks import Ranks
    from hwnas.search.progress import SearchProgress, Watcher


def search(
    context: typer.Context,
    target: Annotated[
        str | None,
        Option(help="Device to search for: a name, an alias or a .toml file (default: cpu)."),
    ] = None,
    objective: Annotated[
        list[str] | None,
        Option(help="A cost to keep low: params, macs, flops, latency, memory. Repeatable."),
    ] = None,
    target_value: Annotated[
        list[str] | None,
        Option(help="What must be met, with its unit: 1.5M, or latency=2ms. Repeatable."),
    ] = None,
    data: Annotated[
        str | None,
        DataOption(
            help="digits, cifar10, cifar100, fashion-mnist, imagenet, a folder, or a .npz file."
        ),
    ] = None,
    test: Annotated[
        Path | None,
        DataOption(
            help="Folder of the test images, one sub-folder per class, for a folder of images."
        ),
    ] = None,
    out: Annotated[
        Path | None, Option(help="Run directory to make (default: a new one under runs/).")
    ] = None,
    space: Annotated[
        str | None,
        SearchOption(
            help=(
                "Of cells: darts, tnd or nasbench201; chains of blocks: mobile, mobile-small,"
                " fbnet, proxyless or a known network's (docs/guide/chains.md)."
            )
        ),
    ] = None,
    weights_from: Annotated[
        str | None,
        SearchOption(
            help=(
                "Trained weights to start from: a name such as efficientnet-lite0, a .safetensors"
                " or .pth file, or none (default for photos: those that are installed)."
            )
        ),
    ] = None,
    algorithm: Annotated[
        str | None,
        SearchOption(
            help=(
                "tndnas, ndarts (accuracy only; the default without --objective), random, nsga2 or"
                " surrogate (the default with trained weights)."
            )
        ),
    ] = None,
    seed: Annotated[
        int | None, SearchOption(help="Same seed, same trials and front on a CPU.")
    ] = None,
    epochs: Annotated[int | None, SearchOption(help="Epochs of each stage.")] = None,
    exponents: Annotated[
        str | None,
        SearchOption(help="Penalty exponents, one policy each, such as 0,-0.1,-0.3 (0 or below)."),
    ] = None,
    reward: Annotated[str | None, SearchOption(help="power, hard or absolute.")] = None,
    weights: Annotated[
        str | None, SearchOption(help="sampled (one path a step) or mixture (all operations).")
    ] = None,
    config: Annotated[
        str | None,
        Option(help="A named search (quickstart, tnd-cifar10, ...) or a .toml file; flags win."),
    ] = None,
    channels: Annotated[
        int | None, SearchOption(help="Initial channels of the networks handed back.")
    ] = None,
    cells: Annotated[int | None, SearchOption(help="Cells of the networks handed back.")] = None,
    data_root: Annotated[Path | None, DataOption(help="Folder of the public data sets.")] = None,
    download: Annotated[
        bool, DataOption("--download", help="Fetch a missing public data set.")
    ] = False,
    data_noise: Annotated[
        float | None, DataOption(help="Gaussian noise on every image, 0..1: a harder task.")
    ] = None,
    image_size: Annotated[
        int | None, DataOption(help="Side in pixels that folders of images are read at.")
    ] = None,
    skip_broken: Annotated[
        bool,
        DataOption(
            "--skip-broken", help="Leave out image files that cannot be read, and say how many."
        ),
    ] = False,
    require: Annotated[
        str | None,
        HardwareOption(
            help="Least that latency and memory must be: any (estimates too), table, or measured."
        ),
    ] = None,
    table: Annotated[
        str | None,
        HardwareOption(
            help="Latency table to search by: a file or a name. [default: the target's own]"
        ),
    ] = None,
    device: Annotated[
        str | None, HardwareOption(help="Where the search itself computes: auto, cpu or cuda.")
    ] = None,
    backend: Annotated[
        str | None,
        HardwareOption(
            help="What measures on an attached target: openvino, ncnn, torch or a plug-in."
        ),
    ] = None,
    precision: Annotated[
        str | None,
        HardwareOption(help="Of measured latencies: fp32, fp16, bf16 or int8. [default: fp32]"),
    ] = None,
    cuda_graph: Annotated[
        bool,
        HardwareOption(
            "--cuda-graph", help="Latencies on a CUDA target: of captured graphs, not eager torch."
        ),
    ] = False,
    threads: Annotated[
        int | None, HardwareOption(help="CPU threads of the search itself, of each process.")
    ] = None,
    processes: Annotated[int | None, HardwareOption(help=several.HELP)] = None,
    json: Annotated[bool, OutputOption("--json", help="Only JSON on standard output.")] = False,
    quiet: Annotated[bool, OutputOption("--quiet", "-q", help="No progress.")] = False,
    verbose: Annotated[
        bool,
        OutputOption(
            "--verbose", help="Also what researchers read: exponents, rewards, entropies."
        ),
    ] = False,
) -> None:
    """Search for a Pareto front of architectures and leave a run directory.

    hwnas search --target 1080ti --objective params
    """
    flags = config_flags(
        {
            "target": target,
            "objective": objective,
            "target_value": target_value,
            "data": data,
            "test": test,
            "space": space,
            "weights_from": weights_from,
            "algorithm": algorithm,
            "seed": seed,
            "exponents": exponents,
            "reward": reward,
            "weights": weights,
            "channels": channels,
            "cells": cells,
            "data_root": data_root,
            "download": download,
            "data_noise": data_noise,
            "image_size": image_size,
            "skip_broken": skip_broken,
            "require": require,
            "device": device,
            "backend": backend,
            "precision": precision,
            "cuda_graph": cuda_graph,
            "threads": threads,
        }
    )
    from hwnas.cli.progress import notes
    from hwnas.config import resolve, with_epochs
    from hwnas.runs.directory import ensure_absent, new_directory
    from hwnas.search.photos import with_weights

    say = notes(quiet or several.follows())
    resolved = resolve(with_weights(flags, config, say), config, say, flag_of)
    if epochs is not None:
        resolved = with_epochs(resolved, epochs)
    chosen = named_table(table, resolved)
    path = out or new_directory(resolved.data.source, [one.metric for one in resolved.objectives])
    ensure_absent(path)
    several.launched(processes, context.find_root().obj)
    with several.joined() as ranks:
        run_search(
            resolved,
            ranks.broadcast(lambda: path),
            json=json,
            quiet=quiet,
            verbose=verbose,
            ranks=ranks,
            table=chosen,
        )


def run_search(
    resolved: Config,
    path: Path,
    json: bool,
    quiet: bool,
    ranks: Ranks,
    table: Path | None = None,
    heard: Watcher | None = None,
    verbose: bool = False,
) -> None:
    """Search in this process, and print what was found. ``heard``: told of every epoch too."""
    from hwnas.cli.progress import notes, watching
    from hwnas.cli.show import print_summary
    from hwnas.runs.summary import read_front
    from hwnas.search.plan import feasibility, plan
    from hwnas.search.search import search
    from hwnas.training.describe import described

    say = notes(quiet or not ranks.is_main)
    planned = plan(resolved, say, table, ranks)
    for line in described(planned.dataset):
        say(line)
    if not resolved.objectives:
        say(f"no cost objective: accuracy only, by {resolved.algorithm}")
    for line in feasibility(planned, verbose):
        say(line)
    say(f"run directory: {path}")
    if not ranks.is_main:
        search(resolved, path, planned=planned, ranks=ranks)
        return
    try:
        with watching(quiet, path, verbose) as shown:

            def watch(progress: SearchProgress) -> None:
                shown(progress)
                if heard is not None:
                    heard(progress)

            run = search(resolved, path, watch=watch, planned=planned, say=say, ranks=ranks)
    except KeyboardInterrupt:
        echo(
            f"stopped; go on with: hwnas resume {quoted(path)}{several.again(ranks)}",
            err=True,
        )
        raise
    print_summary(read_front(run), path, json)
