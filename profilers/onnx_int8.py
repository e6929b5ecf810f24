"""INT8 by ONNX Runtime: static quantisation, with the ranges of activations taken from
calibration images."""

from __future__ import annotations

import logging
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import onnx
from numpy.typing import NDArray
from onnxruntime.quantization import CalibrationDataReader, QuantFormat, QuantType, quantize_static


class _Reader(CalibrationDataReader):  # type: ignore[misc]
    """Batches one after the other, as onnxruntime asks for them."""

    def __init__(self, name: str, inputs: Sequence[NDArray[Any]]) -> None:
        self.name, self.inputs = name, iter(inputs)

    def get_next(self) -> dict[str, Any] | None:
        """The next batch, or None."""
        x = next(self.inputs, None)
        return None if x is None else {self.name: np.ascontiguousarray(x)}


def quantised(
    model: onnx.ModelProto, inputs: Sequence[NDArray[Any]], in_float: Sequence[str] = ()
) -> bytes:
    """``model`` as a QDQ model: uint8 activations, int8 weights with a scale per output channel.

    ``in_float``: names of nodes that stay in float32.

    ``inputs``: batches of calibration images, as the model takes them; never the test images. uint8
    activations, because ONNX Runtime has fused kernels for them only; on an x86 processor without
    VNNI they can saturate, which the accuracy beside the file shows.
    """
    with tempfile.TemporaryDirectory(prefix="hwnas-") as folder, _without_advice():
        target = Path(folder) / "int8.onnx"
        quantize_static(
            _preprocessed(model),
            str(target),
            _Reader(model.graph.input[0].name, inputs),
            quant_format=QuantFormat.QDQ,
            activation_type=QuantType.QUInt8,
            weight_type=QuantType.QInt8,
            per_channel=True,
            nodes_to_exclude=list(in_float),
        )
        written = onnx.load(str(target))
    # The quantiser drops what the file says about itself.
    del written.metadata_props[:]
    written.metadata_props.extend(model.metadata_props)
    written.producer_name, written.producer_version = model.producer_name, model.producer_version
    return bytes(written.SerializeToString())


def _preprocessed(model: onnx.ModelProto) -> onnx.ModelProto:
    """A copy with inferred shapes, and weights where they are used.

    BatchNorm is folded already: the rest of ORT's preparation finds nothing. But torch's exporter
    writes equal weights once and passes them on by Identity nodes, and a convolution whose bias
    comes out of one would stay in float32.
    """
    copy = onnx.shape_inference.infer_shapes(model)
    stored = {one.name for one in copy.graph.initializer}
    results = {one.name for one in copy.graph.output}
    passed = {
        node.output[0]: node
        for node in copy.graph.node
        if node.op_type == "Identity" and node.input[0] in stored and node.output[0] not in results
    }
    for node in passed.values():
        copy.graph.node.remove(node)
    for node in copy.graph.node:
        for place, name in enumerate(node.input):
            if name in passed:
                node.input[place] = passed[name].input[0]
    return copy


@contextmanager
def _without_advice() -> Iterator[None]:
    """onnxruntime logs advice to the root logger; warnings of others still pass.

    It is about its preparation step, and about scales per channel where a BatchNorm of its own has
    a single axis.
    """

    def keep(record: logging.LogRecord) -> bool:
        said = record.getMessage()
        return "pre-processing" not in said and "is out-of-range for weight" not in said

    root = logging.getLogger()
    root.addFilter(keep)
    try:
        yield
    finally:
        root.removeFilter(keep)
