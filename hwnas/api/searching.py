"""A search from Python: the flags of ``hwnas search``, and any key of a config."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from hwnas.api.words import given_words, words_of
from hwnas.cli import processes
from hwnas.cli.outside import answers
from hwnas.cli.progress import notes
from hwnas.cli.search import run_search
from hwnas.cli.search import search as command
from hwnas.cli.search_words import config_flags, flag_of, named_table
from hwnas.config import resolve, with_epochs
from hwnas.runs.directory import ensure_absent, new_directory
from hwnas.search.photos import with_weights
from hwnas.search.progress import Watcher
from profilers.errors import InputError

OF_A_COMMAND_LINE = ("processes",)
"""What starts the command line again, in more processes."""


def searched(
    objective: str | Sequence[str],
    values: Mapping[str, Any],
    settings: Mapping[str, Any],
    watch: Watcher | None,
) -> tuple[dict[str, Any], str]:
    """The summary of a search, and its run directory."""
    known = words_of(command)
    for name in OF_A_COMMAND_LINE:
        if values.get(name) is not None:
            raise InputError(f"{name}: only on the command line: hwnas search --{name} N")
    flags = given_words(
        command,
        {"objective": objective or None} | {name: values[name] for name in values if name in known},
    )
    keys = {name: value for name, value in values.items() if name not in known} | dict(settings)
    config, quiet = flags.pop("config", None), flags.pop("quiet", False)
    out, table, epochs = (flags.pop(name, None) for name in ("out", "table", "epochs"))
    say = notes(quiet)
    said = _merged(config_flags(flags), keys)
    resolved = resolve(with_weights(said, config, say), config, say, flag_of)
    if epochs is not None:
        resolved = with_epochs(resolved, epochs)
    chosen = named_table(table, resolved)
    path = Path(out or new_directory(resolved.data.source, _metrics(resolved.objectives)))
    ensure_absent(path)
    with answers() as found, processes.joined() as ranks:
        run_search(resolved, path, json=True, quiet=quiet, ranks=ranks, table=chosen, heard=watch)
    return found[-1], str(path)


def _merged(flags: dict[str, Any], keys: Mapping[str, Any]) -> dict[str, Any]:
    """Flags, and keys of a config beside them; of a section, such as data, key by key."""
    merged = dict(flags)
    for name, value in keys.items():
        both = isinstance(value, Mapping) and isinstance(flags.get(name), Mapping)
        merged[name] = {**value, **flags[name]} if both else value
    return merged


def _metrics(objectives: Sequence[Any]) -> list[str]:
    return [one.metric for one in objectives]
