"""What an ONNX file of hwnas says about its use, read back: the file may be a stranger's."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import Field, model_validator

from hwnas.export.usage import SCHEMA
from hwnas.runs.schema import Count, Number, Record, Side, Text, checked
from profilers.errors import InputError

Deviation = Annotated[float, Field(gt=0, allow_inf_nan=False)]


class TakenInput(Record):
    """What goes in; ``shape``: None, then the sides in the order of ``layout``."""

    name: Text
    type: Literal["uint8", "float32"]
    layout: Literal["NCHW", "NHWC"]
    shape: Annotated[list[Side | None], Field(min_length=4, max_length=4)]
    colour: Literal["grey", "RGB"]
    mean: list[Number]
    std: list[Deviation]

    @model_validator(mode="after")
    def _fits(self) -> TakenInput:
        channels = {"grey": 1, "RGB": 3}[self.colour]
        if not len(self.mean) == len(self.std) == channels:
            raise ValueError(f"mean and std: expected {channels} of each, one for each channel")
        return self


class Resized(Record):
    """The side that the middle square of a photo is resized to."""

    side: Side


class CutOut(Record):
    """The part of that square which the network sees."""

    side: Side
    left: Count
    top: Count


class AveragedDown(Record):
    """The side that this part is averaged down to."""

    side: Side


class PhotoRule(Record):
    """How a photo becomes pixels."""

    resize: Resized
    crop: CutOut
    average: AveragedDown | None

    @model_validator(mode="after")
    def _fits(self) -> PhotoRule:
        if self.resize.side > 4096:
            raise ValueError("resize: side: more than 4096 pixels")
        if self.crop.side + max(self.crop.left, self.crop.top) > self.resize.side:
            raise ValueError("crop: reaches beyond the resized square")
        if self.average is not None and self.average.side > self.crop.side:
            raise ValueError("average: side: larger than the part that is cut out")
        return self


class GivenOutput(Record):
    """What comes out."""

    name: Text
    softmax_inside: bool


class Usage(Record):
    """From a photo to classes; see hwnas.export.usage."""

    schema_: int = Field(alias="schema", ge=1)
    classes: Annotated[list[Text], Field(min_length=1, max_length=1_000_000)]
    input: TakenInput
    photo: PhotoRule
    output: GivenOutput


def checked_usage(said: dict[str, Any], path: Path) -> Usage:
    """The values of hwnas.export.usage, typed. Raises InputError where no photo becomes an image of
    the network, or they are no usage."""
    if said.get("photo", "") is None:
        raise InputError(
            f"{path}: its network takes no photos: its images are neither grey nor RGB, or not"
            " square"
        )
    if isinstance(schema := said.get("schema"), int) and schema > SCHEMA:
        raise InputError(f"{path}: written by a later hwnas (schema {schema}); update hwnas")
    return checked(said, path, Usage, "a file that says how photos become its images")


def usage_of(text: str | None, path: Path) -> Usage:
    """What the metadata of an ONNX file say. Raises InputError where it says nothing."""
    if text is None:
        raise InputError(
            f"{path}: does not say how photos become its images; hwnas export of this version"
            " writes files that do"
        )
    try:
        said = json.loads(text)
    except (ValueError, RecursionError):
        said = None
    if not isinstance(said, dict):
        raise InputError(f"{path}: its metadata 'usage' are no JSON object")
    return checked_usage(said, path)
