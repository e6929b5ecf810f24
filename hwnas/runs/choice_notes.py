"""What a person is told about a choice of networks: what was compared, and what nothing meets."""

from __future__ import annotations

import shlex
from collections.abc import Mapping, Sequence

from hwnas.errors import Stopped
from hwnas.runs.directory import Run
from hwnas.runs.limits import (
    Limits,
    excess,
    is_within,
    limits_in_words,
    misses_in_words,
)
from hwnas.runs.summary import Member


def comparison(members: Sequence[Member]) -> tuple[bool, list[str]]:
    """Whether the networks are compared by their trained accuracies, as where all have one; a line
    where only some have."""
    trained = sum(member.trained is not None for member in members)
    if trained in (0, len(members)):
        return bool(trained), []
    note = (
        f"{trained} of {len(members)} networks are trained: all are compared by their shared"
        " accuracies"
    )
    return False, [note]


def not_compared(run: Run, left_out: Sequence[Member]) -> list[str]:
    """A line about networks that could have been chosen, had they been trained."""
    if not left_out:
        return []
    count = len(left_out)
    words = "1 network of the front is" if count == 1 else f"{count} networks of the front are"
    return [
        f"{words} not trained, and so not compared with those that are: hwnas train"
        f" {shlex.quote(str(run.path))} --all"
    ]


def target_note(taken: Member, targets: Limits, units: Mapping[str, str]) -> str:
    """The line about targets of the run that no network meets."""
    return (
        f"no network of the front is within the target {limits_in_words(targets, units)}: the"
        f" nearest is taken, {taken.label} with {misses_in_words(taken, targets)}"
    )


def none_within(
    run: Run, members: Sequence[Member], limits: Limits, units: Mapping[str, str], words: str
) -> Stopped:
    """What is said of limits that nothing meets: the network that misses them by least."""
    wanted = limits_in_words(limits, units)
    known = [member for member in members if is_within(member, limits) is not None]
    if not known:
        return Stopped(f"{run.path}: no {words} is known to be within {wanted}")
    nearest_one = min(
        known, key=lambda member: (excess(member, limits), -member.accuracy.value, member.label)
    )
    return Stopped(
        f"{run.path}: no {words} is within {wanted}; {nearest_one.label} misses by least, with"
        f" {misses_in_words(nearest_one, limits)}"
    )
