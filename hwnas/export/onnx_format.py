"""A network as one self-contained ONNX file, written from its description.

No tracing: every node is named after its cell and edge, BatchNorm is folded into the convolution
before it (in float64), and the file needs nothing newer than opset 17. See docs/export.md for how
this compares with torch.onnx.export.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

import onnx
from numpy.typing import NDArray
from onnx import ModelProto, TensorProto, helper, numpy_helper

import hwnas
from hwnas.export.onnx_nodes import OUTPUT, PROBABILITIES, Writer
from hwnas.space.build import architecture_graph
from hwnas.space.genotype import Architecture
from hwnas.space.graph import IMAGE, Graph
from hwnas.space.layers import Stem
from hwnas.space.size import Task

OPSET = 17
IR_VERSION = 8
"""That of ONNX Runtime 1.12 (2022) and TensorRT 8.5: new enough for us, old enough for devices."""

Arrays = Mapping[str, NDArray[Any]]
Pixels = tuple[tuple[float, ...], tuple[float, ...]]
"""Mean and standard deviation per channel, of pixels in 0..1."""


def onnx_model(
    architecture: Architecture,
    tensors: Arrays,
    classes: tuple[str, ...],
    image: tuple[int, int, int],
    stem: Stem = "cifar",
    *,
    pixels: Pixels | None = None,
    channels_last: bool = False,
    softmax: bool = False,
    notes: Mapping[str, Any] | None = None,
) -> ModelProto:
    """The network with weights ``tensors`` (named as in its state_dict), batch size left open.

    Input ``image``: (n, channels, height, width), float32 and normalised; with ``pixels`` = (mean,
    std) of values in 0..1 it is uint8 and normalised inside. With ``channels_last`` it is
    (n, height, width, channels). Output ``logits``, with ``softmax`` ``probabilities``: (n,
    classes).
    ``notes`` are stored as metadata beside the genotype and the class names.
    """
    graph = architecture_graph(architecture, Task(classes=len(classes), image=image), stem)
    model = written(graph, tensors, pixels, channels_last=channels_last, softmax=softmax)
    model.graph.name = f"hwnas-{architecture.genotype.key}"
    helper.set_model_props(model, _metadata(architecture, classes, pixels is not None, notes or {}))
    return model


def written(
    graph: Graph,
    tensors: Arrays,
    pixels: Pixels | None = None,
    *,
    channels_last: bool = False,
    softmax: bool = False,
) -> ModelProto:
    """Any discrete ``graph`` that ends in logits as a model; see ``onnx_model``."""
    writer = Writer(tensors)
    channels, (height, width) = graph[0].channels, graph[0].size
    image = (height, width, channels) if channels_last else (channels, height, width)
    if channels_last:
        writer.maps[IMAGE] = writer.node("Transpose", [IMAGE], "channels_first", perm=[0, 3, 1, 2])
    if pixels:
        writer.maps[IMAGE] = writer.normalise(writer.maps[IMAGE], *pixels)
    writer.write(graph)
    classes, output = graph[-1].channels, OUTPUT
    if softmax:
        output = writer.node("Softmax", [OUTPUT], PROBABILITIES, axis=1)
    kind = TensorProto.UINT8 if pixels else TensorProto.FLOAT
    content = helper.make_graph(
        writer.nodes,
        "hwnas",
        [helper.make_tensor_value_info(IMAGE, kind, ["batch", *image])],
        [helper.make_tensor_value_info(output, TensorProto.FLOAT, ["batch", classes])],
        [numpy_helper.from_array(array, name) for name, array in writer.constants.items()],
    )
    model = helper.make_model(
        content, opset_imports=[helper.make_opsetid("", OPSET)], ir_version=IR_VERSION
    )
    model.producer_name, model.producer_version = "hwnas", hwnas.__version__
    return model


def check(model: ModelProto) -> None:
    """onnx.checker with shape inference; raises onnx.checker.ValidationError or InferenceError."""
    onnx.checker.check_model(model, full_check=True)


def _metadata(
    architecture: Architecture, classes: tuple[str, ...], raw: bool, notes: Mapping[str, Any]
) -> dict[str, str]:
    return {
        "genotype": json.dumps(architecture.genotype.to_dict()),
        "key": architecture.genotype.key,
        "channels": str(architecture.channels),
        "cells": str(architecture.cells),
        "classes": json.dumps(list(classes)),
        "input": "uint8 pixels, 0..255" if raw else "float32, (pixel / 255 - mean) / std",
        **{
            name: value if isinstance(value, str) else json.dumps(value)
            for name, value in notes.items()
        },
    }
