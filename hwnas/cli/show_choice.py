"""``hwnas show`` of networks that were chosen."""

from __future__ import annotations

from typing import TYPE_CHECKING

from hwnas.cli.next_steps import say_next
from hwnas.cli.outside import echo, echo_json, print_table

if TYPE_CHECKING:
    from hwnas.runs.choice import Choice
    from hwnas.runs.directory import Run


def show_chosen(run: Run, choice: Choice, json: bool) -> None:
    """Print the networks that are meant, as the front is printed, or as JSON.

    Raises InputError and Stopped as ``hwnas.runs.choice.choose`` does.
    """
    from hwnas.cli.show import front_table
    from hwnas.runs.choice import choose, knee_label
    from hwnas.runs.limits import is_within
    from hwnas.runs.schema import escaped, to_json
    from hwnas.runs.summary import read_front
    from hwnas.runs.training_record import TRAINED, with_trained

    summary = with_trained(run, read_front(run))
    searched = {member.key: member for member in summary.members}
    chosen = choose(run, choice, "either")
    members = [searched.get(member.label, member) for member in chosen.members]
    if summary.targets:
        members = [
            member.model_copy(update={"within_target": is_within(member, summary.targets)})
            for member in members
        ]
    middle = knee_label(run, "either")
    if json:
        networks = [to_json(member) for member in members]
        echo_json({"chosen": networks, "knee": middle, "notes": list(chosen.notes)})
        return
    print_table(front_table(escaped(summary.model_copy(update={"front": members})), middle))
    for note in chosen.notes:
        echo(f"note: {note}")
    first = members[0]
    is_trained = first.trained is not None or first.accuracy.provenance == TRAINED
    say_next(
        *([] if is_trained else [("train", run.path, first.key)]),
        ("export", run.path, first.label),
        ("profile", run.path, first.label, "--target", summary.target),
    )
