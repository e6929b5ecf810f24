"""Parameters and MACs of an ONNX graph, by the same rules as `counts.py` has for torch modules."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import onnx
from onnx import NodeProto, TensorProto, ValueInfoProto, helper
from onnx.reference import ReferenceEvaluator

from profilers.onnx_check import check_onnx, nodes

Array = npt.NDArray[Any]
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
    *(
        "Gather",
        "Unsqueeze",
        "Squeeze",
        "Add",
        "Sub",
        "Mul",
        "Div",
        "Mod",
        "Neg",
        "Min",
        "Max",
        "Floor",
        "Ceil",
    ),
)
# Folding makes shapes known, and known shapes make more to fold.
_ROUNDS = 8
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
    graph = model.graph
    known: dict[str, tuple[int, ...]] = {}
    for _ in range(_ROUNDS):
        # Without data propagation, which would allocate whatever a ConstantOfShape in the file asks for.
        graph = onnx.shape_inference.infer_shapes(model, data_prop=False).graph
        known = {value.name: dimensions(value) for value in (*graph.input, *graph.value_info, *graph.output)}
        known |= {tensor.name: tuple(tensor.dims) for tensor in graph.initializer}
        if not fold_small_constants(model, known):
            break
    macs, uncounted = 0, dict[str, None]()
    for node in nodes(graph):
        found = node_macs(node, known)
        if found is None:
            uncounted[node.op_type] = None
        else:
            macs += found
    shape = checked.inputs[0][1] if checked.inputs else ()
    return OnnxCounts(checked.params, macs, tuple(uncounted), shape)


def fold_small_constants(
    model: onnx.ModelProto, shapes: Mapping[str, tuple[int, ...]], most: int = 1000
) -> int:
    """Compute what depends on constants and known shapes only, as far as it is small; returns how many nodes.

    Exporters compute paddings in the graph. Shape inference does not, and leaves every size behind one open.
    """
    opset = next((entry.version for entry in model.opset_import if entry.domain in ("", "ai.onnx")), 17)
    known = {
        tensor.name: onnx.numpy_helper.to_array(tensor)
        for tensor in model.graph.initializer
        if math.prod(tensor.dims) <= most and tensor.data_location != TensorProto.EXTERNAL
    }
    kept: list[NodeProto] = []
    for node in model.graph.node:
        values = folded(node, known, shapes, opset, most)
        if values is None:
            kept.append(node)
            continue
        known |= dict(zip(node.output, values, strict=False))
        tensors = (onnx.numpy_helper.from_array(known[name], name) for name in node.output if name)
        model.graph.initializer.extend(tensors)
    count = len(model.graph.node) - len(kept)
    del model.graph.node[:]
    model.graph.node.extend(kept)
    return count


def folded(
    node: NodeProto, known: Mapping[str, Array], shapes: Mapping[str, tuple[int, ...]], opset: int, most: int
) -> Sequence[Array] | None:
    """The outputs of one node if they follow from what is known and are small, else None."""
    if (
        node.op_type == "Shape"
        and not node.attribute
        and shapes.get(node.input[0])
        and 0 not in shapes[node.input[0]]
    ):
        return [np.array(shapes[node.input[0]], dtype=np.int64)]
    if (
        node.domain
        or node.op_type not in _FOLDED
        or not all(name in known or not name for name in node.input)
    ):
        return None
    # It could make anything large of a small input.
    if node.op_type == "ConstantOfShape" and np.prod(known[node.input[0]], dtype=float) > most:
        return None
    try:
        runner = ReferenceEvaluator(node, opsets={"": opset})
        values = runner.run(None, {name: known[name] for name in node.input if name})
    except Exception:
        return None
    small = all(isinstance(value, np.ndarray) and value.size <= most for value in values)
    return [np.asarray(value) for value in values] if small else None


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
