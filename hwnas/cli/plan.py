"""``hwnas plan``: what a search would take, before a day is spent on it."""

from __future__ import annotations

import re
import shlex
import sys
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from hwnas.cli.outside import echo, echo_json
from hwnas.cli.search_words import flag_of, given, named_table, objectives
from profilers.errors import InputError

if TYPE_CHECKING:
    from hwnas.config import Config
    from hwnas.search.forecast import Forecast

Option = typer.Option
UNITS = {"s": 1.0, "m": 60.0, "min": 60.0, "h": 3600.0, "d": 86400.0}


def plan(
    config: Annotated[
        str | None,
        typer.Argument(help="A named search (quickstart, tnd-cifar10, ...) or a .toml file."),
    ] = None,
    config_option: Annotated[
        str | None,
        Option("--config", help="As in hwnas search: the same as the argument."),
    ] = None,
    budget: Annotated[
        str | None, Option(help="Time there is, such as 30m or 2h: how many epochs fit into it?")
    ] = None,
    target: Annotated[str | None, Option(help="As in hwnas search.")] = None,
    objective: Annotated[list[str] | None, Option(help="As in hwnas search. Repeatable.")] = None,
    target_value: Annotated[
        list[str] | None, Option(help="As in hwnas search. Repeatable.")
    ] = None,
    data: Annotated[str | None, Option(help="As in hwnas search.")] = None,
    test: Annotated[Path | None, Option(help="As in hwnas search.")] = None,
    space: Annotated[str | None, Option(help="As in hwnas search.")] = None,
    weights_from: Annotated[str | None, Option(help="As in hwnas search.")] = None,
    algorithm: Annotated[str | None, Option(help="As in hwnas search.")] = None,
    epochs: Annotated[int | None, Option(help="As in hwnas search.")] = None,
    data_root: Annotated[Path | None, Option(help="As in hwnas search.")] = None,
    download: Annotated[bool, Option("--download", help="As in hwnas search.")] = False,
    image_size: Annotated[int | None, Option(help="As in hwnas search.")] = None,
    skip_broken: Annotated[bool, Option("--skip-broken", help="As in hwnas search.")] = False,
    table: Annotated[str | None, Option(help="As in hwnas search.")] = None,
    device: Annotated[str | None, Option(help="As in hwnas search.")] = None,
    threads: Annotated[int | None, Option(help="As in hwnas search.")] = None,
    json: Annotated[bool, Option("--json", help="Only JSON on standard output.")] = False,
    quiet: Annotated[bool, Option("--quiet", "-q", help="No progress.")] = False,
) -> None:
    """Time, memory and evaluations of a search, from a few real epochs that leave nothing behind.

    hwnas plan --objective params --budget 10m
    """
    from hwnas.cli.progress import notes
    from hwnas.config import resolve, with_epochs

    if config is not None and config_option is not None:
        raise InputError(f"--config: the argument {config[:60]!r} names a search already")
    config = config if config_option is None else config_option
    flags = given(
        target=target,
        space=space,
        weights_from=weights_from,
        algorithm=algorithm,
        device=device,
        threads=threads,
        objectives=objectives(objective, target_value),
        data=given(
            source=data,
            test=str(test) if test else None,
            root=str(data_root) if data_root else None,
            download=download or None,
            image_size=image_size,
            skip_broken=skip_broken or None,
        ),
    )
    seconds = None if budget is None else _seconds(budget)
    from hwnas.search.photos import with_weights

    say = notes(quiet)
    resolved = resolve(with_weights(flags, config, say), config, say, flag_of)
    if epochs is not None:
        resolved = with_epochs(resolved, epochs)
    chosen_table = named_table(table, resolved)
    from hwnas.search.forecast import plan_ahead
    from hwnas.search.plan import plan as planning
    from hwnas.training.describe import described

    planned = planning(resolved, say, chosen_table)
    for line in described(planned.dataset):
        say(line)
    say("rehearsing a few epochs of every stage")
    chosen, found = plan_ahead(planned, seconds)
    words = [word for word in sys.argv[2:] if word not in ("--json", "--quiet", "-q")]
    if json:
        epochs_of = [stage.epochs for stage in chosen.stages]
        echo_json({**asdict(found), "epochs": epochs_of, "budget_seconds": seconds})
        return
    _print(chosen, found, seconds, _command(words, config, chosen if seconds is not None else None))


def _seconds(text: str) -> float:
    """``2h`` -> 7200."""
    parts = re.fullmatch(r"(\d+(?:\.\d+)?)\s*([a-z]+)", text.strip())
    if parts is None or parts[2] not in UNITS or not float(parts[1]):
        raise InputError(f"budget: expected a time such as 90s, 30m, 2h or 1d, not {text[:40]!r}")
    return float(parts[1]) * UNITS[parts[2]]


def _command(words: list[str], config: str | None, chosen: Config | None) -> str:
    """The search that was planned, as it is typed."""
    kept: list[str] = []
    skip = False
    for word in words:
        name = word.split("=")[0]
        if skip or name == "--budget" or (name == "--epochs" and chosen is not None):
            skip = not skip and "=" not in word
            continue
        kept += ["--config", word] if word == config and "--config" not in kept else [word]
    if chosen is not None:
        kept += ["--epochs", str(_longest(chosen))]
    return " ".join(["hwnas", "search", *map(shlex.quote, kept)])


def _longest(config: Config) -> int:
    """What --epochs says of a search: the epochs of its stages that train drawn paths."""
    return max(stage.epochs for stage in config.stages if stage.train == "paths")


def _print(config: Config, found: Forecast, budget: float | None, command: str) -> None:
    from hwnas.space import SPACES

    parts = SPACES[config.space].parts
    if found.start_seconds:
        echo(f"start from {config.weights_from}: about {_clock(found.start_seconds)}")
    for number, stage in enumerate(found.stages, start=1):
        echo(
            f"stage {number}: {stage.cells} {parts}, {stage.epochs} epochs ({stage.frozen_epochs}"
            f" of them weights only) of {stage.steps:,} steps, {stage.evaluations:,} evaluations:"
            f" about {_clock(stage.seconds)}"
        )
    echo(f"scoring the finalists: about {_clock(found.scoring_seconds)}")
    if found.tuning_seconds:
        echo(f"then hwnas train --all of some 8 networks: about {_clock(found.tuning_seconds)}")
    echo(
        f"in all {found.evaluations:,} evaluations, {_clock(found.low)} to {_clock(found.high)},"
        f" about {_clock(found.seconds)} at the present load of this machine"
        f" ({_clock(found.cpu_seconds)} of CPU time)"
    )
    echo(f"memory: {found.memory_mib:,.0f} MiB so far ({found.device})")
    if budget is not None:
        echo(f"within {_clock(budget)}: {_longest(config)} epochs per stage")
    echo(
        f"(rehearsed in {_clock(found.rehearsal_seconds)}; latencies measured at the end come on"
        " top)"
    )
    echo(f"next: {command}")


def _clock(seconds: float) -> str:
    """A time as people say it."""
    if seconds < 100:
        return f"{seconds:.0f} s"
    return f"{seconds / 60:.0f} min" if seconds < 100 * 60 else f"{seconds / 3600:.1f} h"
