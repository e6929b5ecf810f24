"""What ``hwnas train`` prints when it has ended: the trained front, and what to type next."""

from __future__ import annotations

from typing import TYPE_CHECKING

from hwnas.cli.next_steps import say_next
from hwnas.cli.outside import echo, print_table, table

if TYPE_CHECKING:
    from hwnas.runs.directory import Run
    from hwnas.runs.training_record import TrainingRecord


COUNTED = ("params", "macs", "flops")
"""What has a column of its own, or follows from one."""


def print_trained(run: Run, records: list[TrainingRecord]) -> None:
    """The trained front, those just trained marked."""
    from rich import box

    from hwnas.runs.baselines import read_baselines
    from hwnas.runs.choice import knee_of_run
    from hwnas.runs.confusion import confusion_line
    from hwnas.runs.models import write_trained
    from hwnas.runs.training_record import TRAINED, read_records
    from hwnas.space import SPACES
    from hwnas.space.chosen_size import size_names, size_text

    trained = write_trained(run)
    middle = knee_of_run(run, "trained").label
    space = SPACES[run.config.space]
    sized = size_names(space).replace(", ", ",\n")
    title = f"Front of {run.path}; accuracy: {TRAINED}, params and MACs: counted"
    # Narrow, so that names with width and depth fit a terminal of 80 columns.
    grid = table(
        title=title, title_justify="left", box=box.SIMPLE_HEAD, padding=(0, 1, 0, 0), pad_edge=False
    )
    grid.add_column("network", no_wrap=True)
    # Networks that choose their size all have the blocks of one table.
    members = trained.front + trained.dominated
    # Columns that say the same of every network are left out.
    sizes = len({(one.channels, one.cells) for one in members}) > 1 or not space.shares_weights
    asked = [name for name in trained.objectives if name not in COUNTED]
    columns = ["C", f"size\n{sized}" if sized else space.parts] if sized or sizes else []
    for name in asked:
        columns.append(f"{name}\n{members[0].costs[name].unit}")
    # Which of two networks is better, says only one that was trained for as long as the other.
    epochs = {record.name: record.epochs for record in read_records(run)}
    is_mixed = len({epochs.get(one.label) for one in members}) > 1
    trained_for = ["epochs"] if is_mixed else []
    for column in (*columns, *trained_for, "accuracy", "params", "MACs"):
        grid.add_column(column, justify="right", no_wrap=True)
    # Where there is no room these words are broken, and no figure is cut.
    grid.add_column("")
    new = {record.name for record in records}
    for number, member in enumerate(members):
        marks = ["dominated"] if number >= len(trained.front) else []
        marks += ["new"] if member.name in new else []
        if member.label == middle:
            marks.append("nearest" if member.within_target is False else "knee")
        if member.within_target is not None:
            marks.append("within target" if member.within_target else "over target")
        grid.add_row(
            member.label,
            *([str(member.channels)] if columns[:1] == ["C"] else []),
            *([size_text(member.architecture.genotype)] if sized else []),
            *([str(member.cells)] if sizes and not sized else []),
            *(f"{member.costs[name].value:.4g}" for name in asked),
            *([str(epochs.get(member.label) or "")] if is_mixed else []),
            f"{member.accuracy.value:.4f}",
            f"{member.costs['params'].value:,}",
            f"{member.costs['macs'].value:,}",
            ", ".join(marks),
        )
    print_table(grid)
    best = max(records, key=lambda record: record.test_accuracy)
    if best.classes and best.class_accuracy:
        line = confusion_line(best.name, best.classes, best.class_accuracy, best.confusion)
        if line is not None:
            echo(line)
    compared = bool(read_baselines(run))
    say_next(
        *([] if compared else [("train", run.path, "--baselines")]),
        ("report", run.path),
        ("export", run.path, "--best"),
    )
