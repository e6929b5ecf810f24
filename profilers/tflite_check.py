"""Look at a .tflite file before LiteRT runs it: what it takes, and in which numbers it computes.

LiteRT alone reads it, and nothing is known of the network that it was made from.
"""

from __future__ import annotations

from collections import Counter
from pathlib import Path
from typing import Any

import numpy as np

from profilers.errors import InputError
from profilers.limited import check_model_file
from profilers.limits import check_input
from profilers.onnx_check import OnnxModel

IDENTIFIER = b"TFL3"
"""Bytes 4 to 8 of every .tflite file."""
NAMES = {0: "float32", 1: "float16", 2: "int32", 3: "uint8", 4: "int64", 7: "int16", 9: "int8"}
"""Types of tensors, by their number in the schema."""


def check_tflite(path: Path | str) -> OnnxModel:
    """Check one file, batch size as it is in it; needs the package ai_edge_litert.

    `inputs` are (batch, channels, height, width), as in other runtimes; `dtype` is the type of most
    operators' results: "int8" of a file that computes in whole numbers. Raises InputError for a
    file that is absent, damaged, or leaves a size open.
    """
    file = Path(path)
    check_model_file(file, "TFLite")
    try:
        content = file.read_bytes()
    except OSError as error:
        raise InputError(f"{file}: cannot be read ({error.strerror})") from None
    if content[4:8] != IDENTIFIER:
        raise InputError(f"{file}: not a TFLite file (it does not say {IDENTIFIER.decode()})")
    try:
        inputs, results = _read(content)
    except Exception:
        # A damaged file sends the schema's classes anywhere: offsets are taken on trust.
        raise InputError(f"{file}: not a readable TFLite file (damaged)") from None
    for name, sizes in inputs:
        if len(sizes) < 2 or min(sizes) < 1:
            raise InputError(
                f"{file}: input '{name}' has the sizes {sizes}; LiteRT is measured on inputs of a"
                " batch and at least one size more, none of them open"
            )
        check_input(f"{file}: input '{name}'", sizes)
    return OnnxModel(
        path=file,
        inputs=inputs,
        nodes=sum(results.values()),
        params=0,
        opset=0,
        dtype=NAMES.get(results.most_common(1)[0][0], "another type"),
        tflite=file,
    )


def _read(content: bytes) -> tuple[tuple[tuple[str, tuple[int, ...]], ...], Counter[int]]:
    """Names and sizes of the inputs, and how many operators give each type. Raises anything."""
    from ai_edge_litert import schema_py_generated as schema

    graph: Any = schema.Model.GetRootAs(content, 0).Subgraphs(0)
    tensors = [graph.Tensors(number) for number in range(graph.TensorsLength())]
    results = Counter(
        tensors[operator.Outputs(0)].Type()
        for operator in (graph.Operators(number) for number in range(graph.OperatorsLength()))
        if operator.OutputsLength()
    )
    inputs = []
    for number in np.atleast_1d(graph.InputsAsNumpy()).tolist():
        sizes = [int(one) for one in np.atleast_1d(tensors[number].ShapeAsNumpy())]
        inputs.append((tensors[number].Name().decode(), tuple(channels_first(sizes))))
    if not inputs or not results:
        raise ValueError("no inputs or no operators")
    return tuple(inputs), results


def channels_first(sizes: list[int]) -> list[int]:
    """(batch, height, width, channels) as (batch, channels, height, width)."""
    batch, *rest = sizes
    return [batch, *rest[-1:], *rest[:-1]]
