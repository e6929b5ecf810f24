"""Steps of a network as ONNX nodes and constants, BatchNorm folded into the convolution before it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray
from onnx import NodeProto, TensorProto, helper

from hwnas.results.graph import INPUT, Step
from hwnas.space.layers import Layer

EPSILON = 1e-5
"""torch's default in BatchNorm, which hwnas.nets keeps."""

Arrays = Mapping[str, NDArray[Any]]


class Writer:
    """Nodes and constants as they are written. ``renamed`` says what a map is called after folding."""

    def __init__(self, tensors: Arrays, renamed: dict[str, str]) -> None:
        self.tensors, self.renamed = tensors, renamed
        self.nodes: list[NodeProto] = []
        self.constants: dict[str, NDArray[Any]] = {}

    def node(self, kind: str, inputs: list[str], output: str, **attributes: Any) -> str:
        """Append one node, named after its output."""
        self.nodes.append(helper.make_node(kind, inputs, [output], name=output, **attributes))
        return output

    def constant(self, name: str, array: NDArray[Any]) -> str:
        """Store one array in the file."""
        self.constants[name] = np.ascontiguousarray(array)
        return name

    def normalise(self, mean: tuple[float, ...], std: tuple[float, ...]) -> str:
        """uint8 pixels -> (x / 255 - mean) / std, as one multiplication and one addition."""
        shape = (1, len(mean), 1, 1)
        factor = (1 / (255 * np.array(std))).astype(np.float32).reshape(shape)
        offset = (-np.array(mean) / np.array(std)).astype(np.float32).reshape(shape)
        numbers = self.node("Cast", [INPUT], "normalise/float", to=TensorProto.FLOAT)
        scaled = self.node("Mul", [numbers, self.constant("normalise/factor", factor)], "normalise/scaled")
        return self.node("Add", [scaled, self.constant("normalise/offset", offset)], "normalise/output")

    def write(self, step: Step, readers: list[Step]) -> None:
        """Append one step; ``readers`` are the steps that read its output."""
        inputs = [self.renamed.get(source, source) for source in step.inputs]
        if step.kind == "zeros":
            self.zeros(step, inputs[0])
        elif step.kind == "concat":
            self.node("Concat", inputs, step.name, axis=1)
        elif step.kind == "add":
            self.add(inputs, step.name)
        elif step.layer is not None:
            self.layer(step, step.layer, inputs[0], readers)

    def add(self, inputs: list[str], name: str) -> None:
        """A sum of two or more maps, from the left as torch adds."""
        total = inputs[0]
        for number, term in enumerate(inputs[1:], start=2):
            total = self.node("Add", [total, term], name if number == len(inputs) else f"{name}/sum{number}")

    def zeros(self, step: Step, image: str) -> None:
        """(n, channels, height, width) of zeros for as many images as come in."""
        shape = self.node("Shape", [image], f"{step.name}/shape", start=0, end=1)
        rest = self.constant(f"{step.name}/rest", np.array([step.channels, *step.size], dtype=np.int64))
        full = self.node("Concat", [shape, rest], f"{step.name}/full", axis=0)
        self.node("ConstantOfShape", [full], step.name)

    def layer(self, step: Step, layer: Layer, source: str, readers: list[Step]) -> None:
        """One layer on one map."""
        if layer.kind == "relu":
            self.node("Relu", [source], step.name)
        elif layer.kind in ("max_pool", "avg_pool"):
            self.pool(step, layer, source)
        elif layer.kind == "global_pool":
            pooled = self.node("GlobalAveragePool", [source], f"{step.name}/map")
            self.node("Flatten", [pooled], step.name, axis=1)
        elif layer.kind == "linear":
            weight = self.constant(f"{step.weights}.weight", self.tensors[f"{step.weights}.weight"])
            bias = self.constant(f"{step.weights}.bias", self.tensors[f"{step.weights}.bias"])
            self.node("Gemm", [source, weight, bias], step.name, transB=1)
        elif layer.kind == "batch_norm":
            self.norm(step, source)
        else:
            norm = next((reader for reader in readers if _is_norm(reader)), None)
            self.convolution(step, layer, source, norm if len(readers) == 1 else None)

    def pool(self, step: Step, layer: Layer, source: str) -> None:
        """Padding that keeps the size at stride 1, or none where the windows tile the map."""
        tiled = layer.kernel == layer.stride
        pads = [0] * 4 if tiled else [k // 2 for k in (*layer.kernel, *layer.kernel)]
        shape = {"kernel_shape": layer.kernel, "strides": layer.stride, "pads": pads}
        if layer.kind == "max_pool":
            self.node("MaxPool", [source], step.name, **shape)
            return
        # A window that reaches over an odd edge averages the pixels that there are.
        odd = any(size % stride for size, stride in zip(layer.size, layer.stride, strict=True))
        ceil_mode = int(tiled and odd)
        self.node("AveragePool", [source], step.name, count_include_pad=0, ceil_mode=ceil_mode, **shape)

    def norm(self, step: Step, source: str) -> None:
        """A BatchNorm of its own, unless the convolution before has taken it in."""
        if self.renamed.get(step.name):
            return
        names = ("weight", "bias", "running_mean", "running_var")
        given = [
            self.constant(f"{step.weights}.{name}", self.tensors[f"{step.weights}.{name}"]) for name in names
        ]
        self.node("BatchNormalization", [source, *given], step.name, epsilon=EPSILON)

    def convolution(self, step: Step, layer: Layer, source: str, norm: Step | None) -> None:
        """A convolution, or the two of a halving, with the BatchNorm that follows folded in."""
        scale, bias = self.folded(norm, layer.channels_out)
        output = norm.name if norm else step.name
        if norm:
            self.renamed[norm.name] = norm.name
        if layer.kind == "conv":
            padding = [layer.dilation * (k - 1) // 2 for k in layer.kernel]
            weight = self.scaled(f"{step.weights}.weight", scale)
            shape = {
                "kernel_shape": layer.kernel,
                "strides": layer.stride,
                "pads": [*padding, *padding],
                "dilations": [layer.dilation] * 2,
                "group": layer.groups,
            }
            self.node("Conv", [source, weight, *self.biased(step, bias)], output, **shape)
            return
        middle = layer.channels_out // 2
        halves = []
        for name, part, x in (
            ("even", slice(None, middle), source),
            ("odd", slice(middle, None), self.shifted(step, layer, source)),
        ):
            weight = self.scaled(f"{step.weights}.{name}.weight", None if scale is None else scale[part])
            own = self.biased(step, None if bias is None else bias[part], name)
            shape = {"kernel_shape": (1, 1), "strides": (2, 2)}
            halves.append(self.node("Conv", [x, weight, *own], f"{step.name}/{name}", **shape))
        self.node("Concat", halves, output, axis=1)

    def shifted(self, step: Step, layer: Layer, source: str) -> str:
        """The map without its first row and column; odd sizes get a row or column of zeros at the end."""
        odd = [size % 2 for size in layer.size]
        if any(odd):
            pads = self.constant(f"{step.name}/pads", np.array([0, 0, 0, 0, 0, 0, *odd], dtype=np.int64))
            source = self.node("Pad", [source, pads], f"{step.name}/padded")
        given = [
            self.constant(f"slice/{name}", np.array(values, dtype=np.int64))
            for name, values in (("starts", [1, 1]), ("ends", [2**31 - 1] * 2), ("axes", [2, 3]))
        ]
        return self.node("Slice", [source, *given], f"{step.name}/shifted")

    def folded(
        self, norm: Step | None, channels: int
    ) -> tuple[NDArray[np.float64] | None, NDArray[np.float64] | None]:
        """Scale and bias (channels,) that a convolution takes over from ``norm``, in float64."""
        if norm is None:
            return None, None
        weight, bias, mean, variance = (
            self.tensors[f"{norm.weights}.{name}"].astype(np.float64)
            for name in ("weight", "bias", "running_mean", "running_var")
        )
        scale = weight / np.sqrt(variance + EPSILON)
        return scale, bias - mean * scale

    def scaled(self, name: str, scale: NDArray[np.float64] | None) -> str:
        """The stored weight ``name``, each output channel multiplied by its scale."""
        weight = self.tensors[name]
        if scale is not None:
            weight = (weight.astype(np.float64) * scale[:, None, None, None]).astype(np.float32)
        return self.constant(name, weight)

    def biased(self, step: Step, bias: NDArray[np.float64] | None, part: str = "") -> list[str]:
        """The name of a stored bias, or nothing."""
        if bias is None:
            return []
        name = ".".join(filter(None, (step.weights, part, "bias")))
        return [self.constant(name, bias.astype(np.float32))]


def _is_norm(step: Step) -> bool:
    return step.layer is not None and step.layer.kind == "batch_norm"
