"""The words of a command as a Python function takes them: the names of its flags, their defaults
and limits.

They are read from the command itself, so that both ways in stay the same.
"""

from __future__ import annotations

import inspect
import operator
import os
import types
import typing
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import typer
from typer.models import ArgumentInfo, OptionInfo

from profilers.errors import InputError, nearest

Command = Callable[..., None]
OF_A_TERMINAL = ("json",)
"""Flags that say how a terminal is written to: from Python the answer is always the value."""


@dataclass(frozen=True, kw_only=True)
class Word:
    """An argument or flag: what it is called in Python, and in the command's function.

    ``kind``: str, int, float, bool or Path. ``several``: it may be given again. ``low``, ``high``:
    the limits of a number.
    """

    name: str
    parameter: str
    kind: type
    several: bool
    default: Any
    low: float | None = None
    high: float | None = None


def words_of(command: Command) -> dict[str, Word]:
    """The words of a command by name, aliases too."""
    hints = typing.get_type_hints(command, include_extras=True)
    found: dict[str, Word] = {}
    for parameter, given in inspect.signature(command).parameters.items():
        if hints[parameter] is typer.Context:
            continue
        kind, info = typing.get_args(hints[parameter])
        kind, several = _kind(kind)
        is_number = isinstance(info, OptionInfo | ArgumentInfo)
        for name in _names(parameter, info):
            if name not in OF_A_TERMINAL:
                found[name] = Word(
                    name=name,
                    parameter=parameter,
                    kind=kind,
                    several=several,
                    default=given.default,
                    low=info.min if is_number else None,
                    high=info.max if is_number else None,
                )
    return found


def given_words(command: Command, values: Mapping[str, Any]) -> dict[str, Any]:
    """``values`` by the parameters of the command's function, in their types.

    None is a flag that was left out. Raises InputError for an unknown word or a value that the
    flag does not take.
    """
    known = words_of(command)
    found: dict[str, Any] = {}
    for name, value in values.items():
        if name not in known:
            raise InputError(
                f"{command.__name__}: unknown argument {name!r}{nearest(name, list(known))}"
            )
        if value is not None:
            found[known[name].parameter] = _typed(known[name], value)
    for word in known.values():
        is_needed = word.default is inspect.Parameter.empty
        if is_needed and not found.get(word.parameter):
            raise InputError(f"{command.__name__}: {word.name}: none is named")
    return found


def signature(command: Command, left_out: tuple[str, ...] = ()) -> list[inspect.Parameter]:
    """The flags of a command as keyword-only parameters, for help() and completion."""
    return [
        inspect.Parameter(
            word.name,
            inspect.Parameter.KEYWORD_ONLY,
            default=word.default,
            annotation=_annotation(word),
        )
        for word in words_of(command).values()
        if word.default is not inspect.Parameter.empty and word.name not in left_out
    ]


def _names(parameter: str, info: Any) -> list[str]:
    """``--all`` is called all, whatever the function calls it."""
    # In an Annotated[...] typer takes the first of them for a default until it reads the function.
    said = (getattr(info, "default", None), *(getattr(info, "param_decls", None) or ()))
    declared = [
        word.partition("/")[0][2:].replace("-", "_")
        for word in said
        if isinstance(word, str) and word.startswith("--")
    ]
    return declared or [parameter]


def _kind(hint: Any) -> tuple[type, bool]:
    """The type of one value, and whether there may be several."""
    parts = [hint]
    if isinstance(hint, types.UnionType):
        parts = [part for part in typing.get_args(hint) if part is not type(None)]
    (kind,) = parts
    if typing.get_origin(kind) is list:
        return typing.get_args(kind)[0], True
    return kind, False


def _typed(word: Word, value: Any) -> Any:
    if word.several:
        values = [value] if isinstance(value, str | os.PathLike | int | float) else list(value)
        return [_one(word, one) for one in values]
    return _one(word, value)


def _one(word: Word, value: Any) -> Any:
    kind, expected = word.kind, ""
    if kind is bool:
        expected = "" if isinstance(value, bool) else "True or False"
    elif isinstance(value, bool):
        expected = "a number" if kind in (int, float) else "a text"
    elif kind in (int, float):
        try:
            value = operator.index(value) if kind is int else float(value)
        except (TypeError, ValueError):
            expected = "a whole number" if kind is int else "a number"
    elif isinstance(value, os.PathLike | str):
        value = Path(value) if kind is Path else os.fspath(value)
    elif kind is str and isinstance(value, int | float):
        value = str(value)
    elif kind is str and isinstance(value, list | tuple):
        value = ",".join(map(str, value))  # as in --channels 16,24
    else:
        expected = "a path" if kind is Path else "a text"
    if expected:
        raise InputError(f"{word.name}: expected {expected}, not {str(value)[:60]!r}")
    if kind in (int, float):
        _check_range(word, value)
    return value


def _check_range(word: Word, value: float) -> None:
    low, high = word.low, word.high
    if (low is not None and not value >= low) or (high is not None and not value <= high):
        limits = f"{low} or more" if high is None else f"{low} to {high}"
        raise InputError(f"{word.name}: expected {limits}, not {value}")


def _annotation(word: Word) -> str:
    name = f"list[{word.kind.__name__}]" if word.several else word.kind.__name__
    return f"{name} | None" if word.default is None else name
