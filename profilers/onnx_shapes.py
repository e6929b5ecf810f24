"""The sizes of all values in an ONNX graph, as far as its file and the sizes of its inputs say."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
import onnx
from onnx import GraphProto, ModelProto, NodeProto, TensorProto, ValueInfoProto
from onnx.reference import ReferenceEvaluator

from profilers.onnx_rules import RUNTIME
from profilers.onnx_walk import inlined, subgraphs

Array = npt.NDArray[Any]
Shapes = dict[str, tuple[int, ...]]
_FOLDED = (
    *(
        "Constant",
        "ConstantOfShape",
        "Identity",
        "Concat",
        "Reshape",
        "Slice",
        "Transpose",
        "Cast",
        "Shape",
    ),
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

_ALIKE: dict[str, tuple[str, tuple[int, ...]]] = {
    "QLinearAdd": ("Add", (0, 3)),
    "QLinearMul": ("Mul", (0, 3)),
    "QLinearAveragePool": ("AveragePool", (0,)),
    "QLinearGlobalAveragePool": ("GlobalAveragePool", (0,)),
    "QGemm": ("Gemm", (0, 3)),
    "FusedConv": ("Conv", (0, 1)),
    "FusedGemm": ("Gemm", (0, 1)),
    "MatMulIntegerToFloat": ("MatMul", (0, 1)),
    "DynamicQuantizeMatMul": ("MatMul", (0, 1)),
    **dict.fromkeys(("QLinearLeakyRelu", "QLinearSigmoid", "QLinearSoftmax"), ("Relu", (0,))),
    **dict.fromkeys(
        ("BiasGelu", "FastGelu", "Gelu", "QuickGelu", "QuantizeLinear"), ("Relu", (0,))
    ),
    "DequantizeLinear": ("Relu", (0,)),
}
"""ONNX Runtime's own operator -> a standard one whose output has the same sizes, and the inputs
that decide them."""


def with_standard_sizes(model: ModelProto) -> None:
    """Put standard operators in the place of the runtime's own: ONNX cannot infer sizes behind
    those.

    MACs stay what they were; what the numbers mean does not.
    """
    for graph in _graphs(model.graph):
        for node in graph.node:
            if node.domain != RUNTIME or any(
                one.name == "channels_last" and one.i for one in node.attribute
            ):
                continue
            if node.op_type == "QLinearConcat":
                kind, inputs = "Concat", list(node.input)[2::3]
            elif node.op_type in _ALIKE:
                kind, positions = _ALIKE[node.op_type]
                inputs = [
                    node.input[position] for position in positions if position < len(node.input)
                ]
            else:
                continue
            node.op_type, node.domain, node.input[:] = kind, "", inputs


def sized(model: ModelProto, inputs: Mapping[str, Sequence[int]]) -> tuple[ModelProto, Shapes]:
    """The model with its functions in the place of their calls and inputs of these sizes, and what
    ``infer`` finds then."""
    model = inlined(model)
    for argument in model.graph.input:
        if argument.name in inputs:
            sizes = argument.type.tensor_type.shape.dim
            del sizes[:]
            for size in inputs[argument.name]:
                sizes.add().dim_value = size
    return infer(model)


def infer(model: ModelProto) -> tuple[ModelProto, Shapes]:
    """The model with inferred shapes and small constants folded, and the sizes of its graph's
    values by name.

    Open sizes are 0. The argument loses the shapes that it had.
    """
    with_standard_sizes(model)
    # Shapes that an exporter wrote down may still name the open dimension.
    for graph in _graphs(model.graph):
        del graph.value_info[:]
        for output in graph.output:
            output.type.tensor_type.ClearField("shape")
    known: Shapes = {}
    for _ in range(_ROUNDS):
        # Without data propagation, which would allocate whatever a ConstantOfShape in the file asks
        # for.
        model = onnx.shape_inference.infer_shapes(model, data_prop=False)
        known = shapes_of(model.graph)
        if not fold_small_constants(model, known):
            break
    return model, known


def shapes_of(graph: GraphProto) -> Shapes:
    """Sizes by name of the values of one graph, those of its branches left out; 0 where one is
    not known."""
    values = (*graph.input, *graph.value_info, *graph.output)
    known = {
        value.name: dimensions(value)
        for value in values
        if value.type.tensor_type.HasField("shape")
    }
    return known | {tensor.name: tuple(tensor.dims) for tensor in graph.initializer}


def dimensions(value: ValueInfoProto) -> tuple[int, ...]:
    """The sizes of a value, 0 where one is not known."""
    return tuple(int(dimension.dim_value) for dimension in value.type.tensor_type.shape.dim)


def _graphs(graph: GraphProto) -> Iterator[GraphProto]:
    yield graph
    for node in graph.node:
        for inner in subgraphs(node):
            yield from _graphs(inner)


def fold_small_constants(model: onnx.ModelProto, shapes: Shapes, most: int = 1000) -> int:
    """Compute what depends on constants and known shapes only, as far as it is small; returns how
    many nodes.

    Exporters compute paddings in the graph. Shape inference does not, and leaves every size behind
    one open.
    """
    opset = next(
        (entry.version for entry in model.opset_import if entry.domain in ("", "ai.onnx")), 17
    )
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
    node: NodeProto,
    known: Mapping[str, Array],
    shapes: Mapping[str, tuple[int, ...]],
    opset: int,
    most: int,
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
        or any(attribute.t.data_location == TensorProto.EXTERNAL for attribute in node.attribute)
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
