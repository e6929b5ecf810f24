"""Trained networks of a run in the precisions of their exported files, as typed values.

A point is a network in one file format: the format says the runtime and the precision.
"""

from __future__ import annotations

from typing import Any, Literal

from pydantic import Field, model_validator

from hwnas.runs.right_images import Bools, unpacked
from hwnas.runs.schema import Fraction, Name, Positive, Record, Text
from hwnas.runs.values import Accuracy, Cost, MeasurementFailure

VALIDATION = "file (validation)"
Precision = Literal["fp32", "fp16", "int8"]
PRECISIONS: tuple[Precision, ...] = ("fp32", "fp16", "int8")


class PrecisionPoint(Record):
    """A trained network in a precision: what its exported file reaches and takes.

    ``format``: that of the file, a name of ``hwnas export --formats``. ``accuracy``: of the file
    itself on ``images`` validation images, those by which the search compared networks; ``right``:
    which of them (see ``hwnas.runs.right_images``). ``trained_on``: training has used these images
    too, so that the accuracy is too high. ``test_accuracy``: of the file on the test images, which
    choose nothing. ``latency``: in ms, one image at a time; None where it was not measured or
    failed. ``receipt``: of that measurement. ``size``: of the file or files, in bytes.
    ``measured``: when its call of ``hwnas export`` began, in UTC: the latencies of one call were
    sampled in turn. ``training``: see ``training_mark``. ``on_front``: no other point is better
    both in accuracy and latency; the file does not say it, ``hwnas show --json`` does.
    """

    network: Name
    format: Name
    precision: Precision
    runtime: Name
    accuracy: Accuracy
    images: Positive
    right: Text
    trained_on: bool
    test_accuracy: Fraction | None = None
    latency: Cost | None = None
    failure: MeasurementFailure | None = None
    metadata: dict[Text, Any] | None = None
    size: Positive
    measured: Text
    training: Text
    on_front: bool | None = None

    @property
    def bits(self) -> Bools:
        """Which validation images the file got right, (images,)."""
        return unpacked(self.right, self.images)

    @model_validator(mode="after")
    def _is_of_its_images(self) -> PrecisionPoint:
        if abs(float(self.bits.mean()) - self.accuracy.value) > 1e-6:
            raise ValueError("accuracy: not the share of the images that are right")
        return self


class PrecisionPoints(Record):
    """All points of a run, each network and format once."""

    points: list[PrecisionPoint] = Field(default_factory=list)

    @model_validator(mode="after")
    def _each_once(self) -> PrecisionPoints:
        seen = set[tuple[str, str]]()
        for point in self.points:
            if (point.network, point.format) in seen:
                raise ValueError(f"points: {point.network} stands there twice as {point.format}")
            seen.add((point.network, point.format))
        return self


class PrecisionFront(Record):
    """All points of a run as they are shown, each with the word whether it is on the front.

    ``by``: what the front is of beside accuracy: ``latency``, or ``size`` where no latency was
    measured. ``notes``: files that do not pay, and what a reader should know of the figures.
    """

    by: Literal["latency", "size"]
    points: list[PrecisionPoint]
    notes: list[Text] = Field(default_factory=list)
