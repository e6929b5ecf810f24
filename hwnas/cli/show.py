"""``hwnas show``: the front of a run, and what to type next."""

from __future__ import annotations

import shlex
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from hwnas.cli.choice_options import Best, Every, Keys, Knee, Prefer, Within, choice_of
from hwnas.cli.next_steps import say_next
from hwnas.cli.outside import echo, echo_json, print_table, table
from hwnas.cli.show_baselines import add_baselines, trained_provenance
from hwnas.cli.show_measured import measured_in, measured_lines
from hwnas.cli.show_precisions import print_precisions
from profilers.errors import InputError, visible

if TYPE_CHECKING:
    from hwnas.runs.choice import Choice, ChosenNetworks
    from hwnas.runs.directory import Run
    from hwnas.runs.summary import Cost, Member, SearchSummary


def show(
    run: Annotated[Path, typer.Argument(help="A run directory.", metavar="RUN")],
    keys: Keys = None,
    every: Every = False,
    best: Best = False,
    knee: Knee = False,
    within: Within = None,
    prefer: Prefer = None,
    json: Annotated[bool, typer.Option("--json", help="Only JSON on standard output.")] = False,
) -> None:
    """Print the Pareto front of a finished search, or the networks of it that are asked for.

    With --within alone: all that are within.
    """
    from hwnas.runs.choice import knee_of_run
    from hwnas.runs.directory import open_run
    from hwnas.runs.precisions import with_precisions
    from hwnas.runs.summary import read_shown
    from hwnas.runs.verdict import with_verdict

    only_limits = bool(within) and not (keys or every or best or knee or prefer)
    typed = choice_of(
        "show",
        keys,
        every=every or only_limits,
        best=best,
        knee=knee,
        within=within,
        prefer=prefer,
    )
    # The space of a run's own table is known once its config is read; where that can't be, the
    # front is shown all the same.
    opened = None
    with suppress(InputError):
        opened = open_run(run)
    summary = read_shown(run)
    if opened is None:
        if typed is not None:
            open_run(run)  # says why
        print_summary(summary, run, json)
        return
    if typed is not None:
        _show_chosen(opened, typed, json)
        return
    full = with_precisions(opened, with_verdict(opened, summary))
    print_summary(full, run, json, knee_of_run(opened, "either"))


def print_summary(
    summary: SearchSummary, path: Path, json: bool, taken: ChosenNetworks | None = None
) -> None:
    """The front as a table with provenances, or the whole summary as JSON.

    ``taken``: the network to mark as the knee, where trained accuracies may have a say in it.
    """
    from hwnas.algorithms import ALGORITHMS
    from hwnas.runs.models import search_knee
    from hwnas.runs.schema import escaped, to_json
    from hwnas.runs.verdict import line_of, unknown_line
    from hwnas.space import SPACES

    middle = search_knee(summary) if taken is None else taken.label
    if json:
        echo_json({**to_json(summary), "knee": middle})
        return
    shown = escaped(summary)
    line = shown.verdict.line if shown.verdict else unknown_line(path, False)
    echo(line, kind="result")
    for one in shown.verdict.comparisons[1:] if shown.verdict else ():
        echo(f"  {line_of(one)}")
    print_table(front_table(shown, middle and visible(middle)))
    for line in _lines(shown, path, visible(middle or "")):
        echo(line)
    if shown.precisions is not None:
        print_precisions(shown.precisions)
    for note in () if taken is None else taken.notes:
        if "is within the target" not in note:  # the line about targets has said it
            echo(f"note: {note}")
    echo(f"run directory: {path}")
    is_known = shown.verdict is not None and shown.verdict.outcome != "unknown"
    say_next(
        ("report", path),
        *([] if all(member.trained for member in shown.front) else [("train", path, "--all")]),
        *([] if is_known else [("train", path, "--baselines")]),
        ("export", path, "--best"),
        ("profile", path, "--best", "--target", summary.target),
    )
    if not SPACES.usable(summary.space):
        echo(
            f"note: the space {shown.space} is not installed here: this run can be shown, nothing"
            " more"
        )
    if summary.algorithm not in ALGORITHMS:
        echo(
            f"note: the algorithm {shown.algorithm} is not installed here: this run can be shown,"
            " nothing more"
        )


def _show_chosen(run: Run, choice: Choice, json: bool) -> None:
    """Print the networks that are meant, as the front is printed, or as JSON.

    Raises InputError and Stopped as ``hwnas.runs.choice.choose`` does.
    """
    from hwnas.runs.baselines import with_sitting
    from hwnas.runs.choice import choose, knee_of_run
    from hwnas.runs.limits import is_within
    from hwnas.runs.schema import escaped, to_json
    from hwnas.runs.summary import read_front
    from hwnas.runs.training_record import TRAINED, with_trained

    summary = with_sitting(run, with_trained(run, read_front(run)))
    searched = {member.key: member for member in summary.members}
    chosen = choose(run, choice, "either")
    members = [searched.get(member.label, member) for member in chosen.members]
    if summary.targets:
        members = [
            member.model_copy(update={"within_target": is_within(member, summary.targets)})
            for member in members
        ]
    middle = knee_of_run(run, "either").label
    if json:
        networks = [to_json(member) for member in members]
        echo_json({"chosen": networks, "knee": middle, "notes": list(chosen.notes)})
        return
    print_table(front_table(escaped(summary.model_copy(update={"front": members})), middle))
    for note in chosen.notes:
        echo(f"note: {note}")
    first = members[0]
    limits = [word for limit in choice.within for word in ("--within", limit)]
    meant = limits if choice.every and limits else [first.label]
    is_trained = first.trained is not None or first.accuracy.provenance == TRAINED
    to_train: list[str | Path] = ["train", run.path, *(limits or [first.key])]
    say_next(
        *([] if is_trained else [to_train]),
        ("export", run.path, *meant),
        ("profile", run.path, *meant, "--target", summary.target),
    )


