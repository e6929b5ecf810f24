"""A network as one .tflite file, written from its description."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence

import numpy as np
import torch
from torch import Tensor, nn

from hwnas.export.folding import Arrays
from hwnas.export.onnx_nodes import PROBABILITIES
from hwnas.export.tflite.file import METADATA, tflite_bytes
from hwnas.export.tflite.int8 import quantised
from hwnas.export.tflite.interpreter import tflite_logits
from hwnas.export.tflite.nodes import TfliteWriter
from hwnas.export.tflite.values import TfliteModel
from hwnas.export.verify import exact_logits
from hwnas.space.build import architecture_graph
from hwnas.space.graph import IMAGE, Graph
from hwnas.space.layers import Layer
from hwnas.space.task import Task
from hwnas.training.weights import Weights
from profilers.runtimes import check_runtime

Pixels = tuple[Sequence[float], Sequence[float]]
"""Mean and std of values in 0..1, one for each channel."""


def written(
    graph: Graph, tensors: Arrays, pixels: Pixels | None = None, softmax: bool = False
) -> TfliteModel:
    """Any discrete `graph` that ends in logits, float32, with weights named as in its state_dict.

    Input `image`: (n, height, width, channels), normalised; with `pixels` it is uint8 and
    normalised inside. Output `logits`, with `softmax` `probabilities`: (n, classes).
    """
    first = graph[0]
    writer = TfliteWriter(tensors)
    shape = (1, *first.size, first.channels)
    writer.to.graph_input(IMAGE, shape, "uint8" if pixels else "float32")
    if pixels:
        mean, std = (np.array(numbers, np.float64) for numbers in pixels)
        numbers = writer.to.cast(IMAGE, "normalise/float")
        each = Layer("conv", first.channels, first.channels, first.size, groups=first.channels)
        weight = np.ones((first.channels, 1, 1, 1), np.float32)
        writer.maps[IMAGE] = writer.to.convolution(
            numbers, weight, 1 / (255 * std), -mean / std, each, "normalise/output"
        )
    writer.write(graph)
    output = writer.maps[graph[-1].name]
    if softmax:
        classes = writer.to.values[output].shape
        output = writer.to.append("SOFTMAX", [output], PROBABILITIES, classes, beta=1.0)
    return TfliteModel(
        values=writer.to.values,
        operators=tuple(writer.to.operators),
        input=IMAGE,
        output=output,
    )


def tflite_file(
    weights: Weights,
    notes: Mapping[str, str],
    *,
    raw: bool = False,
    softmax: bool = False,
    calibration: Sequence[Tensor] | None = None,
) -> bytes:
    """A trained network's file; in full-integer INT8 with the ranges of `calibration`, batches of
    training images.

    `raw`: it takes uint8 pixels. `softmax`: it gives probabilities. `notes`: what the file says
    about itself. Raises InputError where the package ai-edge-litert is not installed.
    """
    check_runtime("litert", "fp32", elsewhere=False)
    task = Task(classes=len(weights.classes), image=weights.image)
    graph = architecture_graph(weights.architecture, task, weights.stem)
    tensors = {name: tensor.numpy() for name, tensor in weights.tensors.items()}
    model = written(graph, tensors, (weights.mean, weights.std) if raw else None, softmax)
    if calibration is not None:
        model = quantised(model, calibration)
    said = {**notes, "layout": "images are (batch, height, width, channels)"}
    return tflite_bytes(model, {METADATA: json.dumps(said)})


def int8_error(content: bytes, network: nn.Module, images: Sequence[Tensor], count: int) -> float:
    """The largest difference of an INT8 file's logits, by the reference kernels, from `network` in
    float64, on the first `count` images: what INT8 costs in any runtime."""
    exact = exact_logits(network, images, count)
    few = torch.cat(list(images))[:count]
    return float((tflite_logits(content, [few], "reference") - exact).abs().max())
