"""`hwnas derive`: a front for another device from a search that has ended, without training."""

from __future__ import annotations

import time
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from hwnas.cli.next_steps import say_next
from hwnas.cli.outside import echo, echo_json
from hwnas.errors import several
from profilers.errors import InputError

if TYPE_CHECKING:
    from hwnas.search.derive import Derived, Price


def derive(
    run: Annotated[Path, typer.Argument(help="The run directory of a search that has ended.")],
    target: Annotated[
        list[str], typer.Option(help="A device: name, alias or .toml file. Repeatable.")
    ],
    objective: Annotated[
        str, typer.Option(help="What is to be kept low there: latency, energy, params ...")
    ] = "latency",
    table: Annotated[
        list[str] | None,
        typer.Option(help="A table to ask, a file or a name: one for each --target, in order."),
    ] = None,
    out: Annotated[
        Path | None,
        typer.Option(help="A folder to keep each front in, as a run that train and export take."),
    ] = None,
    data_root: Annotated[Path | None, typer.Option(help="Folder of the public data sets.")] = None,
    json: Annotated[bool, typer.Option("--json", help="Only JSON on standard output.")] = False,
    quiet: Annotated[bool, typer.Option("--quiet", "-q", help="No progress.")] = False,
) -> None:
    """Draw fronts for other targets from a search's shared weights and trials, in seconds."""
    from hwnas.cli.progress import notes
    from hwnas.costs.metrics import METRICS
    from hwnas.costs.tables import file_name, find_table
    from hwnas.runs.directory import ensure_absent, open_run
    from hwnas.search.derive import derive as derive_fronts
    from hwnas.search.derive import prices
    from hwnas.search.derived_run import keep
    from profilers.errors import nearest

    if objective not in METRICS:
        meant = nearest(objective, METRICS.names())
        raise InputError(f"objective: unknown metric {objective!r}{meant}")
    if len(set(target)) < len(target):
        raise InputError("--target: the same one twice")
    if table and len(table) != len(target):
        raise InputError(
            f"--table: {len(table)} for {len(target)} targets; name one for each, in order"
        )
    began, of_run = time.monotonic(), open_run(run)
    places = [] if out is None else [out / file_name(name) for name in target]
    for place in places:
        ensure_absent(place)
    found = derive_fronts(
        of_run,
        target,
        objective,
        [find_table(word) for word in table or []],
        say=notes(quiet),
        root=data_root,
    )
    for one, word, place in zip(found, target, places, strict=False):
        keep(of_run, one, word, place)
    paid = prices(found)
    seconds = time.monotonic() - began
    if json:
        kept = {one.target: str(place) for one, place in zip(found, places, strict=False)}
        echo_json({**as_dict(found, paid, seconds, run), "kept": kept})
        return
    _print(found, paid, seconds, run)
    if out is None:
        again = [word for name in target for word in ("--target", name)]
        say_next(("derive", run, *again, "--objective", objective, "--out", Path("derived")))
    else:
        say_next(*(("train", place, "--all") for place in places))


def as_dict(found: list[Derived], paid: list[Price], seconds: float, run: Path) -> dict[str, Any]:
    """What `derive --json` prints: the summary of each target as `hwnas show --json` has it."""
    from hwnas.runs.schema import to_json

    return {
        "run": str(run),
        "seconds": round(seconds, 1),
        "fronts": {one.target: to_json(one.summary) for one in found},
        "prices": [{**vars(one), "times": one.times} for one in paid],
    }


def _print(found: list[Derived], paid: list[Price], seconds: float, run: Path) -> None:
    from hwnas.cli.outside import print_table
    from hwnas.cli.show import front_table
    from hwnas.runs.models import search_knee

    for one in found:
        echo(f"{one.target}: {one.cost.name} {one.cost.provenance} ({one.cost.source})")
        print_table(front_table(one.summary, search_knee(one.summary)))
    unit = found[0].cost.unit
    for price in paid:
        echo(price_words(price, unit))
    echo(
        f"{several(len(found), 'front')} from the weights of {run} in {seconds:.0f} s, nothing was"
        " trained"
    )


def price_words(price: Price, unit: str) -> str:
    """What the middle network of one target's front costs on another, and whether that target's own
    front has something cheaper."""
    costs = (
        f"on {price.used_on}, the middle network of {price.chosen_for}'s front costs"
        f" {price.value:,.4g} {unit}. "
    )
    front = f"{price.used_on}'s own front"
    if price.best is None or price.times is None:
        return f"{costs}No network of {front} is as accurate"
    if price.best == price.value:
        return f"{costs}No network of {front} that is as accurate costs less"
    return (
        f"{costs}The cheapest network of {front} that is as accurate costs {price.best:,.4g}"
        f" {unit}: the first costs {price.times:.2f} times as much"
    )