def front_table(summary: SearchSummary, middle: str | None) -> Any:
    """The front, one member a row; ``middle``: the key of the one to mark as the knee."""
    from hwnas.runs.told_apart import letters
    from hwnas.space import SPACES
    from hwnas.space.chosen_size import size_names, size_text

    front = summary.front
    shared = set.intersection(*(set(member.costs) for member in front)) if front else set()
    costs = {name: cost for name, cost in front[0].costs.items() if name in shared} if front else {}
    provenance = front[0].accuracy.provenance if front else "nothing scored"
    grid = table(
        title=f"Pareto front: {summary.algorithm} in the {summary.space} space, {summary.data}"
    )
    sized = ""
    if SPACES.usable(summary.space):
        sized = size_names(SPACES[summary.space]).replace(", ", ",\n")
    grid.add_column("key", no_wrap=not summary.baselines)
    if sized:
        grid.add_column(f"size\n{sized}", no_wrap=True)
    grid.add_column(f"accuracy\n{provenance}", justify="right")
    trained = trained_provenance(summary)
    if trained is not None:
        grid.add_column(f"accuracy\n{trained}", justify="right")
    for name, cost in costs.items():
        grid.add_column(
            f"{name} ({cost.unit})\n{cost.provenance}{measured_in(summary, name)}", justify="right"
        )
        if _processes(front, name):
            grid.add_column(f"of a process ({cost.unit})\nmeasured", justify="right")
    if summary.within_target is not None:
        grid.add_column("within\ntarget")
    alike = letters(summary.alike or [])
    if alike:
        grid.add_column("alike")
    if any(member.label == middle for member in front):
        grid.add_column("")
    for member in front:
        cells = [member.label, *([size_text(member.architecture.genotype)] if sized else [])]
        cells.append(f"{member.accuracy.value:.4f}")
        if trained is not None:
            cells.append(f"{member.trained.value:.4f}" if member.trained else "")
        for name in costs:
            cells.append(_with_interval(member.costs[name]))
            if _processes(front, name):
                process = member.costs[name].process
                cells.append(_amount(process.value) if process else "failed")
        if member.within_target is not None:
            cells.append("yes" if member.within_target else "no")
        elif summary.within_target is not None:
            cells.append("")
        if alike:
            cells.append(alike.get(member.key, ""))
        if member.label == middle:
            cells.append("nearest" if member.within_target is False else "knee")
        grid.add_row(*cells)
    names = [(name, 2 if _processes(front, name) else 1) for name in costs]
    before = 2 if sized else 1
    add_baselines(grid, summary.baselines, before=before, names=names, amount=_with_interval)
    return grid


def _amount(value: float) -> str:
    return f"{value:,}" if isinstance(value, int) else f"{value:,.4g}"


def _with_interval(cost: Cost) -> str:
    if cost.low is None or cost.high is None:
        return _amount(cost.value)
    return f"{cost.value:,.4g} ({cost.low:,.4g} .. {cost.high:,.4g})"


def _processes(front: list[Member], name: str) -> bool:
    return any(member.costs[name].process for member in front)


def _lines(summary: SearchSummary, path: Path, middle: str) -> list[str]:
    from hwnas.runs.models import beside_the_front
    from hwnas.runs.summary import health_lines
    from hwnas.runs.told_apart import alike_line, beaten, beaten_lines

    lines = [
        f"hypervolume {summary.hypervolume:.4f} against {summary.chance};"
        f" {summary.evaluations:,} evaluations in {summary.seconds:.0f} s"
    ]
    if summary.alike:
        lines.append(alike_line(summary.scored_images, summary.choosing_images))
        accuracy = {member.key: float(member.accuracy.value) for member in summary.front}
        paid = {
            member.key: [float(member.costs[name].value) for name in summary.objectives]
            for member in summary.front
        }
        lines += beaten_lines(beaten(accuracy, paid, summary.alike))
    lines += measured_lines(summary)
    believed = beside_the_front(summary)
    if believed:
        lines.append(
            "dominated with shared weights, but best at their costs by what was learnt and SynFlow"
            f" together: {', '.join(believed)}; hwnas train {shlex.quote(str(path))} --all trains"
            " them too"
        )
    if summary.within_target is not None:
        lines.append(_target_line(summary, summary.within_target, middle))
    lines += [f"note: {line}" for line in health_lines(summary.health or [])]
    return lines


def _target_line(summary: SearchSummary, met: list[str], middle: str) -> str:
    """What the search had to meet, and which member of the front does it best."""
    from hwnas.runs.limits import limits_in_words, misses_in_words

    units = {name: cost.unit for member in summary.front[:1] for name, cost in member.costs.items()}
    wanted = limits_in_words(summary.targets, units)
    if met:
        return f"target {wanted}: best within target: {met[0]}; the knee within: {middle}"
    line = f"target {wanted}: no member of the front is within the target"
    nearest = [member for member in summary.front if member.label == middle]
    for member in nearest:
        line += f"; the nearest is {middle}, with {misses_in_words(member, summary.targets)}"
    return line
