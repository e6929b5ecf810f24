"""Nodes of a graph as ONNX nodes and constants, BatchNorm folded into the convolution before it."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray
from onnx import NodeProto, TensorProto, helper

from hwnas.export.folding import Arrays, Placed, folded_layers, scale_and_bias, scaled
from hwnas.space.graph import IMAGE, Graph, Node
from hwnas.space.layers import Activation, Layer, unknown_layer

OUTPUT = "logits"
PROBABILITIES = "probabilities"
"""The output where softmax is inside, and the node that gives it."""


class Writer:
    """Nodes and constants as they are written.

    ``maps``: what a graph's node is called in the file.
    """

    def __init__(self, tensors: Arrays, image: str = IMAGE) -> None:
        self.tensors = tensors
        self.maps = {IMAGE: image}
        self.nodes: list[NodeProto] = []
        self.constants: dict[str, NDArray[Any]] = {}
        self._shared: dict[tuple[str, Layer], str] = {}

    def write(self, graph: Graph) -> None:
        """Append all nodes of a discrete graph; the last one's output is called ``OUTPUT``."""
        for node in graph[1:]:
            name = OUTPUT if node is graph[-1] else node.name.replace(".", "/")
            inputs = [self.maps[source] for source in node.inputs]
            if node.join == "concat":
                self.maps[node.name] = self.node("Concat", inputs, name, axis=1)
            elif node.join == "sum":
                self.maps[node.name] = self.sum(node, inputs, name)
            else:
                self.maps[node.name] = self.layers(node, inputs[0], name)

    def layers(self, node: Node, source: str, name: str) -> str:
        """The layers of one node in a row. Equal ReLUs and pools of one map appear once."""
        for one, norm in folded_layers(node, name, name if name == OUTPUT else ""):
            key = (source, one.layer)
            if key in self._shared:
                source = self._shared[key]
                continue
            source = self.layer(one, source, norm)
            if one.layer.kind in ("relu", "max_pool", "avg_pool"):
                self._shared[key] = source
        return source

    def sum(self, node: Node, inputs: list[str], name: str) -> str:
        """A sum from the left, as torch adds; of a single map nothing is needed, of none it is
        zeros."""
        if len(inputs) == 1:
            return inputs[0]
        if not inputs:
            return self.zeros(node, name)
        total = inputs[0]
        for number, term in enumerate(inputs[1:], start=2):
            total = self.node(
                "Add", [total, term], name if number == len(inputs) else f"{name}/sum{number}"
            )
        return total

    def node(self, kind: str, inputs: list[str], output: str, **attributes: Any) -> str:
        """Append one node, named after its output."""
        self.nodes.append(helper.make_node(kind, inputs, [output], name=output, **attributes))
        return output

    def constant(self, name: str, array: NDArray[Any]) -> str:
        """Store one array in the file."""
        self.constants[name] = np.ascontiguousarray(array)
        return name

    def normalise(self, pixels: str, mean: tuple[float, ...], std: tuple[float, ...]) -> str:
        """uint8 pixels -> (x / 255 - mean) / std, as one multiplication and one addition."""
        shape = (1, len(mean), 1, 1)
        factor = (1 / (255 * np.array(std))).astype(np.float32).reshape(shape)
        offset = (-np.array(mean) / np.array(std)).astype(np.float32).reshape(shape)
        numbers = self.node("Cast", [pixels], "normalise/float", to=TensorProto.FLOAT)
        scaled = self.node(
            "Mul", [numbers, self.constant("normalise/factor", factor)], "normalise/scaled"
        )
        return self.node(
            "Add", [scaled, self.constant("normalise/offset", offset)], "normalise/output"
        )

    def zeros(self, node: Node, name: str) -> str:
        """(n, channels, height, width) of zeros for as many images as come in."""
        shape = self.node("Shape", [self.maps[IMAGE]], f"{name}/shape", start=0, end=1)
        rest = self.constant(f"{name}/rest", np.array([node.channels, *node.size], dtype=np.int64))
        full = self.node("Concat", [shape, rest], f"{name}/full", axis=0)
        return self.node("ConstantOfShape", [full], name)

    def layer(self, step: Placed, source: str, norm: Placed | None) -> str:
        """One layer on one map; a convolution takes in the BatchNorm ``norm`` that follows it."""
        kind = step.layer.kind
        if kind == "max_pool" or kind == "avg_pool":
            return self.pool(step, source)
        if kind == "global_pool":
            pooled = self.node("GlobalAveragePool", [source], f"{step.name}/map")
            return self.node("Flatten", [pooled], step.name, axis=1)
        if kind == "linear":
            weight = self.constant(f"{step.weights}.weight", self.tensors[f"{step.weights}.weight"])
            bias = self.constant(f"{step.weights}.bias", self.tensors[f"{step.weights}.bias"])
            return self.node("Gemm", [source, weight, bias], step.name, transB=1)
        if kind == "batch_norm":
            return self.norm(step, source)
        if kind == "conv":
            return self.convolution(step, source, norm)
        if kind == "factorized_reduce":
            return self.halving(step, source, norm)
        if kind == "squeeze_excite":
            return self.squeeze_excite(step, source)
        return self.activation(kind, source, step.name)

    def activation(self, kind: Activation, source: str, name: str) -> str:
        """Element by element; opset 17 has all of them but swish, which is two nodes."""
        if kind == "relu":
            return self.node("Relu", [source], name)
        if kind == "relu6":
            ends = [self.constant(f"clip/{end}", np.array(end, dtype=np.float32)) for end in (0, 6)]
            return self.node("Clip", [source, *ends], name)
        if kind == "swish":
            return self.node(
                "Mul", [source, self.node("Sigmoid", [source], f"{name}/sigmoid")], name
            )
        if kind == "hard_swish":
            return self.node("HardSwish", [source], name)
        if kind == "sigmoid":
            return self.node("Sigmoid", [source], name)
        if kind == "hard_sigmoid":
            return self.node("HardSigmoid", [source], name, alpha=1 / 6, beta=0.5)
        unknown_layer(kind)

    def squeeze_excite(self, step: Placed, source: str) -> str:
        """A map times a gate for each of its channels."""
        y = self.node("GlobalAveragePool", [source], f"{step.name}/mean")
        for part, kind in (("reduce", step.layer.inner), ("expand", step.layer.gate)):
            stored = [f"{step.weights}.{part}.{name}" for name in ("weight", "bias")]
            given = [self.constant(name, self.tensors[name]) for name in stored]
            y = self.node("Conv", [y, *given], f"{step.name}/{part}", kernel_shape=(1, 1))
            y = self.activation(kind, y, f"{step.name}/{part}/{kind}")
        return self.node("Mul", [source, y], step.name)

    def pool(self, step: Placed, source: str) -> str:
        """Padding that keeps the size at stride 1, or none where the windows of an average tile
        the map."""
        layer = step.layer
        tiled = layer.kind == "avg_pool" and layer.kernel == layer.stride
        pads = [0] * 4 if tiled else [k // 2 for k in (*layer.kernel, *layer.kernel)]
        shape: dict[str, Any] = {
            "kernel_shape": layer.kernel,
            "strides": layer.stride,
            "pads": pads,
        }
        if layer.kind == "max_pool":
            return self.node("MaxPool", [source], step.name, **shape)
        # A window that reaches over an odd edge averages the pixels that there are.
        odd = any(size % stride for size, stride in zip(layer.size, layer.stride, strict=True))
        shape |= {"count_include_pad": 0, "ceil_mode": int(tiled and odd)}
        return self.node("AveragePool", [source], step.name, **shape)

    def norm(self, step: Placed, source: str) -> str:
        """A BatchNorm of its own: no convolution stands before it."""
        names = ("weight", "bias", "running_mean", "running_var")
        given = [
            self.constant(f"{step.weights}.{name}", self.tensors[f"{step.weights}.{name}"])
            for name in names
        ]
        return self.node(
            "BatchNormalization", [source, *given], step.name, epsilon=step.layer.epsilon
        )

    def convolution(self, step: Placed, source: str, norm: Placed | None) -> str:
        """A convolution with the BatchNorm that follows folded in."""
        layer = step.layer
        stored = f"{step.weights}.bias" if layer.bias else None
        scale, bias = scale_and_bias(self.tensors, norm, stored)
        (top, bottom), (left, right) = layer.pads
        shape = {
            "kernel_shape": layer.kernel,
            "strides": layer.stride,
            "pads": [top, left, bottom, right],
            "dilations": [layer.dilation] * 2,
            "group": layer.groups,
        }
        weight = self.scaled(f"{step.weights}.weight", scale)
        output = norm.name if norm else step.name
        return self.node(
            "Conv", [source, weight, *self.biased(step.weights, bias)], output, **shape
        )

    def halving(self, step: Placed, source: str, norm: Placed | None) -> str:
        """The two convolutions of a halving side by side, with the BatchNorm that follows folded
        in."""
        middle = step.layer.channels_out // 2
        halves = []
        for name, part, x in (
            ("even", slice(None, middle), source),
            ("odd", slice(middle, None), self.shifted(step, source)),
        ):
            own = f"{step.weights}.{name}"
            stored = f"{own}.bias" if step.layer.bias else None
            scale, bias = scale_and_bias(self.tensors, norm, stored, part)
            given = [x, self.scaled(f"{own}.weight", scale), *self.biased(own, bias)]
            shape = {"kernel_shape": (1, 1), "strides": (2, 2)}
            halves.append(self.node("Conv", given, f"{step.name}/{name}", **shape))
        return self.node("Concat", halves, norm.name if norm else step.name, axis=1)

    def shifted(self, step: Placed, source: str) -> str:
        """The map without its first row and column; odd sizes get a row or column of zeros at
        the end."""
        odd = [size % 2 for size in step.layer.size]
        if any(odd):
            pads = self.constant(
                f"{step.name}/pads", np.array([0, 0, 0, 0, 0, 0, *odd], dtype=np.int64)
            )
            source = self.node("Pad", [source, pads], f"{step.name}/padded")
        given = [
            self.constant(f"slice/{name}", np.array(values, dtype=np.int64))
            for name, values in (("starts", [1, 1]), ("ends", [2**31 - 1] * 2), ("axes", [2, 3]))
        ]
        return self.node("Slice", [source, *given], f"{step.name}/shifted")

    def scaled(self, name: str, scale: NDArray[np.float64] | None) -> str:
        """The stored weight `name`, each output channel multiplied by its scale."""
        return self.constant(name, scaled(self.tensors[name], scale))

    def biased(self, prefix: str, bias: NDArray[np.float64] | None) -> list[str]:
        """The name of a stored bias, or nothing."""
        return [] if bias is None else [self.constant(f"{prefix}.bias", bias.astype(np.float32))]
