"""A sweep: lists of seeds, spaces, targets or any other setting of a search, one run for each
combination.

FILE.toml is a search's config with a table ``[sweep]`` of lists more, and ``config`` (a named
search or file that all build on) and ``epochs`` (of each stage) where they are wanted.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Callable, Mapping
from copy import deepcopy
from dataclasses import dataclass, replace
from itertools import product
from pathlib import Path
from typing import Any, Literal

from hwnas import files
from hwnas.catalog import read_toml
from hwnas.cluster.place import located
from hwnas.config import PASSED_OVER, Config, resolve, with_data, with_epochs
from hwnas.runs.directory import is_run, open_run
from profilers.errors import InputError, nearest

MOST_RUNS = 1000
LONGEST_NAME = 120
OURS = ("config", "epochs")
"""What a sweep file may say beside the keys of a search."""

State = Literal["finished", "started", "missing"]


@dataclass(frozen=True, kw_only=True)
class Planned:
    """One run of a sweep.

    ``values``: what it was given of each list, by dotted key; ``name``: its folder.
    """

    name: str
    config: Config
    values: dict[str, Any]


def read_sweep(
    path: Path, download: bool = False, say: Callable[[str], None] = lambda line: None
) -> list[Planned]:
    """Every run that the file asks for, in its order, the last list fastest.

    Raises InputError in one line.

    ``download``: missing public data sets may be fetched; the file can't say so, and ``say`` hears
    of one that does.
    """
    data = read_toml(path)
    lists = data.pop("sweep", None)
    if not isinstance(lists, dict) or not lists:
        raise InputError(f"{path}: a table [sweep] with lists is needed, such as seed = [0, 1, 2]")
    axes = _axes(path, lists)
    for key in [*data, *(name.partition(".")[0] for name in axes)]:
        if key not in (*Config.model_fields, *OURS):
            raise InputError(
                f"{path}: unknown key {key!r}{nearest(key, [*Config.model_fields, *OURS])}"
            )
    for name in axes:
        if name in OURS and name in data:
            raise InputError(f"{path}: {name} stands both in [sweep] and outside of it")
    count = 1
    for values in axes.values():
        count *= len(values)
    if count > MOST_RUNS:
        raise InputError(f"{path}: asks for {count:,} runs, of at most {MOST_RUNS:,}")
    try:
        runs = [
            _planned(path, data, dict(zip(axes, values, strict=True)))
            for values in product(*axes.values())
        ]
    except InputError:
        raise
    except (OSError, ValueError, TypeError, OverflowError, RecursionError) as error:
        # A number of thousands of digits, a path longer than any file name.
        raise InputError(f"{path}: [sweep]: {str(error)[:80]}") from None
    if any(run.config.data.download for run in runs) and not download:
        say(f"{path}: {PASSED_OVER}")
    runs = [replace(run, config=with_data(run.config, download=download)) for run in runs]
    names = [run.name for run in runs]
    for name in names:
        if names.count(name) > 1:
            raise InputError(f"{path}: [sweep] asks for the run {name} twice")
    return runs


def state_of(path: Path) -> State:
    """How far the run in ``path`` is: with a front, with a config at least, or not begun."""
    if path.is_symlink():
        raise InputError(
            f"{path}: a link, not a run directory of its own; nothing is read or written through it"
        )
    if files.exists(path / "front.json", path):
        return "finished"
    return "started" if is_run(path) else "missing"


def check_same(planned: Planned, path: Path) -> None:
    """Raise InputError where the run in ``path`` was begun with other settings than the file now
    asks for."""
    before = open_run(path).config.model_dump(mode="json")
    now = with_data(planned.config, download=False).model_dump(mode="json")
    for key, value in now.items():
        if before[key] != value:
            raise InputError(
                f"{path}: begun with {key} {_short(before[key])}, not {_short(value)}; choose"
                " another --out, or delete that folder"
            )


def _axes(path: Path, table: Mapping[str, Any], above: str = "") -> dict[str, list[Any]]:
    """{dotted key: its list}; a table in [sweep] holds lists of the keys below."""
    found: dict[str, list[Any]] = {}
    for key, values in table.items():
        name = above + key
        if isinstance(values, dict):
            found |= _axes(path, values, f"{name}.")
        elif not isinstance(values, list) or not values:
            raise InputError(
                f"{path}: sweep.{name}: expected a list such as [0, 1, 2], not {_short(values)}"
            )
        else:
            found[name] = [
                _objectives(value) if name == "objectives" else value for value in values
            ]
    return found


def _objectives(value: Any) -> Any:
    """``"params"`` and ``["params", "latency"]`` are short for the tables that a config has."""
    several = [value] if isinstance(value, str) else value
    if not isinstance(several, list):
        return value
    return [{"metric": one} if isinstance(one, str) else one for one in several]


def _planned(path: Path, data: Mapping[str, Any], values: dict[str, Any]) -> Planned:
    name = _name(values)
    settings: dict[str, Any] = deepcopy(dict(data))
    for dotted, value in values.items():
        *tables, key = dotted.split(".")
        below = settings
        for table in tables:
            below = below.setdefault(table, {})
            if not isinstance(below, dict):
                raise InputError(f"{path}: {dotted}: {table} is no table")
        below[key] = value
    file, epochs = settings.pop("config", None), settings.pop("epochs", None)
    if file is not None and not isinstance(file, str):
        raise InputError(
            f"{path}: config: expected the name of a search or a file, not {_short(file)}"
        )
    if epochs is not None and (isinstance(epochs, bool) or not isinstance(epochs, int)):
        raise InputError(f"{path}: epochs: expected a whole number, not {_short(epochs)}")
    try:
        config = resolve(settings, file)
        config = config if epochs is None else with_epochs(config, epochs)
    except InputError as error:
        raise InputError(f"{path}: run {name}: {error}") from None
    return Planned(name=name, config=located(config), values=values)


def _name(values: Mapping[str, Any]) -> str:
    """``seed=0,space=tnd``: by values, so that a list that grows leaves the names of earlier
    runs as they are."""
    name = ",".join(f"{key}={_word(value)}" for key, value in values.items())
    if len(name) <= LONGEST_NAME:
        return name
    return f"{name[: LONGEST_NAME - 11]}-{_digest(values)}"


def _word(value: Any) -> str:
    if isinstance(value, (str, int, float)):
        text = str(value)
        plain = re.sub(r"[^\w.+-]", "_", text)
        return plain if plain == text and len(text) <= 40 else f"{plain[:40]}-{_digest(text)[:4]}"
    if isinstance(value, list) and all(
        isinstance(one, dict) and set(one) == {"metric"} for one in value
    ):
        return "+".join(_word(one["metric"]) for one in value) or "none"
    return _digest(value)


def _digest(value: Any) -> str:
    return hashlib.sha256(json.dumps(value, sort_keys=True, default=str).encode()).hexdigest()[:10]


def _short(value: Any) -> str:
    try:
        text = json.dumps(value, default=str)
    except (ValueError, RecursionError):
        text = "a value"
    return text if len(text) <= 60 else text[:57] + "..."
