"""Which networks of a run are meant: the same options for train, export, profile and show."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Annotated

import typer

from profilers.errors import InputError

if TYPE_CHECKING:
    from hwnas.runs.choice import Choice, ChosenNetworks, Pool
    from hwnas.runs.directory import Run

Option = typer.Option

Keys = Annotated[
    list[str] | None,
    typer.Argument(help="Keys of networks, as hwnas show prints them.", metavar="KEY"),
]
Every = Annotated[
    bool,
    Option("--all", help="All networks of the front; export takes all that are trained."),
]
Best = Annotated[
    bool,
    Option(
        "--best",
        help=(
            "The one network to take, as train and export do where nothing is said: the knee of"
            " those that meet --within and the targets of the search."
        ),
    ),
]
Knee = Annotated[bool, Option("--knee", help="The same as --best and --prefer knee.")]
Within = Annotated[
    list[str] | None,
    Option(
        "--within",
        metavar="COST=AMOUNT",
        help="Only networks that cost no more, such as latency=0.5ms or params=40k. Repeatable.",
    ),
]
Prefer = Annotated[
    str | None,
    Option(
        "--prefer",
        metavar="WHAT",
        help=(
            "The one network to take: knee, accuracy (the most accurate), or a cost such as latency"
            " (the cheapest), of those within."
        ),
    ),
]


def choice_of(
    command: str,
    keys: list[str] | None,
    *,
    every: bool,
    best: bool,
    knee: bool,
    within: list[str] | None,
    prefer: str | None,
) -> Choice | None:
    """What was typed; None where nothing was. Raises InputError for words that contradict each
    other."""
    from hwnas.runs.choice import Choice
    from hwnas.runs.preference import KNEE

    if sum((bool(keys), every, best, knee, prefer is not None)) > 1:
        raise InputError(f"{command}: say either --all, --best, --knee, --prefer or keys")
    if keys and within:
        raise InputError(f"{command}: --within chooses a network, and so do keys: say one of them")
    if not (keys or every or best or knee or prefer is not None or within):
        return None
    return Choice(
        names=tuple(keys or ()),
        every=every,
        within=tuple(within or ()),
        prefer=KNEE if prefer is None else prefer,
    )


def chosen_of(run: Run, choice: Choice, pool: Pool, say: Callable[[str], None]) -> ChosenNetworks:
    """The networks that are meant; what has to be known of how they were chosen is said."""
    from hwnas.runs.choice import choose

    chosen = choose(run, choice, pool)
    for note in chosen.notes:
        say(f"note: {note}")
    return chosen


def refuse_choice(command: str, choice: Choice | None, subject: str) -> None:
    """Raise InputError for a choice among networks where ``subject`` is no run directory."""
    if choice is None:
        return
    what = f"network {choice.names[0]!r}" if choice.names else "networks to choose from"
    raise InputError(f"{command}: {subject[:60]!r} is no run directory, so it has no {what}")
