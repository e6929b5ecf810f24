"""ONNX files."""

from __future__ import annotations

from pathlib import Path

from benchmarks.fuzz.parser import Parser, from_file
from profilers import onnx_check


def onnx_parsers(folder: Path) -> list[Parser]:
    """What is read of an ONNX file."""
    check = from_file(folder / "input.onnx", onnx_check.check_onnx)
    return [Parser(name="ONNX", seeds=[_onnx(folder)], read=check)]


def _onnx(folder: Path) -> bytes:
    from onnx import TensorProto, helper, save

    x, y = (helper.make_tensor_value_info(name, TensorProto.FLOAT, ["n", 4]) for name in "xy")
    weight = helper.make_tensor("w", TensorProto.FLOAT, [4, 4], [0.5] * 16)
    nodes = [helper.make_node("MatMul", ["x", "w"], ["z"]), helper.make_node("Relu", ["z"], ["y"])]
    graph = helper.make_graph(nodes, "g", [x], [y], [weight])
    save(
        helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)]), folder / "seed.onnx"
    )
    return (folder / "seed.onnx").read_bytes()
