"""Every way to damage one value of a JSON file: another type, no number, nothing at all, twice
there."""

from __future__ import annotations

import copy
from collections.abc import Iterator
from typing import Any

VALUES: tuple[Any, ...] = (
    None,
    True,
    "",
    "a\u2028b\x1b[31m",
    0,
    -1,
    2**62,
    10**400,
    1e308,
    float("nan"),
    float("inf"),
    [],
    {},
    [None],
    {"value": 1},
)
GONE, TWICE = object(), object()

Place = tuple[str | int, ...]


def places(value: Any, where: Place = ()) -> Iterator[Place]:
    """Where something stands in a value of JSON, the whole left out."""
    if where:
        yield where
    parts = (
        value.items()
        if isinstance(value, dict)
        else enumerate(value)
        if isinstance(value, list)
        else ()
    )
    for name, part in parts:
        yield from places(part, (*where, name))


def damaged(data: Any, where: Place, value: Any) -> Any:
    """A copy of the data in which ``value`` stands there; GONE: nothing does; TWICE: in a list,
    once more."""
    changed = copy.deepcopy(data)
    place = changed
    for name in where[:-1]:
        place = place[name]
    if value is GONE:
        del place[where[-1]]
    elif value is TWICE:
        if isinstance(place, list):
            place.append(place[where[-1]])
    else:
        place[where[-1]] = value
    return changed
