"""Parameters and MACs of an ONNX graph, by the same rules as `counts.py` has for torch modules."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import onnx
from onnx import NodeProto, TensorProto, ValueInfoProto, helper
from onnx.reference import ReferenceEvaluator

from profilers.onnx_check import check_onnx, nodes

# Input positions of the two operands, in float and in quantised operators.
_CONVOLUTIONS = {"Conv": (0, 1), "ConvInteger": (0, 1), "QLinearConv": (0, 3), "ConvTranspose": (0, 1)}
_PRODUCTS = {
    "MatMul": (0, 1),
    "MatMulInteger": (0, 1),
    "QLinearMatMul": (0, 3),
    "Gemm": (0, 1),
    "FusedMatMul": (0, 1),
}
_FOLDED = (
    *("Constant", "ConstantOfShape", "Identity", "Concat", "Reshape", "Slice", "Transpose", "Cast", "Shape"),
    *("Gather", "Unsqueeze", "Squeeze", "Add", "Sub", "Mul", "Div", "Mod", "Neg", "Min", "Max", "Floor", "Ceil"),
)
_RECURRENT = ("LSTM", "GRU", "RNN", "Attention", "MultiHeadAttention", "Einsum")


@dataclass(frozen=True)
class OnnxCounts:
    """Totals of one run; `uncounted` names operators that multiply but have no rule or no known shape."""

    params: int
    macs: int
    uncounted: tuple[str, ...]
    shape: tuple[int, ...]


def count_onnx(
    path: Path | str, shapes: Mapping[str, Sequence[int]] | None = None, batch: int | None = 1
) -> OnnxCounts:
    """Count one file at the given input sizes. Raises InputError for a file that `check_onnx` refuses."""
    checked = check_onnx(path, shapes, batch)
    model = onnx.load(str(checked.path), load_external_data=False)
    for argument in model.graph.input:
        if argument.name in checked.shapes:
            sizes = checked.shapes[argument.name]
            for dimension, size in zip(argument.type.tensor_type.shape.dim, sizes, strict=True):
                dimension.Clear()
                dimension.dim_value = size
    # Shapes that an exporter wrote down may still name the open dimension.
    del model.graph.value_info[:]
    for output in model.graph.output:
        output.type.tensor_type.ClearField("shape")
    fold_small_constants(model)
    graph = onnx.shape_inference.infer_shapes(model, data_prop=True).graph
    known = {value.name: dimensions(value) for value in (*graph.input, *graph.value_info, *graph.output)}
    known |= {tensor.name: tuple(tensor.dims) for tensor in graph.initializer}
    macs, uncounted = 0, dict[str, None]()
    for node in nodes(graph):
        found = node_macs(node, known)
        if found is None:
            uncounted[node.op_type] = None
        else:
            macs += found
    shape = checked.inputs[0][1] if checked.inputs else ()
    return OnnxCounts(checked.params, macs, tuple(uncounted), shape)


def fold_small_constants(model: onnx.ModelProto, most: int = 1000) -> None:
    """Compute what depends on constants only, as far as it is small: exporters compute paddings in the graph.

    Shape inference does not, and would leave every size behind such a padding open.
    """
    opset = next((entry.version for entry in model.opset_import if entry.domain in ("", "ai.onnx")), 17)
    known = {
        tensor.name: onnx.numpy_helper.to_array(tensor)
        for tensor in model.graph.initializer
        if math.prod(tensor.dims) <= most and tensor.data_location != TensorProto.EXTERNAL
    }
    kept: list[NodeProto] = []
    for node in model.graph.node:
        constant = all(name in known or not name for name in node.input)
        # ConstantOfShape could make anything large of a small input.
        large = (
            node.op_type == "ConstantOfShape"
            and constant
            and np.prod(known[node.input[0]], dtype=float) > most
        )
        if node.domain or node.op_type not in _FOLDED or not constant or large:
            kept.append(node)
            continue
        try:
            runner = ReferenceEvaluator(node, opsets={"": opset})
            values = runner.run(None, {name: known[name] for name in node.input if name})
            small = all(isinstance(value, np.ndarray) and value.size <= most for value in values)
        except Exception:
            small = False
        if small:
            known |= dict(zip(node.output, values, strict=False))
            tensors = (onnx.numpy_helper.from_array(known[name], name) for name in node.output if name)
            model.graph.initializer.extend(tensors)
        else:
            kept.append(node)
    del model.graph.node[:]
    model.graph.node.extend(kept)


def node_macs(node: NodeProto, known: Mapping[str, tuple[int, ...]]) -> int | None:
    """MACs of one node: 0 for what does not multiply and accumulate, None for what is not known."""
    kind = node.op_type
    if kind in _RECURRENT:
        return None
    if kind not in _CONVOLUTIONS and kind not in _PRODUCTS:
        return 0
    first, second = _CONVOLUTIONS.get(kind) or _PRODUCTS[kind]
    a, b = known.get(node.input[first], ()), known.get(node.input[second], ())
    output = known.get(node.output[0], ())
    spread = a if kind == "ConvTranspose" else output
    if not a or not b or not spread or 0 in (*a, *b, *spread):
        return None
    if kind in _CONVOLUTIONS:
        # Conv weights are (out, in / groups, kernel...), ConvTranspose's (in, out / groups, kernel...).
        return math.prod(spread) * math.prod(b[1:])
    flags = {attribute.name: helper.get_attribute_value(attribute) for attribute in node.attribute}
    inner = a[0] if flags.get("transA") and kind == "Gemm" else a[-1]
    return math.prod(output) * inner


def dimensions(value: ValueInfoProto) -> tuple[int, ...]:
    """The sizes of a value, 0 where one is not known."""
    return tuple(int(dimension.dim_value) for dimension in value.type.tensor_type.shape.dim)
