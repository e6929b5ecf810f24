"""The .tflite files that LiteRT measures: a network, or one operation of a space, with the weights
of a torch module."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from hwnas.space.build import architecture_graph
from hwnas.space.genotype import Architecture
from hwnas.space.graph import IMAGE, Builder, Graph, starts_with_relu
from hwnas.space.layers import Layer, Stem
from hwnas.space.task import Task

if TYPE_CHECKING:
    from numpy.typing import NDArray
    from torch import nn

BATCHES = 4
"""Random inputs that the ranges of an int8 file are taken from: its latency depends on no range."""


def network_file(
    architecture: Architecture,
    module: nn.Module,
    task: Task,
    stem: Stem,
    precision: str,
    path: Path,
) -> Path:
    """A whole network in `precision`, fp32 or int8."""
    tensors = {name: tensor.numpy() for name, tensor in module.state_dict().items()}
    return _file(architecture_graph(architecture, task, stem), tensors, precision, path)


def operation_file(
    layers: tuple[Layer, ...], module: nn.Module, precision: str, path: Path
) -> Path:
    """The layers of one operation, of which `module` is the sequence, in `precision`."""
    first = layers[0]
    draft = Builder((first.channels_in, *first.size))
    draft.layers("operation.it", IMAGE, layers)
    tensors = {}
    for name, tensor in module.state_dict().items():
        number, _, rest = name.partition(".")
        # A ReLU that comes first has no number in a graph.
        tensors[f"operation.it.{int(number) - starts_with_relu(layers)}.{rest}"] = tensor.numpy()
    return _file(draft.graph(), tensors, precision, path)


def _file(graph: Graph, tensors: dict[str, NDArray[Any]], precision: str, path: Path) -> Path:
    import torch

    from hwnas.export.tflite.file import tflite_bytes
    from hwnas.export.tflite.format import written
    from hwnas.export.tflite.int8 import quantised

    model = written(graph, tensors)
    if precision == "int8":
        source = torch.Generator().manual_seed(0)
        shape = (BATCHES, graph[0].channels, *graph[0].size)
        model = quantised(model, [torch.randn(shape, generator=source)])
    path.write_bytes(tflite_bytes(model))
    return path
