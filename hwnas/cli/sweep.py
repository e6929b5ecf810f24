"""``hwnas sweep``: many searches, one comparison."""

from __future__ import annotations

from contextlib import ExitStack
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from hwnas.cli.optional import HELP
from hwnas.cli.outside import echo, echo_json, print_table, table

if TYPE_CHECKING:
    from hwnas.cluster.searches import SearchedThere
    from hwnas.cluster.sweep_file import Planned

Option = typer.Option


def sweep(
    file: Annotated[
        Path,
        typer.Argument(
            help="A search's config, and a table named sweep with lists.", metavar="FILE.toml"
        ),
    ],
    out: Annotated[
        Path | None, Option(help="Folder of the runs (default: runs/ and the file's name).")
    ] = None,
    ray: Annotated[str | None, Option("--ray", metavar="[ADDRESS]", help=HELP)] = None,
    gpus: Annotated[
        float | None,
        Option(
            min=0,
            max=64,
            help="With --ray: GPUs per search (default: 1 where the cluster has some).",
        ),
    ] = None,
    download: Annotated[bool, Option("--download", help="Fetch missing public data sets.")] = False,
    json: Annotated[bool, Option("--json", help="Only JSON on standard output.")] = False,
    quiet: Annotated[bool, Option("--quiet", "-q", help="No progress.")] = False,
) -> None:
    """Search once per combination of seeds, spaces, targets, ..., and compare; again to go on.

    hwnas sweep FILE.toml --ray
    """
    from hwnas.cli.progress import notes, watching
    from hwnas.cluster.comparison import compare, write_comparison
    from hwnas.cluster.job import here
    from hwnas.cluster.progress import once_a_minute, searches
    from hwnas.cluster.ray_cluster import connected
    from hwnas.cluster.searches import sweep_on
    from hwnas.cluster.sweep_file import read_sweep, state_of
    from hwnas.errors import Stopped, quoted, translate_os_errors
    from hwnas.report.render import RendererEnded

    say = notes(quiet)
    runs = read_sweep(file, download, say)
    place = (out or Path("runs") / file.stem).absolute()
    states = [state_of(place / run.name) for run in runs]
    counted = ", ".join(
        f"{states.count(one)} {one}" for one in ("finished", "started", "missing") if one in states
    )
    say(f"sweep directory: {place}; {len(runs)} runs: {counted}")
    failures: dict[str, Exception] = {}
    ended = states.count("finished")

    def done(run: Planned, found: SearchedThere) -> None:
        nonlocal ended
        ended += 1
        how = {"missing": "done", "started": "gone on with and done", "finished": "was done"}[
            found.found
        ]
        say(
            f"{run.name}: {how}{f', on {found.node}' if found.node else ''} ({ended} of"
            f" {len(runs)})"
        )

    def failed(run: Planned, error: Exception) -> None:
        failures[run.name] = error
        echo(
            f"warning: {run.name}: {' '.join(str(error).split()) or type(error).__name__}", err=True
        )

    try:
        with ExitStack() as stack:
            tick = once_a_minute(lambda: searches(place / run.name for run in runs), say)
            cluster = here() if ray is None else stack.enter_context(connected(ray, say, tick))
            live = partial(watching, quiet) if ray is None else None
            sweep_on(cluster, runs, place, gpus=gpus, watching=live, done=done, failed=failed)
    except KeyboardInterrupt:
        echo(f"stopped; the same command goes on: hwnas sweep {quoted(file)} ...", err=True)
        raise
    with translate_os_errors(place, f"hwnas sweep {quoted(file)}"):
        found, report = compare(runs, place), None
        try:
            report = write_comparison(runs, place, found)
        except RendererEnded as stop:  # the comparison is written; only its page is missing
            echo(f"note: no report: {stop}", err=True)
    if json:
        echo_json({**found, "report": None if report is None else str(report)})
    else:
        _print(found, report)
    if failures:
        raise Stopped(
            f"{len(failures)} of {len(runs)} runs did not end; the same command tries them again:"
            f" hwnas sweep {quoted(file)}"
        )


def _print(found: dict[str, Any], report: Path | None) -> None:
    from hwnas.errors import quoted

    print_table(_table(found["runs"]))
    if any(len(one["seeds"]) > 1 for one in found["over_seeds"]):
        print_table(_means(found["over_seeds"]))
    if not found["comparable"]:
        echo("hypervolumes of other spaces, targets or data are measured in other boxes")
    noted = [row for row in found["runs"] if row.get("notes")]
    if noted:
        echo(f"note: {noted[0]['name']}: {noted[0]['notes'][0]}")
    if sum(len(row["notes"]) for row in noted) > 1:
        where = quoted(noted[0]["path"])
        echo(f"{len(noted)} of {len(found['runs'])} runs have notes: hwnas show {where}")
    if report is not None:
        echo(f"report: {report}")


def _grid(title: str, columns: tuple[str, ...]) -> Any:
    from rich import box

    grid = table(
        title=title, title_justify="left", box=box.SIMPLE_HEAD, padding=(0, 1, 0, 0), pad_edge=False
    )
    for number, column in enumerate(columns):
        grid.add_column(column, justify="left" if number == 0 else "right", no_wrap=number > 0)
    return grid


def _table(rows: list[dict[str, Any]]) -> Any:
    """A line per run; accuracies are those of shared weights."""
    grid = _grid(
        "accuracy: shared weights",
        ("run", "best", "front", "hypervolume", "uniform", "evaluations", "s"),
    )
    for row in rows:
        if row["state"] != "finished":
            grid.add_row(row["name"], row["state"], "", "", "", "", "")
            continue
        grid.add_row(
            row["name"],
            f"{row['best_accuracy']:.4f}",
            str(row["front"]),
            f"{row['hypervolume']:.4f}",
            f"{row['random_hypervolume']:.4f}",
            f"{row['evaluations']:,}",
            f"{row['seconds']:.0f}",
        )
    return grid


def _means(groups: list[dict[str, Any]]) -> Any:
    """A line per combination without its seed: mean and standard deviation."""
    grid = _grid(
        "over seeds: mean and standard deviation",
        ("runs", "seeds", "best", "hypervolume", "uniform"),
    )
    for group in groups:
        name = ",".join(f"{key}={value}" for key, value in group["values"].items()) or "all"
        figures = [
            _spread(group[key]) for key in ("best_accuracy", "hypervolume", "random_hypervolume")
        ]
        grid.add_row(name, str(len(group["seeds"])), *figures)
    return grid


def _spread(figure: dict[str, Any]) -> str:
    deviation = figure["deviation"]
    return f"{figure['mean']:.4f}" + ("" if deviation is None else f" ± {deviation:.4f}")
