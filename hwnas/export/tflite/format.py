"""A network as one .tflite file, written from its description."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from hwnas.export.folding import Arrays
from hwnas.export.tflite.nodes import Writer
from hwnas.export.tflite.values import TfliteModel
from hwnas.space.graph import IMAGE, Graph
from hwnas.space.layers import Layer

Pixels = tuple[Sequence[float], Sequence[float]]
"""Mean and std of values in 0..1, one for each channel."""


def written(graph: Graph, tensors: Arrays, pixels: Pixels | None = None) -> TfliteModel:
    """Any discrete `graph` that ends in logits, float32, with weights named as in its state_dict.

    Input `image`: (n, height, width, channels), normalised; with `pixels` it is uint8 and
    normalised inside. Output `logits`: (n, classes).
    """
    first = graph[0]
    writer = Writer(tensors)
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
    return TfliteModel(
        values=writer.to.values,
        operators=tuple(writer.to.operators),
        input=IMAGE,
        output=writer.maps[graph[-1].name],
    )


def metadata(notes: Mapping[str, Any]) -> dict[str, str]:
    """Notes as a file keeps them."""
    return {str(name): str(value) for name, value in notes.items()}
