"""environment.json of a run directory: what its figures depended on, and digests of its images."""

from __future__ import annotations

import json
import platform
import sys
from importlib import metadata
from pathlib import Path
from typing import Annotated, Any

from pydantic import ValidationError, ValidatorFunctionWrapHandler, WrapValidator

from hwnas import files
from hwnas.errors import reason_of
from hwnas.runs.schema import Record, Text
from profilers.errors import InputError

ENVIRONMENT = "environment.json"
PACKAGES = ("hwnas", "torch", "torchvision", "numpy", "pymoo", "onnxruntime", "scikit-learn")


def _or_none(value: Any, check: ValidatorFunctionWrapHandler) -> Any:
    """None for what is damaged: a run can be shown without it, and images without a digest
    differ from any."""
    try:
        return check(value)
    except ValidationError:
        return None


OrNone = WrapValidator(_or_none)


class ImagesPart(Record):
    """The training or the test images: how many, and a digest that changes with any of them or
    its class."""

    count: int
    digest: Text


class ImagesKept(Record):
    """What a run keeps of both parts of its images."""

    train: Annotated[ImagesPart | None, OrNone] = None
    test: Annotated[ImagesPart | None, OrNone] = None


class Environment(Record):
    """The command, versions, the machine, and digests of the images; None for what is missing or
    damaged. ``computed_by``: the GPU that a search began on, and how it computed; None of a CPU."""

    command: Annotated[list[Text] | None, OrNone] = None
    data_digest: Annotated[Text | None, OrNone] = None
    images: Annotated[ImagesKept | None, OrNone] = None
    python: Annotated[Text | None, OrNone] = None
    platform: Annotated[Text | None, OrNone] = None
    processor: Annotated[Text | None, OrNone] = None
    versions: Annotated[dict[Text, Text] | None, OrNone] = None
    computed_by: Annotated[Text | None, OrNone] = None


def environment_now(
    command: list[str],
    data_digest: str,
    images: ImagesKept | None = None,
    computed_by: str | None = None,
) -> Environment:
    """What the figures of a run that begins now depend on."""
    now = Environment(
        command=command,
        data_digest=data_digest,
        images=images or ImagesKept(),
        python=sys.version.split()[0],
        platform=platform.platform(),
        processor=_processor(),
        versions={name: version for name in PACKAGES if (version := _version(name))},
    )
    # Not set of a CPU, so that its file is as it always was.
    return now if computed_by is None else now.model_copy(update={"computed_by": computed_by})


def read_environment(folder: Path) -> Environment:
    """What ``environment_now`` said when the run in ``folder`` began; all None where the file is
    missing or damaged.

    Raises InputError where the file is none of a run: a link, a folder, or too large. ``damage``
    tells what is damaged from what an earlier version wrote.
    """
    try:
        return Environment.model_validate(json.loads(files.read(folder / ENVIRONMENT, folder)))
    except InputError:
        raise
    except (OSError, ValueError, RecursionError):
        return Environment()


def damage(folder: Path) -> str | None:
    """What keeps the environment.json in ``folder`` from being read, in words; None: nothing."""
    path = folder / ENVIRONMENT
    try:
        data = json.loads(files.read(path, folder))
    except FileNotFoundError:
        return f"{path} is missing"
    except OSError as error:
        return f"{path} can't be read ({reason_of(error)})"
    except (ValueError, RecursionError):
        return f"{path} is damaged"
    digest = data.get("data_digest") if isinstance(data, dict) else None
    return None if isinstance(digest, str) else f"{path} is damaged"


def _version(package: str) -> str | None:
    try:
        return metadata.version(package)
    except metadata.PackageNotFoundError:
        return None


def _processor() -> str:
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
    except OSError:
        return platform.processor()
    named = [line.split(":", 1)[1].strip() for line in lines if line.startswith("model name")]
    return named[0] if named else platform.processor()
