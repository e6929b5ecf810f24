"""TFLite's operators as they are appended, one function for each kind."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from hwnas.export.folding import Doubles, scaled
from hwnas.export.tflite.values import Operator, Value
from hwnas.export.tflite.windows import Ends, Windows, windows
from hwnas.space.layers import Layer, Size

OUTPUT = "logits"


class Operators:
    """Values and operators so far. Each function appends what it is named after, and gives the name
    of its output."""

    def __init__(self) -> None:
        self.values: dict[str, Value] = {}
        self.operators: list[Operator] = []

    def append(
        self, kind: str, inputs: Sequence[str], output: str, shape: tuple[int, ...], **options: Any
    ) -> str:
        """Any operator; `shape` is its output's."""
        self.values[output] = Value(name=output, shape=shape)
        self.operators.append(
            Operator(kind=kind, inputs=tuple(inputs), output=output, options=options)
        )
        return output

    def constant(self, name: str, array: NDArray[Any]) -> str:
        """Store one array in the file."""
        stored = np.ascontiguousarray(array)
        self.values[name] = Value(
            name=name, shape=stored.shape, dtype=stored.dtype.name, data=stored
        )
        return name

    def convolution(
        self,
        source: str,
        weight: NDArray[Any],
        scale: Doubles | None,
        bias: NDArray[Any] | None,
        layer: Layer,
        output: str,
        end: str = "NONE",
    ) -> str:
        """`weight` (out, in, height, width) times `scale`, (out,), plus `bias`; grouped or not."""
        how = windows(layer)
        if how.pads:
            source = self.pad(source, how.pads, f"{output}/padded")
        depthwise = layer.groups == layer.channels_in > 1
        # Each kind has its own order: (out, height, width, in), or (1, height, width, out).
        order = (1, 2, 3, 0) if depthwise else (0, 2, 3, 1)
        given = [source, self.constant(f"{output}/weight", scaled(weight, scale).transpose(order))]
        zeros = np.zeros(layer.channels_out) if bias is None else bias
        given.append(self.constant(f"{output}/bias", zeros.astype(np.float32)))
        options: dict[str, Any] = {
            "padding": how.padding,
            "strideH": layer.stride[0],
            "strideW": layer.stride[1],
            "dilationHFactor": layer.dilation,
            "dilationWFactor": layer.dilation,
            "fusedActivationFunction": end,
        }
        if depthwise:
            options["depthMultiplier"] = layer.channels_out // layer.channels_in
        kind = "DEPTHWISE_CONV_2D" if depthwise else "CONV_2D"
        shape = (1, *layer.size_out, layer.channels_out)
        return self.append(kind, given, output, shape, **options)

    def linear(
        self, source: str, weight: NDArray[Any], bias: NDArray[Any], output: str, end: str
    ) -> str:
        """`weight` (out, in)."""
        given = [
            source,
            self.constant(f"{output}/weight", weight),
            self.constant(f"{output}/bias", bias),
        ]
        return self.append(
            "FULLY_CONNECTED", given, output, (1, len(weight)), fusedActivationFunction=end
        )

    def unary(self, kind: str, source: str, output: str) -> str:
        """A function of each number."""
        return self.append(kind, [source], output, self.values[source].shape)

    def binary(self, kind: str, left: str, right: str, output: str, end: str = "NONE") -> str:
        """ADD or MUL; the smaller of the two is repeated over the other."""
        shape = np.broadcast_shapes(self.values[left].shape, self.values[right].shape)
        return self.append(kind, [left, right], output, shape, fusedActivationFunction=end)

    def concat(self, sources: Sequence[str], output: str) -> str:
        """Maps side by side."""
        shapes = [self.values[source].shape for source in sources]
        shape = (*shapes[0][:3], sum(one[3] for one in shapes))
        return self.append(
            "CONCATENATION", sources, output, shape, axis=3, fusedActivationFunction="NONE"
        )

    def mean(self, source: str, output: str, keep: bool) -> str:
        """Over all pixels: (1, channels), or with `keep` a map of one pixel."""
        axes = self.constant("mean/axes", np.array([1, 2], np.int32))
        channels = self.values[source].shape[3]
        shape = (1, 1, 1, channels) if keep else (1, channels)
        return self.append("MEAN", [source, axes], output, shape, keepDims=keep)

    def pool(self, kind: str, source: str, layer: Layer, how: Windows, output: str) -> str:
        """MAX_POOL_2D or AVERAGE_POOL_2D."""
        return self.append(
            kind,
            [source],
            output,
            (1, *layer.size_out, layer.channels_out),
            padding=how.padding,
            strideH=layer.stride[0],
            strideW=layer.stride[1],
            filterHeight=layer.kernel[0],
            filterWidth=layer.kernel[1],
            fusedActivationFunction="NONE",
        )

    def pad(
        self, source: str, pads: tuple[Ends, Ends], output: str, number: float | None = None
    ) -> str:
        """Rows and columns of zeros, or of `number`, around a map."""
        _, height, width, channels = self.values[source].shape
        (above, below), (left, right) = pads
        stored = np.array([[0, 0], [above, below], [left, right], [0, 0]], np.int32)
        given = [source, self.constant(f"{output}/pads", stored)]
        if number is not None:
            given.append(self.constant(f"{output}/number", np.array([number], np.float32)))
        shape = (1, above + height + below, left + width + right, channels)
        return self.append("PAD" if number is None else "PADV2", given, output, shape)

    def every_second(self, source: str, layer: Layer, output: str) -> str:
        """Pixels 1, 3, 5, ... of each side."""
        ends = {"begin": [0, 1, 1, 0], "end": [0, 0, 0, 0], "strides": [1, 2, 2, 1]}
        given = [
            self.constant(f"every_second/{name}", np.array(numbers, np.int32))
            for name, numbers in ends.items()
        ]
        # A bit for each dimension: begin at its first number, end after its last.
        return self.append(
            "STRIDED_SLICE",
            [source, *given],
            output,
            (1, *layer.size_out, layer.channels_in),
            beginMask=0b1001,
            endMask=0b1111,
        )

    def zeros(self, image: str, size: Size, channels: int, output: str) -> str:
        """A map of zeros for as many images as come in: one number of each image, times zeros."""
        axes = self.constant("zeros/axes", np.array([1, 2, 3], np.int32))
        number = self.append("MEAN", [image, axes], f"{output}/mean", (1, 1, 1, 1), keepDims=True)
        zeros = self.constant(f"{output}/zeros", np.zeros((1, *size, channels), np.float32))
        return self.binary("MUL", number, zeros, output)

    def graph_input(self, name: str, shape: tuple[int, ...], dtype: str) -> str:
        """What comes in."""
        self.values[name] = Value(name=name, shape=shape, dtype=dtype)
        return name

    def cast(self, source: str, output: str) -> str:
        """To float32."""
        shape = self.values[source].shape
        return self.append(
            "CAST", [source], output, shape, inDataType="UINT8", outDataType="FLOAT32"
        )
