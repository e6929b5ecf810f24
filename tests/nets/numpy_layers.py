"""Networks in plain numpy, float64, from the definitions of the layers: no torch, no quick way,
nothing shared."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

from hwnas.space.graph import IMAGE, Graph, Node
from hwnas.space.layers import Layer

Array = NDArray[np.float64]
Arrays = Mapping[str, Array]


def sigmoid(x: Array) -> Array:
    return np.asarray(1 / (1 + np.exp(-x)))


def hard_sigmoid(x: Array) -> Array:
    return np.clip(x + 3, 0, 6) / 6


ACTIVATIONS: dict[str, Callable[[Array], Array]] = {
    "relu": lambda x: np.maximum(x, 0),
    "relu6": lambda x: np.clip(x, 0, 6),
    "swish": lambda x: x * sigmoid(x),
    "hard_swish": lambda x: x * hard_sigmoid(x),
    "sigmoid": sigmoid,
    "hard_sigmoid": hard_sigmoid,
}


def windows(x: Array, layer: Layer, fill: float) -> Array:
    """(n, c, h, w) -> (kernel rows, kernel columns, n, c, h', w'): what each output pixel sees,
    ``fill`` outside."""
    (rows, columns), (down, right), apart = layer.kernel, layer.stride, layer.dilation
    tiled = layer.kernel == layer.stride != (1, 1)
    centred = [(apart * (k - 1) if layer.kind == "conv" else k) // 2 for k in layer.kernel]
    before = [0, 0] if tiled and layer.kind == "avg_pool" else centred
    if layer.padding == "same":  # TensorFlow's definition: as much as the windows need, half first
        needs = [
            max((out - 1) * stride + apart * (k - 1) + 1 - size, 0)
            for out, stride, k, size in zip(
                layer.size_out, layer.stride, layer.kernel, layer.size, strict=True
            )
        ]
        before = [need // 2 for need in needs]
    padded = np.pad(
        x,
        ((0, 0), (0, 0), *((b, b + k * apart) for b, k in zip(before, layer.kernel, strict=True))),
        constant_values=fill,
    )
    height, width = layer.size_out
    return np.stack(
        [
            np.stack(
                [
                    padded[:, :, a * apart :, b * apart :][:, :, ::down, ::right][
                        :, :, :height, :width
                    ]
                    for b in range(columns)
                ]
            )
            for a in range(rows)
        ]
    )


def convolution(x: Array, weight: Array, bias: Array | None, layer: Layer) -> Array:
    """Each output channel reads the input channels of its group."""
    seen = windows(x, layer, 0.0)
    outs, ins = len(weight) // layer.groups, weight.shape[1]
    groups = [
        np.einsum(
            "abncij,ocab->noij",
            seen[:, :, :, g * ins : (g + 1) * ins],
            weight[g * outs : (g + 1) * outs],
        )
        for g in range(layer.groups)
    ]
    y = np.concatenate(groups, axis=1)
    return y if bias is None else y + bias[:, None, None]


def layer_of(x: Array, layer: Layer, tensors: Arrays, batch: bool) -> Array:
    """One layer.

    ``batch``: BatchNorm takes the statistics of its batch, and scale and shift where it has them.
    """
    if layer.kind in ACTIVATIONS:
        return ACTIVATIONS[layer.kind](x)
    if layer.kind == "conv":
        return convolution(x, tensors["weight"], tensors.get("bias"), layer)
    if layer.kind == "batch_norm":
        mean, variance = (
            (x.mean((0, 2, 3)), x.var((0, 2, 3)))
            if batch
            else (tensors["running_mean"], tensors["running_var"])
        )
        scale = tensors.get("weight", np.ones(1)) / np.sqrt(variance + layer.epsilon)
        shift = tensors.get("bias", np.zeros(1)) - mean * scale
        return x * scale[:, None, None] + shift[:, None, None]
    if layer.kind == "max_pool":
        return np.asarray(windows(x, layer, -np.inf).max((0, 1)))
    if layer.kind == "avg_pool":
        seen = windows(x, layer, np.nan)
        return np.asarray(np.nanmean(seen, axis=(0, 1)))
    if layer.kind == "factorized_reduce":
        shifted = np.pad(x, ((0, 0), (0, 0), (0, 1), (0, 1)))[:, :, 1:, 1:]
        halves = [
            np.einsum("ncij,oc->noij", part[:, :, ::2, ::2], tensors[f"{name}.weight"][:, :, 0, 0])
            + tensors.get(f"{name}.bias", np.zeros(1))[:, None, None]
            for name, part in (("even", x), ("odd", shifted))
        ]
        return np.concatenate(halves, axis=1)
    if layer.kind == "squeeze_excite":
        y = x.mean((2, 3))
        for name, kind in (("reduce", layer.inner), ("expand", layer.gate)):
            y = ACTIVATIONS[kind](
                y @ tensors[f"{name}.weight"][:, :, 0, 0].T + tensors[f"{name}.bias"]
            )
        return x * y[:, :, None, None]
    if layer.kind == "global_pool":
        return x.mean((2, 3))
    assert layer.kind == "linear"
    return x @ tensors["weight"].T + tensors["bias"]


def row_of(x: Array, layers: Sequence[Layer], tensors: Arrays, prefix: str, batch: bool) -> Array:
    """Layers in a row; their tensors are called PREFIX.NUMBER.NAME, and a ReLU that comes first
    has no number."""
    begins = 1 if layers and layers[0].kind == "relu" else 0
    for number, layer in enumerate(layers):
        start = f"{prefix}.{number - begins}."
        own = {
            name.removeprefix(start): value
            for name, value in tensors.items()
            if name.startswith(start)
        }
        x = layer_of(x, layer, own, batch)
    return x


def run(graph: Graph, images: Array, layers: Callable[[Node, Array], Array]) -> Array:
    """The result of a graph of layers and sums.

    ``layers``: what a node makes of the map that it reads.
    """
    maps = {IMAGE: images}
    for node in graph[1:]:
        inputs = [maps[name] for name in node.inputs]
        maps[node.name] = np.sum(inputs, axis=0) if node.join == "sum" else layers(node, *inputs)
    return maps[graph[-1].name]
