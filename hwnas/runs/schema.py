"""What front.json and training.json must hold to be believed: a run directory may come from somebody else.

Only the form is checked, and more than is named here may stand in them; numbers must be numbers, texts short, names
such that they are names of folders and nothing else.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import (
    AfterValidator,
    BaseModel,
    ConfigDict,
    Field,
    ValidationError,
    ValidationInfo,
    model_validator,
)

from hwnas import files
from hwnas.space.space import SPACES
from hwnas.space.text import from_dict
from profilers.errors import InputError

MAX_BYTES = 64_000_000
LARGEST_NUMBER = 2**63
Text = Annotated[str, Field(max_length=20_000)]
Name = Annotated[str, Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9_-]{0,79}$")]
Number = Annotated[float, Field(allow_inf_nan=False)]
Size = Annotated[int, Field(ge=1, le=100_000)]


class _Open(BaseModel):
    model_config = ConfigDict(extra="allow", strict=True)


class _Value(_Open):
    value: Number
    origin: Text


class _Cost(_Value):
    unit: Text
    low: Number | None = None
    high: Number | None = None
    process: _Value | None = None
    predicted: _Value | None = None


class _Measured(_Open):
    networks: int
    failed: int
    reasons: list[Text] = []
    noisy: int = 0
    receipt: dict[Text, Any] | None = None


def _genotype(value: dict[str, Any], info: ValidationInfo) -> dict[str, Any]:
    # A space of a package that is not installed: its genotypes are texts to show, and nothing is built from them.
    if not (info.context and info.context.get("any_space") and not SPACES.usable(value.get("space"))):
        from_dict(value)
    return value


Genotype = Annotated[dict[str, Any], AfterValidator(_genotype)]


class _Member(_Open):
    key: Name
    genotype: Genotype
    text: Text
    channels: Size
    cells: Size
    accuracy: _Value
    costs: dict[Name, _Cost]


class _Baseline(_Open):
    random_hypervolume: Number
    random_evaluations: int


class _Note(_Open):
    stage: int
    kind: Text
    text: Text
    advice: Text


class _Summary(_Open):
    space: Text
    algorithm: Text
    seed: int
    data: Text
    evaluations: int
    seconds: Number
    hypervolume: Number
    classes: list[Text]
    image: Annotated[list[Size], Field(min_length=3, max_length=3)]
    bounds: dict[str, Annotated[list[Number], Field(min_length=2, max_length=2)]]
    reference_point: dict[str, Number]
    baseline: _Baseline
    targets: dict[str, Number] = {}
    within_target: list[Text] | None = None
    health: list[_Note] = []
    front: list[_Member]
    dominated: list[_Member] = []
    target: Text = "cpu"
    stem: Literal["cifar", "imagenet"] = "cifar"
    scored_images: int | None = None
    believed: list[Name] = []
    measured: dict[Name, _Measured] = {}

    @model_validator(mode="after")
    def _same_costs(self) -> _Summary:
        for number, member in enumerate([*self.front, *self.dominated]):
            wanted = set(self.front[0].costs) if self.front else set(member.costs)
            if set(member.costs) != wanted:
                raise ValueError(f"member {number} has other costs than the first")
            missing = set(self.bounds) - wanted - {"accuracy"}
            if missing:
                raise ValueError(f"bounds: no member has the cost {sorted(missing)[0][:80]!r}")
        return self


class _Record(_Open):
    name: Name
    key: Name
    genotype: Genotype
    text: Text
    channels: Size
    cells: Size
    test_accuracy: Number
    costs: dict[Name, _Cost]
    data: Text


def read_summary(path: Path, root: Path, any_space: bool = False) -> dict[str, Any]:
    """The summary of a search from front.json, in the run directory ``root``.

    ``any_space``: genotypes of a space that is not known here may stand in it, to be shown. Raises InputError in one
    line that names file and key.
    """
    return _read(path, root, _Summary, "the summary of a search", {"any_space": any_space})


def read_record(path: Path, root: Path) -> dict[str, Any]:
    """The record of a training from training.json, in the run directory ``root``.

    Raises InputError in one line that names file and key.
    """
    return _read(path, root, _Record, "the record of a training")


def _read(
    path: Path, root: Path, form: type[BaseModel], what: str, context: Mapping[str, Any] | None = None
) -> dict[str, Any]:
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
    try:
        form.model_validate(data, context=dict(context or {}))
        strange = _numbers(data, "")
    except ValidationError as error:
        first = error.errors(include_url=False, include_input=False)[0]
        where = ".".join(str(part)[:80] for part in first["loc"])
        said = str(first["msg"]).removeprefix("Value error, ")[:200]
        raise InputError(f"{path}: not {what}: {f'{where}: ' if where else ''}{said}") from None
    except RecursionError:
        raise InputError(f"{path}: not {what}: nested too deep") from None
    if strange is not None:
        raise InputError(f"{path}: not {what}: {strange[1:]}: not a finite number below 2^63")
    return dict(data)


def _numbers(value: Any, where: str) -> str | None:
    """Where the first number stands that is none, or so large that no result of a search can be it."""
    if isinstance(value, Mapping):
        parts = [(f"{where}.{str(key)[:80]}", one) for key, one in value.items()]
    elif isinstance(value, list):
        parts = [(f"{where}.{row}", one) for row, one in enumerate(value)]
    else:
        # A comparison with NaN is false, one with a whole number of thousands of digits is exact.
        good = not isinstance(value, int | float) or -LARGEST_NUMBER < value < LARGEST_NUMBER
        return None if good else where
    return next((found for name, one in parts if (found := _numbers(one, name)) is not None), None)
