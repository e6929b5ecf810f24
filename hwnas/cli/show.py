"""``hwnas show``: the front of a run, and what to type next."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

from hwnas.cli.outside import console, echo, echo_json, shown, table


def show(
    run: Annotated[Path, typer.Argument(help="A run directory.")],
    json: Annotated[bool, typer.Option("--json", help="Only JSON on standard output.")] = False,
) -> None:
    """Print the Pareto front of a finished search."""
    from hwnas.runs.directory import read_shown

    print_summary(read_shown(run), run, json)


def print_summary(summary: dict[str, Any], path: Path, json: bool) -> None:
    """The front as a table with origins, or the whole summary as JSON."""
    if json:
        echo_json(summary)
        return
    said = shown(summary)
    console().print(_table(said))
    for line in _lines(said, path):
        echo(line)
    from hwnas.algorithms import ALGORITHMS
    from hwnas.space import SPACES

    if not SPACES.usable(summary["space"]):
        echo(f"note: the space {said['space']} is not installed here: this run can be shown, nothing more")
    if summary["algorithm"] not in ALGORITHMS:
        echo(
            f"note: the algorithm {said['algorithm']} is not installed here: this run can be shown, nothing more"
        )


def _table(summary: dict[str, Any]) -> Any:
    front = summary["front"]
    names = list(front[0]["costs"]) if front else []
    accuracy_origin = front[0]["accuracy"]["origin"] if front else "nothing scored"
    grid = table(
        title=f"Pareto front: {summary['algorithm']} in the {summary['space']} space, {summary['data']}"
    )
    grid.add_column("key", no_wrap=True)
    grid.add_column(f"accuracy\n{accuracy_origin}", justify="right")
    for name in names:
        cost = front[0]["costs"][name]
        grid.add_column(f"{name} ({cost['unit']})\n{cost['origin']}", justify="right")
        if _processes(front, name):
            grid.add_column(f"of a process ({cost['unit']})\nmeasured", justify="right")
    if summary.get("within_target") is not None:
        grid.add_column("within\ntarget")
    for member in front:
        cells = [member["key"], f"{member['accuracy']['value']:.4f}"]
        for name in names:
            cells.append(_with_interval(member["costs"][name]))
            if _processes(front, name):
                process = member["costs"][name].get("process")
                cells.append(_amount(process["value"]) if process else "failed")
        if "within_target" in member:
            cells.append("yes" if member["within_target"] else "no")
        grid.add_row(*cells)
    return grid


def _amount(value: float) -> str:
    return f"{value:,}" if isinstance(value, int) else f"{value:,.4g}"


def _with_interval(cost: dict[str, Any]) -> str:
    if cost.get("low") is None or cost.get("high") is None:
        return _amount(cost["value"])
    return f"{cost['value']:,.4g} ({cost['low']:,.4g} .. {cost['high']:,.4g})"


def _processes(front: list[dict[str, Any]], name: str) -> bool:
    return any(member["costs"][name].get("process") for member in front)


def _measured_lines(summary: dict[str, Any]) -> list[str]:
    """How finalists were measured, and how far off the predictions were that the search went by."""
    lines = []
    for name, about in (summary.get("measured") or {}).items():
        receipt = about["receipt"]
        if receipt:
            text = (
                f"{name} measured on {receipt.get('host', '?')} by {receipt.get('backend', '?')},"
                f" {about['networks']} networks"
            )
            if name == "latency":
                text += f", {receipt.get('statistic', '?')}, 95 % intervals{_off(summary, name)}"
                busy = about.get("noisy", 0)
                text += f"; the host was busy during {busy} of them" if busy else ""
            lines.append(text)
        if about["failed"]:
            reason = next(iter(about.get("reasons", ())), "no reason was kept")
            lines.append(f"{name} of {about['failed']} networks could not be measured: {reason}")
    return lines


def _off(summary: dict[str, Any], name: str) -> str:
    costs = [member["costs"][name] for member in (*summary["front"], *summary.get("dominated", []))]
    pairs = [(cost["predicted"], cost["value"]) for cost in costs if cost.get("predicted") and cost["value"]]
    if not pairs:
        return ""
    off = sum(abs(predicted["value"] / value - 1) for predicted, value in pairs) / len(pairs)
    return f"; {pairs[0][0]['origin']} values that the search went by were {100 * off:.1f} % off"


def none_within(nearest: str) -> str:
    """What is said of a front without a member within the target."""
    return "no member of the front is within the target" + (f"; the nearest is {nearest}" if nearest else "")


def _lines(summary: dict[str, Any], path: Path) -> list[str]:
    baseline = summary["baseline"]
    lines = [
        f"hypervolume {summary['hypervolume']:.4f} against {baseline['random_hypervolume']:.4f} of"
        f" {baseline['random_evaluations']} uniform genotypes on the same weights and images;"
        f" {summary['evaluations']:,} evaluations in {summary['seconds']:.0f} s"
    ]
    lines += _measured_lines(summary)
    from hwnas.runs.models import beside_the_front

    believed = beside_the_front(summary)
    if believed:
        lines.append(
            "dominated with shared weights, but best at their costs by what was learnt and SynFlow together:"
            f" {', '.join(believed)}; hwnas train {path} --all trains them too"
        )
    met = summary.get("within_target")
    if met is not None:
        units = {name: cost["unit"] for one in summary["front"][:1] for name, cost in one["costs"].items()}
        wanted = ", ".join(
            f"{name} {value:,.4g} {units.get(name, '')}".rstrip()
            for name, value in summary.get("targets", {}).items()
        )
        from hwnas.runs.front import knee
        from hwnas.runs.models import search_front, targets_of

        middle = knee(search_front(summary), targets_of(summary)).key if summary["front"] else ""
        best = f"best within target: {met[0]}; the knee within: {middle}" if met else none_within(middle)
        lines.append(f"target {wanted}: {best}")
    lines += [
        f"note: stage {one['stage'] + 1}: {one['text']}; {one['advice']}" for one in summary.get("health", [])
    ]
    lines.append(f"run directory: {path}")
    lines.append(
        f"next: hwnas report {path}; hwnas train {path} --knee, then hwnas export {path} --knee;"
        f" hwnas profile {path} --target {summary.get('target', 'cpu')}"
    )
    return lines
