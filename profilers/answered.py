"""What another package's back end answers, looked at where it is asked."""

from __future__ import annotations

from collections.abc import Callable
from functools import wraps
from typing import ParamSpec

from profilers.errors import FaultyPlugin, asking, kind_of
from profilers.measurement import Failure, Measurement, Outcome

P = ParamSpec("P")


def checked(plugin: str, function: Callable[P, list[Outcome]]) -> Callable[P, list[Outcome]]:
    """The same back end, whose answer is looked at. Raises FaultyPlugin.

    `plugin`: its name and table, as a message begins.
    """

    @wraps(function)
    def asked(*args: P.args, **more: P.kwargs) -> list[Outcome]:
        with asking(plugin, "measuring"):
            found: object = function(*args, **more)
        wanted = "a list of Measurement or Failure (profilers.measurement)"
        if not isinstance(found, list | tuple):
            raise FaultyPlugin(f"{plugin}: it gave {kind_of(found)}; it must give {wanted}")
        for one in found:
            if not isinstance(one, Measurement | Failure):
                raise FaultyPlugin(f"{plugin}: it gave {kind_of(one)} in it; give {wanted}")
        return list(found)

    return asked
