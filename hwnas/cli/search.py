"""``hwnas search``: from images and a target to a Pareto front."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from hwnas.cli import processes as several
from hwnas.cli.outside import echo
from hwnas.cli.panels import HardwareOption, Option, OutputOption
from hwnas.cli.search_options import (
    Algorithm,
    Backend,
    Cells,
    Channels,
    CudaGraph,
    Data,
    DataNoise,
    DataRoot,
    Device,
    Download,
    Epochs,
    Exponents,
    ImageSize,
    Objective,
    Precision,
    Require,
    Reward,
    Seed,
    SkipBroken,
    Space,
    Table,
    Target,
    TargetValue,
    Test,
    Threads,
    TrainPrecision,
    Weights,
    WeightsFrom,
)
from hwnas.cli.search_words import config_flags, flag_of, named_table
from hwnas.errors import quoted

if TYPE_CHECKING:
    from hwnas.config import Config
    from hwnas.search.distributed.ranks import Ranks
    from hwnas.search.progress import SearchProgress, Watcher


def search(
    context: typer.Context,
    target: Target = None,
    objective: Objective = None,
    target_value: TargetValue = None,
    data: Data = None,
    test: Test = None,
    out: Annotated[
        Path | None, Option(help="Run directory to make (default: a new one under runs/).")
    ] = None,
    space: Space = None,
    weights_from: WeightsFrom = None,
    algorithm: Algorithm = None,
    seed: Seed = None,
    epochs: Epochs = None,
    exponents: Exponents = None,
    reward: Reward = None,
    weights: Weights = None,
    train_precision: TrainPrecision = None,
    config: Annotated[
        str | None,
        Option(help="A named search (quickstart, tnd-cifar10, ...) or a .toml file; flags win."),
    ] = None,
    channels: Channels = None,
    cells: Cells = None,
    data_root: DataRoot = None,
    download: Download = False,
    data_noise: DataNoise = None,
    image_size: ImageSize = None,
    skip_broken: SkipBroken = False,
    require: Require = None,
    table: Table = None,
    device: Device = None,
    backend: Backend = None,
    precision: Precision = None,
    cuda_graph: CudaGraph = False,
    threads: Threads = None,
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
    flags = config_flags(locals())
    from hwnas.cli.progress import notes
    from hwnas.config import resolve, with_epochs
    from hwnas.runs.directory import ensure_absent, new_directory
    from hwnas.search.photos import with_weights

    say = notes(quiet or several.follows())
    resolved = resolve(with_weights(flags, config, say, epochs), config, say, flag_of)
    if epochs is not None:
        resolved = with_epochs(resolved, epochs)
    chosen = named_table(table, resolved)
    path = out or new_directory(resolved.data.source, [one.metric for one in resolved.objectives])
    ensure_absent(path)
    several.launched(processes, context.find_root().obj)
    from hwnas.nets.fast.allocator import keep_freed_memory

    keep_freed_memory()
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
    from hwnas.runs.directory import Run
    from hwnas.runs.summary import read_front
    from hwnas.runs.verdict import with_verdict
    from hwnas.search.plan import feasibility, plan
    from hwnas.search.search import search
    from hwnas.search.worth import doubts
    from hwnas.training.describe import described

    say = notes(quiet or not ranks.is_main)
    planned = plan(resolved, say, table, ranks)
    for line in described(planned.dataset):
        say(line)
    if not resolved.objectives:
        say(f"no cost objective: accuracy only, by {resolved.algorithm}")
    for reason in doubts(resolved, planned.dataset):
        say(f"note: hardly better than chance: {reason}; hwnas plan says what can be had")
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
        again = f"hwnas resume {quoted(path)}{several.again(ranks)}"
        saved = Run(path=path, config=resolved).checkpoint_path.is_file()
        why = (
            "stopped; go on with" if saved else "stopped before anything was saved; begin anew with"
        )
        echo(f"{why}: {again}", err=True)
        raise
    print_summary(with_verdict(run, read_front(run)), path, json)
