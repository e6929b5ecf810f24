"""``hwnas plan``: what a search would take, before a day is spent on it."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from dataclasses import asdict
from typing import TYPE_CHECKING, Annotated

import typer

from hwnas.cli.next_steps import say_next
from hwnas.cli.outside import echo, echo_json
from hwnas.cli.panels import Option, OutputOption
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
from hwnas.cli.values import seconds_of
from profilers.errors import InputError

if TYPE_CHECKING:
    from hwnas.config import Config
    from hwnas.search.advice import Advice
    from hwnas.search.forecast import StageForecast


def plan(
    config: Annotated[
        str | None,
        typer.Argument(help="A named search (quickstart, tnd-cifar10, ...) or a .toml file."),
    ] = None,
    config_option: Annotated[
        str | None,
        Option("--config", help="The same as the argument."),
    ] = None,
    budget: Annotated[
        str | None,
        Option(
            help=(
                "The time that you have, such as 30m or 2h. plan says how many epochs fit into"
                " it, or that it is better not to search."
            )
        ),
    ] = None,
    target: Target = None,
    objective: Objective = None,
    target_value: TargetValue = None,
    data: Data = None,
    test: Test = None,
    space: Space = None,
    weights_from: WeightsFrom = None,
    algorithm: Algorithm = None,
    seed: Seed = None,
    epochs: Epochs = None,
    exponents: Exponents = None,
    reward: Reward = None,
    weights: Weights = None,
    train_precision: TrainPrecision = None,
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
    json: Annotated[bool, OutputOption("--json", help="Only JSON on standard output.")] = False,
    quiet: Annotated[bool, OutputOption("--quiet", "-q", help="No progress.")] = False,
) -> None:
    """What a search takes and whether it can pay, from pieces of it that are timed.

    It knows every option of search. All that it leaves is a machine's first latency table.

    hwnas plan --objective params --budget 10m
    """
    from hwnas.cli.progress import notes
    from hwnas.config import resolve, with_epochs

    if config is not None and config_option is not None:
        raise InputError(f"--config: the argument {config[:60]!r} names a search already")
    config = config if config_option is None else config_option
    flags = config_flags(locals())
    seconds = None if budget is None else seconds_of("--budget", budget)
    from hwnas.search.photos import with_weights

    say = notes(quiet)
    resolved = resolve(with_weights(flags, config, say, epochs), config, say, flag_of)
    if epochs is not None:
        resolved = with_epochs(resolved, epochs)
    chosen_table = named_table(table, resolved)
    from hwnas.nets.fast.allocator import keep_freed_memory
    from hwnas.search.advice import advise
    from hwnas.search.plan import plan as planning
    from hwnas.training.describe import described

    keep_freed_memory()  # as the search will, whose epochs it times
    planned = planning(resolved, say, chosen_table)
    for line in described(planned.dataset):
        say(line)
    found = advise(planned, seconds, say)
    if json:
        echo_json(
            {
                **asdict(found.forecast),
                "epochs": [stage.epochs for stage in found.config.stages],
                "budget_seconds": seconds,
                "search": found.search,
                "why": list(found.why),
            }
        )
        return
    words = [word for word in sys.argv[2:] if word not in ("--json", "--quiet", "-q")]
    _print(found, seconds)
    say_next(*_commands(words, config, found, seconds))


def _commands(
    words: list[str], config: str | None, found: Advice, budget: float | None
) -> list[Sequence[str]]:
    """What to type for what was found best."""
    kept: list[str] = []
    skip = False
    for word in words:
        name = word.split("=")[0]
        if skip or name == "--budget" or (name == "--epochs" and budget is not None):
            skip = not skip and "=" not in word
            continue
        kept += ["--config", word] if word == config and "--config" not in kept else [word]
    if not found.search:
        if not found.narrow:
            return []
        where = "runs/narrow"
        search = ["search", *kept, "--algorithm", "narrow", "--out", where]
        return [search, ["train", where, "--all", "--epochs", "8"]]
    if budget is not None:
        kept += ["--epochs", str(_longest(found.config))]
    return [["search", *kept]]


def _longest(config: Config) -> int:
    """What --epochs says of a search: the epochs of its stages that train drawn paths."""
    return max((stage.epochs for stage in config.stages if stage.train == "paths"), default=1)


def _does(config: Config, stage: StageForecast, train: str) -> str:
    """What a stage does, in words."""
    from hwnas.space import SPACES

    steps = f"{_many(stage.epochs, 'epoch')} of {_many(stage.steps, 'step')}"
    tried = f"tries {_many(stage.evaluations, 'network')}"
    if train == "nothing":
        return f"trains nothing, {tried}"
    if train == "largest":
        return f"trains the whole network, {steps}"
    what = f"trains {stage.cells} {SPACES[config.space].parts}"
    if not stage.evaluations:
        return f"{what} with options drawn at random, {steps}"
    alone = f", the first {stage.frozen_epochs} without trying any" if stage.frozen_epochs else ""
    last = stage.finalist_epochs
    ends = f", the last {last} train the candidates of the front alone" if last else ""
    return f"{what}, {steps}, {tried}{alone}{ends}"


def _many(count: int, word: str) -> str:
    return f"{count:,} {word}" if count == 1 else f"{count:,} {word}s"


def _print(advice: Advice, budget: float | None) -> None:

    config, found = advice.config, advice.forecast
    if found.start_seconds:
        echo(f"start from {config.weights_from}: about {_clock(found.start_seconds)}")
    several = len(found.stages) > 1
    for number, (stage, settings) in enumerate(
        zip(found.stages, config.stages, strict=True), start=1
    ):
        name = f"stage {number}: " if several else ""
        echo(f"{name}{_does(config, stage, settings.train)}, about {_clock(stage.seconds)}")
    echo(f"scoring the finalists: about {_clock(found.scoring_seconds)}")
    if found.measuring_seconds:
        echo(f"measuring their latencies: about {_clock(found.measuring_seconds)}")
    if found.tuning_seconds:
        echo(f"then hwnas train --all of some 8 networks: about {_clock(found.tuning_seconds)}")
    echo(
        f"in all {found.evaluations:,} evaluations, {_clock(found.low)} to {_clock(found.high)},"
        f" about {_clock(found.seconds)} at the present load of this machine"
        f" ({_clock(found.cpu_seconds)} of CPU time)"
    )
    echo(
        f"memory: {found.memory_mib:,.0f} MiB so far ({found.device}); timed in"
        f" {_clock(found.rehearsal_seconds)}"
    )
    if advice.search:
        within = "" if budget is None else f", --epochs {_longest(config)} within {_clock(budget)}"
        echo(f"a search can pay{within}: {'; '.join(advice.why)}", kind="result")
    else:
        echo(f"do not search: {'; '.join(advice.why)}", kind="result")


def _clock(seconds: float) -> str:
    """A time as people say it."""
    if seconds < 100:
        return f"{seconds:.0f} s"
    return f"{seconds / 60:.0f} min" if seconds < 100 * 60 else f"{seconds / 3600:.1f} h"
