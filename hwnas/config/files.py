"""Where a config comes from and goes to: defaults, a TOML file, flags; what is wrong, in a line."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import tomli_w
from pydantic import BaseModel, ValidationError

from hwnas.algorithms import ALGORITHMS
from hwnas.catalog import find_config, read_toml
from hwnas.config.defaults import (
    COVER_DEFAULTS,
    DIGITS_DEFAULTS,
    ELASTIC_DEFAULTS,
    NARROW,
    NARROW_DEFAULTS,
    NASBENCH201_DEFAULTS,
    WITHOUT_COST,
)
from hwnas.config.search_config import Config
from hwnas.config.sections import (
    AlphaStep,
    DataConfig,
    Evaluation,
    Ndarts,
    ObjectiveConfig,
    SearchStage,
    WeightStep,
)
from hwnas.config.typed_space import is_file, space_in
from hwnas.costs.metrics import METRICS
from hwnas.plugins import Announced
from hwnas.space import SPACES
from hwnas.space.chain import known_space
from hwnas.space.macro_toml import macro_of, table_of
from profilers.errors import InputError, nearest


def resolve(
    overrides: Mapping[str, Any],
    file: str | None = None,
    say: Callable[[str], None] = lambda line: None,
    flag: Callable[[str], str] | None = None,
) -> Config:
    """Defaults, then the TOML file (a name of the catalog or a path), then flags; tables merge key
    by key.

    Without any cost objective and without an algorithm the accuracy-only mode, ndarts, is taken. A
    space that is typed as a .toml file is the macro architecture in it. A file can't allow a
    download; ``say`` hears of one that means to. ``flag``: what a key of ``overrides``, such as
    "data.source", is called where they were typed. Raises InputError with one line that names the
    key and the nearest valid one.
    """
    given: dict[str, Any] = {}
    where, beside = "config", Path()
    if file is not None:
        path = find_config(file)
        found, where, beside = read_toml(path), str(path), path.parent
        given = without_download(found)
        if found != given and not allows_download(overrides):
            say(f"{path}: {PASSED_OVER}")
    own = overrides.get("space")
    if isinstance(own, str) and is_file(own):
        others = {key: value for key, value in overrides.items() if key != "space"}
        given = {key: value for key, value in given.items() if key not in ("space", "macro")}
        overrides = {**others, "macro": own}
    elif isinstance(own, str) and "macro" not in overrides:
        given = _without_other_chain(given, own, beside)
    merged = _with_macro(_merge(given, overrides), beside if "macro" in given else Path())
    if file is None and merged.get("data", {}).get("source", "digits") == "digits":
        merged = _merge(DIGITS_DEFAULTS, merged)
    if file is None and _takes_cover(merged):
        merged = _merge(COVER_DEFAULTS, merged)
    if merged.get("space") == "nasbench201":
        merged = _merge(NASBENCH201_DEFAULTS, merged)
    if merged.get("weights_from") is not None and _is_elastic(merged.get("space")):
        chosen = ELASTIC_DEFAULTS if merged.get("objectives") else WITHOUT_COST
        chosen = NARROW_DEFAULTS if merged.get("algorithm") == NARROW else chosen
        merged = _merge(chosen, merged)
    merged = _with_depth(merged)
    if "algorithm" not in merged and not merged.get("objectives"):
        merged["algorithm"] = "ndarts"
    try:
        return Config.model_validate(merged)
    except ValidationError as error:
        line = _one_line(error)
        key, _, rest = line.partition(": ")
        if flag is not None and rest and _said(overrides, key.split(".")):
            raise InputError(f"{flag(key)}: {rest}") from None
        raise InputError(f"{where}: {line}") from None


def _without_other_chain(given: dict[str, Any], name: str, folder: Path) -> dict[str, Any]:
    """What a file says, but for its chain where another space is typed; the file stands in
    ``folder``."""
    if given.get("macro") is None or _with_macro(given, folder)["space"] == name:
        return given
    return {key: value for key, value in given.items() if key not in ("space", "macro")}


def _takes_cover(given: Mapping[str, Any]) -> bool:
    """Whether nothing was said that a front which covers the costs does not go with: other stages
    or finalists, or a way to train or a space of one's own."""
    others = ("stages", "finalists_by", "finalists_synflow", "macro", "weights_from")
    is_plain = given.get("space", "tnd") in ("tnd", "darts")
    is_plain &= given.get("weights", "sampled") == "sampled"
    learns = given.get("algorithm", "tndnas") in ("tndnas", "random", "nsga2", "surrogate")
    said = any(given.get(key) is not None for key in others)
    return bool(given.get("objectives")) and is_plain and learns and not said


def _is_elastic(name: Any) -> bool:
    """Whether the options of a space share weights."""
    return isinstance(name, str) and name in SPACES and SPACES[name].shares_weights


def _said(data: Any, path: list[str]) -> bool:
    """Whether data say something at a path; what they say may end before it."""
    if not path or not isinstance(data, Mapping):
        return True
    return path[0] in data and _said(data[path[0]], path[1:])


