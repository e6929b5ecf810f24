"""``hwnas show``: the front of a run, and what to type next."""

from __future__ import annotations

import json as json_module
from pathlib import Path
from typing import Annotated, Any

import typer


def show(
    run: Annotated[Path, typer.Argument(help="A run directory.")],
    json: Annotated[bool, typer.Option("--json", help="Only JSON on standard output.")] = False,
) -> None:
    """Print the Pareto front of a finished search."""
    from hwnas.results.run import open_run, read_front

    print_summary(read_front(open_run(run)), run, json)


def print_summary(summary: dict[str, Any], path: Path, json: bool) -> None:
    """The front as a table with origins, or the whole summary as JSON."""
    if json:
        print(json_module.dumps(summary))
        return
    from rich.console import Console

    console = Console()
    console.print(_table(summary))
    for line in _lines(summary, path):
        console.print(line, markup=False, highlight=False, soft_wrap=True)


def _table(summary: dict[str, Any]) -> Any:
    from rich.table import Table

    front = summary["front"]
    names = list(front[0]["costs"]) if front else []
    accuracy_origin = front[0]["accuracy"]["origin"] if front else "nothing scored"
    table = Table(
        title=f"Pareto front: {summary['algorithm']} in the {summary['space']} space, {summary['data']}"
    )
    table.add_column("key")
    table.add_column(f"accuracy\n{accuracy_origin}", justify="right")
    for name in names:
        cost = front[0]["costs"][name]
        table.add_column(f"{name} ({cost['unit']})\n{cost['origin']}", justify="right")
    if summary.get("within_target") is not None:
        table.add_column("within\ntarget")
    for member in front:
        cells = [member["key"], f"{member['accuracy']['value']:.4f}"]
        cells += [_amount(member["costs"][name]["value"]) for name in names]
        if "within_target" in member:
            cells.append("yes" if member["within_target"] else "no")
        table.add_row(*cells)
    return table


def _amount(value: float) -> str:
    return f"{value:,}" if isinstance(value, int) else f"{value:,.4g}"


def _lines(summary: dict[str, Any], path: Path) -> list[str]:
    baseline = summary["baseline"]
    lines = [
        f"hypervolume {summary['hypervolume']:.4f} against {baseline['random_hypervolume']:.4f} of"
        f" {baseline['random_evaluations']} uniform genotypes on the same weights and images;"
        f" {summary['evaluations']:,} evaluations in {summary['seconds']:.0f} s"
    ]
    met = summary.get("within_target")
    if met is not None:
        wanted = ", ".join(f"{name} {value:,.4g}" for name, value in summary["targets"].items())
        best = f"best within target: {met[0]}" if met else "no member of the front is within the target"
        lines.append(f"target {wanted}: {best}")
    lines += [
        f"note: stage {one['stage'] + 1}: {one['text']}; {one['advice']}" for one in summary.get("health", [])
    ]
    lines.append(f"run directory: {path}")
    lines.append(
        f"next: hwnas train {path} --knee, then hwnas export {path} --knee; hwnas profile {path} --target cpu"
    )
    return lines
