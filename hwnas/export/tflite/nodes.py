"""A discrete graph in TFLite's operators, float32: maps are (batch, height, width, channels) from
the image to the logits, so nothing is transposed.

BatchNorm is folded into the convolution before it, and ReLU and ReLU6 into the operator before
them. What TFLite has no operator for is written as several: swish, hard_sigmoid, squeeze_excite.
"""

from __future__ import annotations

from typing import Any, Literal

import numpy as np

from hwnas.export.folding import Arrays, Placed, folded_layers, scale_and_bias
from hwnas.export.tflite.operators import OUTPUT, Operators
from hwnas.export.tflite.windows import correction, windows
from hwnas.space.graph import IMAGE, Graph, Node, readers, starts_with_relu
from hwnas.space.layers import Activation, Layer, Size, unknown_layer

Fused = Literal["NONE", "RELU", "RELU6"]
FUSED: dict[str, Fused] = {"relu": "RELU", "relu6": "RELU6"}
TAKES_IN = ("conv", "factorized_reduce", "linear", "batch_norm")
"""Kinds of layers whose operator can end in a ReLU."""


class TfliteWriter:
    """Values and operators as they are written. ``maps``: what a graph's node is called in the
    file."""

    def __init__(self, tensors: Arrays, image: str = IMAGE) -> None:
        self.tensors = tensors
        self.to = Operators()
        self.maps = {IMAGE: image}
        self._shared: dict[tuple[str, Layer], str] = {}

    def write(self, graph: Graph) -> None:
        """Append all nodes of a discrete graph; the last one's output is called ``OUTPUT``."""
        rectified = _rectified(graph)
        for node in graph[1:]:
            name = OUTPUT if node is graph[-1] else node.name.replace(".", "/")
            inputs = [self.maps[source] for source in node.inputs]
            relu = rectified.get(node.name)
            if node.join == "concat":
                output = self.to.concat(inputs, name)
            elif node.join == "sum":
                output = self.sum(node, inputs, name, relu)
            else:
                output = self.layers(node, inputs[0], name, relu)
            self.maps[node.name] = output

    def layers(self, node: Node, source: str, name: str, relu: Layer | None) -> str:
        """The layers of one node in a row. Equal ReLUs and pools of one map appear once.

        ``relu``: what every reader of the node begins with.
        """
        steps = _with_ends(folded_layers(node, name, name if name == OUTPUT else ""))
        for step, norm, output, end in steps:
            key = (source, step.layer)
            if key in self._shared:
                source = self._shared[key]
                continue
            open_end = step is steps[-1][0] and end == "NONE" and step.layer.kind in TAKES_IN
            if relu is not None and open_end:
                source = self.layer(step, source, norm, output, "RELU")
                self._shared[source, relu] = source
                continue
            source = self.layer(step, source, norm, output, end)
            if step.layer.kind in ("relu", "max_pool", "avg_pool"):
                self._shared[key] = source
        return source

    def sum(self, node: Node, inputs: list[str], name: str, relu: Layer | None) -> str:
        """A sum from the left, as torch adds; of a single map nothing is needed, of none it is
        zeros."""
        if len(inputs) == 1:
            return inputs[0]
        if not inputs:
            return self.to.zeros(self.maps[IMAGE], node.size, node.channels, name)
        total = inputs[0]
        for number, term in enumerate(inputs[1:], start=2):
            last = number == len(inputs)
            end: Fused = "RELU" if last and relu is not None else "NONE"
            total = self.to.binary("ADD", total, term, name if last else f"{name}/sum{number}", end)
        if relu is not None:
            self._shared[total, relu] = total
        return total

    def layer(self, step: Placed, source: str, norm: Placed | None, output: str, end: Fused) -> str:
        """One layer on one map, with the BatchNorm ``norm`` that follows and the ReLU ``end``."""
        kind, layer = step.layer.kind, step.layer
        if kind == "conv":
            stored = f"{step.weights}.bias" if layer.bias else None
            scale, bias = scale_and_bias(self.tensors, norm, stored)
            weight = self.tensors[f"{step.weights}.weight"]
            return self.to.convolution(source, weight, scale, bias, layer, output, end)
        if kind == "factorized_reduce":
            return self.halving(step, source, norm, output, end)
        if kind == "max_pool":
            return self.max_pool(layer, source, output)
        if kind == "avg_pool":
            return self.avg_pool(layer, source, output)
        if kind == "global_pool":
            return self.to.mean(source, output, keep=False)
        if kind == "linear":
            weight, bias = (self.tensors[f"{step.weights}.{part}"] for part in ("weight", "bias"))
            return self.to.linear(source, weight, bias, output, end)
        if kind == "batch_norm":
            # Alone it is a convolution of each channel with one number.
            scale, bias = scale_and_bias(self.tensors, step, None)
            ones = np.ones((layer.channels_out, 1, 1, 1), np.float32)
            width = layer.channels_out
            single = Layer("conv", width, width, layer.size, groups=width)
            return self.to.convolution(source, ones, scale, bias, single, output, end)
        if kind == "squeeze_excite":
            return self.squeeze_excite(step, source, output)
        return self.activation(kind, source, output)

    def activation(self, kind: Activation, source: str, name: str) -> str:
        """Element by element."""
        if kind == "relu":
            return self.to.unary("RELU", source, name)
        if kind == "relu6":
            return self.to.unary("RELU6", source, name)
        if kind == "sigmoid":
            return self.to.unary("LOGISTIC", source, name)
        if kind == "hard_swish":
            return self.to.unary("HARD_SWISH", source, name)
        if kind == "swish":
            gate = self.to.unary("LOGISTIC", source, f"{name}/sigmoid")
            return self.to.binary("MUL", source, gate, name)
        if kind == "hard_sigmoid":
            three, sixth = (
                self.to.constant(f"hard_sigmoid/{word}", np.array([number], np.float32))
                for word, number in (("three", 3), ("sixth", 1 / 6))
            )
            moved = self.to.binary("ADD", source, three, f"{name}/moved", "RELU6")
            return self.to.binary("MUL", moved, sixth, name)
        unknown_layer(kind)

    def squeeze_excite(self, step: Placed, source: str, output: str) -> str:
        """A map times a gate for each of its channels."""
        layer = step.layer
        y = self.to.mean(source, f"{step.name}/mean", keep=True)
        widths = (layer.channels_in, layer.hidden, layer.channels_out)
        for number, (part, kind) in enumerate((("reduce", layer.inner), ("expand", layer.gate))):
            weight, bias = (self.tensors[f"{step.weights}.{part}.{one}"] for one in _STORED)
            single = Layer("conv", widths[number], widths[number + 1], (1, 1))
            name, end = f"{step.name}/{part}", FUSED.get(kind)
            y = self.to.convolution(y, weight, None, bias, single, name, end or "NONE")
            if end is None:
                y = self.activation(kind, y, f"{name}/{kind}")
        return self.to.binary("MUL", source, y, output)

    def max_pool(self, layer: Layer, source: str, output: str) -> str:
        """What is added around the map must be less than any number on it."""
        how = windows(layer)
        if how.pads:
            least = float(np.finfo(np.float32).min)
            source = self.to.pad(source, how.pads, f"{output}/padded", least)
        return self.to.pool("MAX_POOL_2D", source, layer, how, output)

    def avg_pool(self, layer: Layer, source: str, output: str) -> str:
        """The average of the pixels of a window that lie on the map."""
        how = windows(layer)
        if not how.pads:
            return self.to.pool("AVERAGE_POOL_2D", source, layer, how, output)
        source = self.to.pad(source, how.pads, f"{output}/padded")
        pooled = self.to.pool("AVERAGE_POOL_2D", source, layer, how, f"{output}/pooled")
        factor = self.to.constant(f"{output}/correction", correction(layer))
        return self.to.binary("MUL", pooled, factor, output)

    def halving(
        self, step: Placed, source: str, norm: Placed | None, output: str, end: Fused
    ) -> str:
        """The two convolutions of a halving side by side: one on the even pixels, one on the odd
        ones, with a row or column of zeros at the end of odd sizes."""
        layer = step.layer
        middle = layer.channels_out // 2
        odd = source
        if any(size % 2 for size in layer.size):
            rows, columns = ((0, size % 2) for size in layer.size)
            odd = self.to.pad(odd, (rows, columns), f"{step.name}/padded")
        odd = self.to.every_second(odd, layer, f"{step.name}/shifted")
        halves = []
        for name, part, x, size, stride in (
            ("even", slice(None, middle), source, layer.size, (2, 2)),
            ("odd", slice(middle, None), odd, layer.size_out, (1, 1)),
        ):
            own = f"{step.weights}.{name}"
            stored = f"{own}.bias" if layer.bias else None
            scale, bias = scale_and_bias(self.tensors, norm, stored, part)
            weight = self.tensors[f"{own}.weight"]
            single = _pointwise(layer, len(weight), size, stride)
            written = self.to.convolution(
                x, weight, scale, bias, single, f"{step.name}/{name}", end
            )
            halves.append(written)
        return self.to.concat(halves, output)