def _with_macro(data: Mapping[str, Any], folder: Path) -> dict[str, Any]:
    """A search with the table of its macro in place of the name of the file, which stands in
    ``folder``, and its space.

    So the run directory holds all that its genotypes need to be read.
    """
    macro = data.get("macro")
    if macro is None:
        return dict(data)
    file = folder / macro if isinstance(macro, str) else None
    space = known_space(macro_of(macro)) if file is None else space_in(file)
    return {"space": space.name, **data, "macro": table_of(space.macro)}


def _with_depth(data: Mapping[str, Any]) -> dict[str, Any]:
    """A search with the width and depth of its space's table, where the space has one and
    nothing else is said."""
    name = data.get("space")
    depth = SPACES[name].depth if isinstance(name, str) and name in SPACES else None
    if depth is None:
        return dict(data)
    stages = data.get("stages", [stage.model_dump(exclude={"cells"}) for stage in Config().stages])
    if isinstance(stages, list | tuple):
        stages = [
            {"cells": depth, **stage} if isinstance(stage, Mapping) else stage for stage in stages
        ]
    channels = SPACES[str(name)].published_size[0]
    usual = {
        "channels": channels,
        "evaluation": {"channels": data.get("channels", channels), "cells": depth},
    }
    return _merge(usual, {**data, "stages": stages})


def validate(data: Mapping[str, Any], where: str) -> Config:
    """A Config from plain data, or InputError in one line that begins with ``where``."""
    try:
        return Config.model_validate(data)
    except ValidationError as error:
        raise InputError(f"{where}: {_one_line(error)}") from None


def load(path: Path, root: Path | None = None) -> Config:
    """The resolved config of the run directory ``root``."""
    data = without_download(read_toml(path, root))
    _check_installed(data, path)
    return validate(data, str(path))


def _check_installed(data: Mapping[str, Any], path: Path) -> None:
    """Raise InputError where a run needs what another package brings, which is not installed
    here."""
    macro, space, algorithm = data.get("macro"), data.get("space"), data.get("algorithm")
    objectives = data.get("objectives")
    named: list[tuple[str, Any, Announced[Any]]] = [("algorithm", algorithm, ALGORITHMS)]
    if macro is None:
        named.append(("space", space, SPACES))
    for one in objectives if isinstance(objectives, list) else []:
        named.append(("metric", one.get("metric") if isinstance(one, dict) else None, METRICS))
    for what, name, table in named:
        if isinstance(name, str) and name not in table:
            raise InputError(
                f"{path}: the {what} {name!r} is not installed here: install the package that"
                f" brings it ({table.group}); until then hwnas show shows this run"
            )


PASSED_OVER = "data.download is passed over; only --download downloads"


def without_download(data: Mapping[str, Any]) -> dict[str, Any]:
    """What a file says, but for ``data.download = true``; what is no yes or no is left to be
    refused."""
    if not allows_download(data):
        return dict(data)
    return {
        **data,
        "data": {key: value for key, value in data["data"].items() if key != "download"},
    }


def allows_download(data: Mapping[str, Any]) -> bool:
    """Whether ``data.download`` is said, in a way that a config takes for yes."""
    below = data.get("data")
    return isinstance(below, Mapping) and _yes(below.get("download", False))


def _yes(value: Any) -> bool:
    """Whether pydantic takes the value for True: "yes", 1 and so on."""
    try:
        return DataConfig.model_validate({"download": value}).download
    except ValidationError:
        return False


def dump(config: Config) -> bytes:
    """The config as TOML; keys without a value are left out, and reading it back gives an equal
    config.

    Only ``data.download`` is left out too: it holds for the call that it was said to.
    """
    said = config.model_dump(mode="json", exclude_none=True, exclude={"data": {"download"}})
    return tomli_w.dumps(said).encode()


def _merge(base: Mapping[str, Any], over: Mapping[str, Any]) -> dict[str, Any]:
    merged = dict(base)
    for key, value in over.items():
        below = merged.get(key)
        merged[key] = (
            _merge(below, value)
            if isinstance(below, Mapping) and isinstance(value, Mapping)
            else value
        )
    return merged


def _one_line(error: ValidationError) -> str:
    # A misspelt key comes first: what is then missing follows from it.
    first = min(error.errors(), key=lambda one: one["type"] != "extra_forbidden")
    path = ".".join(str(part) for part in first["loc"])
    if first["type"] == "extra_forbidden":
        return (
            f"unknown key {path!r}{nearest(str(first['loc'][-1]), _known_keys(first['loc'][:-1]))}"
        )
    message = str(first["msg"]).removeprefix("Value error, ")
    return f"{path}: {message}" if path else message


def _known_keys(path: tuple[int | str, ...]) -> list[str]:
    """The keys that the table at ``path`` may have."""
    model: type[BaseModel] = Config
    tables: dict[str, type[BaseModel]] = {
        "data": DataConfig,
        "weight_step": WeightStep,
        "alpha_step": AlphaStep,
        "evaluation": Evaluation,
        "ndarts": Ndarts,
        "stages": SearchStage,
        "objectives": ObjectiveConfig,
    }
    for part in path:
        model = tables.get(str(part), model)
    return list(model.model_fields)
