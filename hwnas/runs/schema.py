"""How a JSON file of a run becomes a typed value, and back: one definition reads and writes it.

A run directory may come from somebody else. Numbers must be numbers, texts short, names such that
they are names of folders and nothing else. Keys that are not known here are kept.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any, TypeVar

from pydantic import (
    AfterValidator,
    BaseModel,
    ConfigDict,
    Field,
    ValidationError,
    ValidationInfo,
    ValidatorFunctionWrapHandler,
    WrapValidator,
)

from hwnas import files
from hwnas.space.space import SPACES
from hwnas.space.text import from_dict
from profilers.errors import InputError, visible

MAX_BYTES = 64_000_000
MOST_LEVELS = 60
"""Of lists and objects in one another."""
LARGEST_NUMBER = 2**63
JSON_KEYS: Mapping[str, str] = {"provenance": "origin", "metadata": "receipt"}
"""Fields that files call by another key."""


def _as_written(value: Any, check: ValidatorFunctionWrapHandler) -> float:
    """A whole number stays one: counts are printed with all their digits."""
    number: float = check(value)
    return value if type(value) is int else number


def _genotype(value: dict[str, Any], info: ValidationInfo) -> dict[str, Any]:
    # A space of a package that is not installed: its genotypes are texts to show, and nothing is
    # built from them.
    if not (
        info.context and info.context.get("any_space") and not SPACES.usable(value.get("space"))
    ):
        from_dict(value)
    return value


Text = Annotated[str, Field(max_length=20_000)]
Name = Annotated[str, Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9_-]{0,79}$")]
Number = Annotated[float, Field(allow_inf_nan=False), WrapValidator(_as_written)]
Fraction = Annotated[float, Field(ge=0, le=1, allow_inf_nan=False), WrapValidator(_as_written)]
Positive = Annotated[int, Field(ge=1, lt=LARGEST_NUMBER)]
Count = Annotated[int, Field(ge=0, lt=LARGEST_NUMBER)]
Side = Annotated[int, Field(ge=1, le=100_000)]


GenotypeJson = Annotated[dict[str, Any], AfterValidator(_genotype)]


class Record(BaseModel):
    """A frozen value, made by keyword, of an object in a JSON file; unknown keys of the file are
    kept in it."""

    model_config = ConfigDict(
        extra="allow",
        strict=True,
        frozen=True,
        populate_by_name=True,
        alias_generator=lambda name: JSON_KEYS.get(name, name),
    )


R = TypeVar("R", bound=Record)


def to_json(record: Record) -> dict[str, Any]:
    """The object as its file holds it: what was set, and unknown keys after it."""
    return record.model_dump(by_alias=True, exclude_unset=True)


def json_bytes(record: Record) -> bytes:
    """The text of the file."""
    return (json.dumps(to_json(record), indent=1) + "\n").encode()


def escaped(record: R) -> R:
    """The record with escapes in every text, fit for a terminal or a page (see
    ``profilers.errors.visible``)."""
    known = set(type(record).model_fields) & record.model_fields_set
    return record.model_copy(update={name: _escaped(getattr(record, name)) for name in known})


def _escaped(value: Any) -> Any:
    if isinstance(value, Record):
        return escaped(value)
    if isinstance(value, str):
        return visible(value)
    if isinstance(value, dict):
        return {visible(str(key)): _escaped(part) for key, part in value.items()}
    return [_escaped(part) for part in value] if isinstance(value, list) else value


def read(
    path: Path, root: Path, form: type[R], what: str, context: Mapping[str, Any] | None = None
) -> R:
    """The record in a JSON file of the run directory ``root``; ``what``: what it is called in
    errors.

    Raises InputError in one line that names the file and the key.
    """
    try:
        data = json.loads(files.read(path, root, MAX_BYTES).decode())
    except InputError:
        raise
    except OSError as error:
        raise InputError(f"{path}: cannot be read ({error.strerror})") from None
    except (ValueError, RecursionError):
        raise InputError(f"{path}: not {what} (not valid JSON)") from None
    if not isinstance(data, Mapping):
        raise InputError(f"{path}: not {what}")
    return checked(data, path, form, what, context)


def checked(
    data: Mapping[str, Any],
    path: Path,
    form: type[R],
    what: str,
    context: Mapping[str, Any] | None = None,
) -> R:
    """The record of an object that was read from ``path``. Raises InputError as ``read`` does."""
    try:
        record = form.model_validate(data, context=dict(context or {}))
    except ValidationError as error:
        first = error.errors(include_url=False, include_input=False)[0]
        where = ".".join(str(part)[:80] for part in first["loc"])
        reason = str(first["msg"]).removeprefix("Value error, ")[:200]
        raise InputError(f"{path}: not {what}: {f'{where}: ' if where else ''}{reason}") from None
    except RecursionError:
        raise InputError(f"{path}: not {what}: nested too deep") from None
    strange = _strange(data, "", MOST_LEVELS)
    if strange is not None:
        raise InputError(f"{path}: not {what}: {strange}")
    return record


def _strange(value: Any, where: str, levels: int) -> str | None:
    """What is wrong with the first number that is none or too large, or is nested too deep;
    None: nothing."""
    if levels == 0:
        return f"{where[1:80]}: nested too deep"
    if isinstance(value, Mapping):
        parts = [(f"{where}.{str(key)[:80]}", part) for key, part in value.items()]
    elif isinstance(value, list):
        parts = [(f"{where}.{row}", part) for row, part in enumerate(value)]
    else:
        # A comparison with NaN is false, one with a whole number of thousands of digits is exact.
        good = not isinstance(value, int | float) or -LARGEST_NUMBER < value < LARGEST_NUMBER
        return None if good else f"{where[1:]}: not a finite number below 2^63"
    found = (_strange(part, name, levels - 1) for name, part in parts)
    return next((words for words in found if words is not None), None)
