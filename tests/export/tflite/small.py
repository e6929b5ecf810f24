"""Small networks for TFLite's tests: layers with a classifier behind them, as a graph and as a
torch module."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from hwnas.nets.operations import sequence
from hwnas.space.graph import IMAGE, Builder, Graph, starts_with_relu
from hwnas.space.layers import Layer
from tests.export.networks import arrays

needs_litert = pytest.mark.skipif(
    not __import__("importlib.util").util.find_spec("ai_edge_litert"),
    reason="needs the extra hwnas[litert]",
)


def headed(layers: Sequence[Layer], classes: int = 5) -> tuple[Graph, nn.Sequential]:
    """The layers, a global pool and a classifier; the module's weights are random and fixed."""
    first = layers[0]
    build = Builder((first.channels_in, *first.size))
    last = build.layers("op.it", IMAGE, layers)
    width, size = build.shape(last)
    head = (Layer("global_pool", width, width, size), Layer("linear", width, classes, (1, 1)))
    build.layers("head.it", last, head)
    graph = build.graph()
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        module = nn.Sequential(sequence(layers), sequence(head)).eval()
    return graph, module


def tensors_of(module: nn.Module, layers: Sequence[Layer]) -> dict[str, NDArray[Any]]:
    """By the names of the graph: a ReLU that comes first has no number there."""
    shift = starts_with_relu(tuple(layers))
    found = {}
    for name, tensor in arrays(module).items():
        part, number, rest = name.split(".", 2)
        prefix = "head.it" if part == "1" else "op.it"
        found[f"{prefix}.{int(number) - shift * (part == '0')}.{rest}"] = tensor
    return found


def share(ours: Tensor, exact: Tensor) -> float:
    """The largest difference, of the largest number."""
    return float((ours - exact).abs().max() / exact.abs().max())


def spread(exact: Tensor) -> float:
    """What the outputs of different images differ by."""
    return float((exact - exact.mean(0)).square().mean().sqrt())


def rms(one: Tensor, other: Tensor) -> float:
    return float(np.sqrt(np.mean((one - other).numpy() ** 2)))
