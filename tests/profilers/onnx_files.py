"""Small ONNX files for the tests of this folder."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import onnx
from onnx import NodeProto, TensorProto, helper


def model(
    nodes: Sequence[NodeProto],
    shape: Sequence[int | str],
    weights: Sequence[TensorProto] = (),
    output: int = TensorProto.FLOAT,
) -> onnx.ModelProto:
    """A model with the input x of `shape` and the output y of a shape that is left open."""
    graph = helper.make_graph(
        list(nodes),
        "g",
        [helper.make_tensor_value_info("x", TensorProto.FLOAT, list(shape))],
        [helper.make_tensor_value_info("y", output, [f"y{i}" for i in range(len(shape))])],
        list(weights),
    )
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)


def saved(folder: Path, made: onnx.ModelProto, name: str = "m.onnx") -> Path:
    """Write a model; nothing about it is checked."""
    path = folder / name
    path.write_bytes(made.SerializeToString())
    return path


def endless() -> onnx.ModelProto:
    """A loop of 2^62 rounds: it never answers."""
    body = helper.make_graph(
        [helper.make_node("Identity", ["c"], ["c2"]), helper.make_node("Sin", ["v"], ["v2"])],
        "body",
        [
            helper.make_tensor_value_info("i", TensorProto.INT64, []),
            helper.make_tensor_value_info("c", TensorProto.BOOL, []),
            helper.make_tensor_value_info("v", TensorProto.FLOAT, [1]),
        ],
        [
            helper.make_tensor_value_info("c2", TensorProto.BOOL, []),
            helper.make_tensor_value_info("v2", TensorProto.FLOAT, [1]),
        ],
    )
    rounds = helper.make_tensor("rounds", TensorProto.INT64, [], [2**62])
    go_on = helper.make_tensor("go_on", TensorProto.BOOL, [], [True])
    return model(
        [helper.make_node("Loop", ["rounds", "go_on", "x"], ["y"], body=body)], [1], [rounds, go_on]
    )


def greedy() -> onnx.ModelProto:
    """Asks for 4 TB."""
    sizes = helper.make_tensor("sizes", TensorProto.INT64, [1], [10**12])
    nodes = [
        helper.make_node("Shape", ["x"], ["s"]),
        helper.make_node("Mul", ["s", "sizes"], ["t"]),
        helper.make_node("ConstantOfShape", ["t"], ["big"]),
        helper.make_node("ReduceSum", ["big"], ["y"]),
    ]
    return model(nodes, [1], [sizes])


def not_finite() -> onnx.ModelProto:
    """The square root of minus one."""
    minus = helper.make_tensor("minus", TensorProto.FLOAT, [1], [-1.0])
    nodes = [
        helper.make_node("Mul", ["x", "x"], ["positive"]),
        helper.make_node("Mul", ["positive", "minus"], ["negative"]),
        helper.make_node("Sqrt", ["negative"], ["y"]),
    ]
    return model(nodes, [4], [minus])


def small() -> onnx.ModelProto:
    """One activation over 16,384 values."""
    return model([helper.make_node("Sigmoid", ["x"], ["y"])], [1, 16, 32, 32])
