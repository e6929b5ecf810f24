"""The config that a checkpoint was made with: a search that goes on with another one would be
neither."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from typing import Any

from hwnas.config import Config
from hwnas.runs.directory import Run
from profilers.errors import InputError

MAY_CHANGE: dict[str, Any] = {
    "threads": True,
    "device": True,
    "checkpoint_minutes": True,
    # Whether these are the images of the search, their digests tell.
    "data": {"source": True, "test": True, "root": True, "download": True},
}


def settled(config: Config) -> dict[str, Any]:
    """What of a config a search depends on, as JSON."""
    written: dict[str, Any] = json.loads(config.model_dump_json(exclude=MAY_CHANGE))
    return written


def check_unchanged(run: Run, kept: Any) -> None:
    """Raise InputError where config.toml says something else than the checkpoint's config.

    None: an earlier version kept none. ValueError for what is no config.
    """
    if kept is None:
        return
    if not isinstance(kept, Mapping):
        raise ValueError("its config is no table")
    now = settled(run.config)
    # A newer version may have settings that this checkpoint does not know of.
    for name, then, found in _differences(kept, now, ""):
        raise InputError(
            f"{run.path / 'config.toml'}: {name} is {_short(found)} now and was {_short(then)} when"
            " the search was stopped; put it back, or search anew with --config and another --out"
        )


def _differences(then: Any, now: Any, name: str) -> Iterator[tuple[str, Any, Any]]:
    if isinstance(then, Mapping) and isinstance(now, Mapping):
        for key in then:
            if key in now:
                yield from _differences(then[key], now[key], f"{name}.{key}" if name else key)
    elif isinstance(then, list) and isinstance(now, list) and len(then) == len(now):
        for place, (one, other) in enumerate(zip(then, now, strict=True)):
            yield from _differences(one, other, f"{name}.{place}")
    elif then != now:
        yield name, then, now


def _short(value: Any) -> str:
    text = "not set" if value is None else json.dumps(value)
    return text if len(text) <= 80 else f"{text[:77]}..."
