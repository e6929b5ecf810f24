"""``--processes N``: one search on several processes of this machine; under torchrun, one of its
processes."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

import typer

from hwnas.cli.outside import echo
from hwnas.errors import Stopped
from profilers.errors import InputError
from profilers.limits import check_numbers

if TYPE_CHECKING:
    from hwnas.search.distributed.ranks import Ranks

HELP = (
    "Processes that share the work, on this machine: one per CPU core or GPU. Under torchrun: leave"
    " it out."
)


def follows() -> bool:
    """Whether this is one of several processes, and not the one that speaks."""
    return int(os.environ.get("WORLD_SIZE", "1")) > 1 and os.environ.get("RANK", "0") != "0"


def again(ranks: Ranks) -> str:
    """What a command to go on adds, so that the search ends as it would have."""
    return f" --processes {ranks.size}" if ranks.size > 1 else ""


def launched(processes: int | None, enter: Callable[[], None]) -> None:
    """Carry out this command line in ``processes`` processes and exit as they do, where that was
    asked for.

    ``enter`` runs the command line. Returns in each of the processes, and where one is enough.
    Raises InputError.
    """
    if processes is None:
        return
    check_numbers("--", processes=processes)
    size = int(os.environ.get("WORLD_SIZE", "1"))
    if size > 1 and size != processes:
        raise InputError(f"processes: torchrun has started {size} of them; leave --processes out")
    if size > 1 or processes == 1:
        return
    from hwnas.search.distributed.launch import launch

    codes, asked = launch(processes, enter)
    if asked:
        raise typer.Exit(130)
    if any(
        code > 0 for code in codes
    ):  # one has said why; what bad input ends (2) the others lose (3)
        raise typer.Exit(min(code for code in codes if code > 0))
    killed = [rank for rank, code in enumerate(codes) if code < 0]
    if killed:
        raise Stopped(f"{_killed(killed, processes)} killed; go on with: hwnas resume RUN")
    raise typer.Exit


def _killed(ranks: list[int], size: int) -> str:
    """Which processes were: where one hung, those beside it were killed with it."""
    if len(ranks) == 1:
        return f"process {ranks[0]} of {size} was"
    return f"processes {', '.join(map(str, ranks[:-1]))} and {ranks[-1]} of {size} were"


@contextmanager
def joined() -> Iterator[Ranks]:
    """The processes of this search.

    What several of them can't do is said by one; all end with its exit code.
    """
    from hwnas.search.distributed.ranks import PeerLost, world

    code, spoken = 0, False
    with world() as ranks:
        try:
            yield ranks
        except (InputError, Stopped, PeerLost, KeyboardInterrupt) as error:
            if ranks.size == 1:
                raise
            code = (
                130
                if isinstance(error, KeyboardInterrupt)
                else 2
                if isinstance(error, InputError)
                else 3
            )
            spoken = ranks.is_main if code == 130 else ranks.speaks()
            if spoken and code != 130:
                echo(f"{'error' if code == 2 else 'stopped'}: {error}", err=True)
            sys.stdout.flush()
            ranks.leave(spoken)
    if code:
        raise typer.Exit(code)
