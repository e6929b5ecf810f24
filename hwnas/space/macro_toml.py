"""A macro architecture as a plain table, such as one of a TOML file, and back.

The keys are those of the values in hwnas.space.macro: [stem], [[stages]] with their
[stages.squeeze_excite], [head]. Text comes from outside: every key, type and bound is checked here
or in hwnas.space.macro_check.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import MISSING, fields, is_dataclass
from functools import cache
from types import UnionType
from typing import Any, Literal, get_args, get_origin, get_type_hints

from hwnas.space.macro import Macro
from hwnas.space.macro_check import check_macro
from profilers.errors import InputError, nearest

MOST_ITEMS = 200
"""Of a list: more stages, blocks or multipliers than any network here has."""


def macro_of(table: object, file: str | None = None) -> Macro:
    """Read a table.

    Raises InputError, in one line that names the file, the key and the nearest valid one.
    """
    try:
        macro: Macro = _value(Macro, table, "macro")
        check_macro(macro)
    except InputError as error:
        raise (error if file is None else InputError(f"{file}: {error}")) from None
    return macro


def table_of(macro: Macro) -> dict[str, Any]:
    """The table that ``macro_of`` reads as this macro; keys at their usual value are left out."""
    found: dict[str, Any] = _plain(macro)
    return found


def _plain(value: Any) -> Any:
    if is_dataclass(value):
        return {
            field.name: _plain(getattr(value, field.name))
            for field in fields(value)
            if getattr(value, field.name) != field.default
        }
    return [_plain(item) for item in value] if isinstance(value, tuple) else value


@cache
def _hints(kind: type) -> dict[str, Any]:
    return get_type_hints(kind)


def _value(kind: Any, value: object, where: str) -> Any:
    """``value`` as a ``kind``: a value of hwnas.space.macro, a number, a text, a choice, or a
    list of them."""
    if is_dataclass(kind):
        return _table(kind, value, where)  # type: ignore[arg-type]
    origin = get_origin(kind)
    if origin is tuple:
        if not isinstance(value, list | tuple) or len(value) > MOST_ITEMS:
            raise InputError(f"{where}: must be a list of at most {MOST_ITEMS}")
        item = get_args(kind)[0]
        return tuple(_value(item, one, f"{where}[{number}]") for number, one in enumerate(value))
    if origin is UnionType or type(None) in get_args(kind):
        kind = next(one for one in get_args(kind) if one is not type(None))
        origin = get_origin(kind)
    if origin is Literal:
        choices = get_args(kind)
        if value not in choices:
            raise InputError(f"{where}: unknown {_short(value)}{nearest(str(value)[:60], choices)}")
        return value
    if kind is float and isinstance(value, int | float) and not isinstance(value, bool):
        return _number(value, where)
    if not isinstance(value, kind) or (kind is int and isinstance(value, bool)):
        wanted = {int: "a whole number", float: "a number", bool: "true or false", str: "a text"}[
            kind
        ]
        raise InputError(f"{where}: must be {wanted}, not {_short(value)}")
    return value


def _number(value: int | float, where: str) -> float:
    try:
        found = float(value)
    except OverflowError:
        found = math.inf
    if not math.isfinite(found):
        raise InputError(f"{where}: must be a number, not {_short(value)}")
    return found


def _table(kind: type, value: object, where: str) -> Any:
    if not isinstance(value, Mapping):
        raise InputError(f"{where}: must be a table, not {_short(value)}")
    known = {field.name: field for field in fields(kind)}
    for key in value:
        if key not in known:
            raise InputError(f"{where}: unknown key {_short(key)}{nearest(str(key)[:60], known)}")
    for name, field in known.items():
        if name not in value and field.default is MISSING:
            raise InputError(f"{where}: the key {name!r} is missing")
    hints = _hints(kind)
    return kind(**{key: _value(hints[key], one, f"{where}.{key}") for key, one in value.items()})


def _short(value: object) -> str:
    text = repr(value)
    return text if len(text) <= 60 else f"{text[:57]}..."
