"""INT8 by ONNX Runtime: what is quantised of a file."""

from __future__ import annotations

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

from profilers.onnx_int8 import quantised

SHAPE = (1, 2, 4, 4)


def two_convolutions_with_one_bias() -> onnx.ModelProto:
    """As torch's exporter writes two convolutions with equal biases: the second has its bias from
    an Identity."""
    rng = np.random.default_rng(0)
    weights = {
        "first": rng.standard_normal((2, 2, 1, 1)).astype(np.float32),
        "second": rng.standard_normal((2, 2, 1, 1)).astype(np.float32),
        "bias": np.zeros(2, np.float32),
    }
    nodes = [
        helper.make_node("Identity", ["bias"], ["same"]),
        helper.make_node("Conv", ["x", "first", "bias"], ["middle"]),
        helper.make_node("Conv", ["middle", "second", "same"], ["y"]),
    ]
    kind = TensorProto.FLOAT
    graph = helper.make_graph(
        nodes,
        "two",
        [helper.make_tensor_value_info("x", kind, SHAPE)],
        [helper.make_tensor_value_info("y", kind, SHAPE)],
        [numpy_helper.from_array(array, name) for name, array in weights.items()],
    )
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)


def test_every_convolution_is_quantised_where_equal_biases_are_written_once(caplog) -> None:
    x = np.random.default_rng(1).standard_normal(SHAPE).astype(np.float32)
    model = two_convolutions_with_one_bias()
    given = model.SerializeToString()
    nodes = onnx.load_from_string(quantised(model, [x])).graph.node
    maker = {name: node.op_type for node in nodes for name in node.output}
    found = [[maker[name] for name in node.input] for node in nodes if node.op_type == "Conv"]
    assert found == [["DequantizeLinear"] * 3] * 2
    assert not caplog.records and model.SerializeToString() == given
