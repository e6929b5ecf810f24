"""The files that a runtime reads, made of checked ONNX files before anything is measured.

A model that can't be converted is a failure of its own: it costs no other one its measurement.
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

import numpy as np

from profilers.answers import Answer
from profilers.errors import InputError
from profilers.ncnn_convert import NotConverted
from profilers.onnx_check import OnnxModel, check_onnx
from profilers.parity import Expected
from profilers.reference import reference_model
from profilers.runtimes import RUNTIMES


@dataclass(frozen=True, kw_only=True)
class Prepared:
    """A model of a request, or the answer that says why there is none.

    `seconds`: what it took to make the runtime's files of the network's.
    """

    model: Answer | None = None
    failure: Answer = field(default_factory=dict)
    expected: Expected | None = None
    seconds: float = 0.0


def prepare_models(
    models: Sequence[OnnxModel],
    expected: Sequence[Expected | None],
    runtime: str,
    precision: str,
    folder: Path,
) -> list[Prepared]:
    """The files of each model in `folder`, in the order given."""
    return [
        _prepared(model, one, runtime, precision, folder / f"model{number}")
        for number, (model, one) in enumerate(zip(models, expected, strict=True))
    ]


def _prepared(
    model: OnnxModel, expected: Expected | None, runtime: str, precision: str, stem: Path
) -> Prepared:
    began = time.perf_counter()
    try:
        answer = RUNTIMES[runtime].prepare(model, stem, precision)
    except (NotConverted, InputError) as error:
        return Prepared(failure={"failure": "refused", "detail": str(error)})
    # LiteRT's file is written by whoever has the network.
    seconds = time.perf_counter() - began + (model.tflite_s if runtime == "litert" else 0.0)
    if expected is None:
        return Prepared(model=answer, seconds=seconds)
    if precision == "int8":
        expected = _with_int8(expected, answer, runtime)
    file = expected.write(stem.with_suffix(".npz"))
    return Prepared(model={**answer, "expected": str(file)}, expected=expected, seconds=seconds)


def _with_int8(expected: Expected, answer: Answer, runtime: str) -> Expected:
    """How far a plain reading of the quantised file is from the exact outputs: what int8 costs in
    any runtime."""
    outputs = RUNTIMES[runtime].plainly(answer["path"], expected.inputs)
    own = max(np.abs(a - b).max() for a, b in zip(outputs, expected.outputs, strict=True))
    return replace(expected, own_max=float(own))


def prepare_reference(runtime: str, folder: Path) -> Answer:
    """The reference network (see `reference.py`) as the runtime reads it, in float32, or as the
    one that runs it in its place."""
    source = folder / "reference.onnx"
    source.write_bytes(reference_model())
    other = RUNTIMES[runtime].reference
    runs_in = RUNTIMES[other or runtime]
    answer = runs_in.prepare(check_onnx(source), folder / "reference", "fp32")
    return {**answer, "runtime": other} if other else answer
