"""``hwnas export --precision``: the network in a precision that is meant, and the formats of it."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from hwnas.cli.choice_options import chosen_of
from profilers.errors import InputError, nearest

if TYPE_CHECKING:
    from hwnas.runs.choice import Choice
    from hwnas.runs.directory import Run
    from hwnas.runs.precision_choice import Wanted
    from hwnas.runs.summary import Member


def precision_of(text: str) -> Wanted:
    """A precision as it is typed. Raises InputError with the nearest known one."""
    from hwnas.runs.precision_choice import ANY
    from hwnas.runs.precision_record import PRECISIONS

    for known in (*PRECISIONS, ANY):
        if text == known:
            return known
    raise InputError(f"--precision: unknown {text!r}{nearest(text, (*PRECISIONS, ANY))}")


def in_precision(
    run: Run,
    choice: Choice,
    precision: Wanted,
    formats: tuple[str, ...] | None,
    say: Callable[[str], None],
) -> tuple[tuple[Member, ...], tuple[str, ...], bool]:
    """The networks that are meant, the formats to write, and whether the choice was made by
    figures of this precision; what was taken is said.

    ``formats``: those that were typed. Raises InputError where they hold none of the precision.
    """
    from hwnas.runs.choice import Choice, choose
    from hwnas.runs.precision_choice import ANY, choose_point, taken_words

    wanted = _formats(precision, formats)
    if choice.names or choice.every:
        return chosen_of(run, choice, "trained", say).members, wanted, False
    chosen = choose_point(run, choice, precision)
    if chosen is None:
        members = chosen_of(run, choice, "trained", say).members
        words = "files" if precision == ANY else f"files in {precision}"
        say(
            f"note: no {words} were exported yet, so the network is chosen by its own figures:"
            f" taken: {members[0].label}"
        )
        return members, wanted, False
    for note in chosen.notes:
        say(f"note: {note}")
    say(f"note: taken: {taken_words(chosen.point)}")
    members = choose(run, Choice(names=(chosen.point.network,)), "trained").members
    return members, wanted if formats else (chosen.point.format,), True


def _formats(precision: Wanted, typed: tuple[str, ...] | None) -> tuple[str, ...]:
    """The formats to write: those that were typed, else those of the plain install in the
    precision."""
    from hwnas.export.formats import FORMATS, PLAIN
    from hwnas.runs.precision_choice import ANY

    fitting = [
        name
        for name in FORMATS
        if FORMATS[name].runtime and precision in (FORMATS[name].precision, ANY)
    ]
    if typed is not None:
        if not set(typed) & set(fitting):
            raise InputError(
                f"--formats: none of them is in {precision} (those are: {', '.join(fitting)})"
            )
        return typed
    plain = tuple(name for name in fitting if name in PLAIN)
    if not plain:
        raise InputError(
            f"--precision {precision}: say which file with --formats: {', '.join(fitting)}"
        )
    return plain