_STORED = ("weight", "bias")


def _with_ends(
    steps: list[tuple[Placed, Placed | None]],
) -> list[tuple[Placed, Placed | None, str, Fused]]:
    """Layer, BatchNorm, name of the output, and the ReLU that the layer takes in."""
    found: list[tuple[Placed, Placed | None, str, Fused]] = []
    for step, norm in steps:
        kind = step.layer.kind
        if found and kind in FUSED and found[-1][3] == "NONE":
            before, its_norm, _, _ = found[-1]
            if before.layer.kind in TAKES_IN:
                found[-1] = (before, its_norm, step.name, FUSED[kind])
                continue
        found.append((step, norm, (norm or step).name, "NONE"))
    return found


def _pointwise(layer: Layer, out: int, size: Size, stride: Size) -> Layer:
    return Layer("conv", layer.channels_in, out, size, stride=stride)


def _rectified(graph: Graph) -> dict[str, Layer]:
    """Nodes whose every reader begins with a ReLU -> that ReLU: the node itself may end in it."""
    found: dict[str, Layer] = {}
    for name, nodes in readers(graph).items():
        firsts: list[Any] = [
            node.layers[0] if starts_with_relu(node.layers) else None for node in nodes
        ]
        if firsts and all(first is not None and first == firsts[0] for first in firsts):
            found[name] = firsts[0]
    return found
