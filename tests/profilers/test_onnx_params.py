"""The same network has the same parameters, wherever its weights stand and whatever type they
are stored in."""

from __future__ import annotations

from collections.abc import Callable
from itertools import pairwise

import numpy as np
import onnx
import pytest
import torch
from onnx import TensorProto, helper, numpy_helper
from onnxruntime.quantization import QuantType, quantize_dynamic
from torch import nn

from profilers.counts import count
from profilers.errors import InputError
from profilers.onnx_check import check_onnx
from profilers.onnx_counts import count_onnx
from profilers.onnx_export import export_onnx
from profilers.onnx_params import count_params
from tests.profilers.onnx_files import model, saved

WEIGHT = np.ones((4, 3, 2, 2), np.float32)
SIZE = WEIGHT.size
CONV = helper.make_node("Conv", ["x", "w"], ["y"])


def constant(**value: object) -> onnx.NodeProto:
    return helper.make_node("Constant", [], ["w0"], **value)


def reshaped(**value: object) -> onnx.ModelProto:
    sizes = numpy_helper.from_array(np.array(WEIGHT.shape), "sizes")
    return model(
        [constant(**value), helper.make_node("Reshape", ["w0", "sizes"], ["w"]), CONV],
        [1, 3, 5, 5],
        [sizes],
    )


def sparse() -> onnx.SparseTensorProto:
    values = numpy_helper.from_array(np.ones(2, np.float32), "w")
    return helper.make_sparse_tensor(
        values, numpy_helper.from_array(np.array([0, 5]), "i"), WEIGHT.shape
    )


def dequantised(dtype: type, axis: bool) -> onnx.ModelProto:
    """Weight and bias stored as integers, one scale and zero point for all or one per output
    channel."""
    shape = (4,) if axis else ()
    stored = {
        "q": WEIGHT.astype(dtype),
        "s": np.ones(shape, np.float32),
        "z": np.zeros(shape, dtype),
        "b": np.ones(4, np.int32),
        "bs": np.ones(shape, np.float32),
    }
    nodes = [
        helper.make_node("DequantizeLinear", ["q", "s", "z"], ["w"], axis=0),
        helper.make_node("DequantizeLinear", ["b", "bs"], ["bias"], axis=0),
        helper.make_node("Conv", ["x", "w", "bias"], ["y"]),
    ]
    return model(
        nodes,
        [1, 3, 5, 5],
        [numpy_helper.from_array(value, name) for name, value in stored.items()],
    )


def in_a_function(calls: int) -> onnx.ModelProto:
    """A function of the model's own that keeps the weight; its calls share it."""
    weight = helper.make_node(
        "Constant", [], ["w"], value=numpy_helper.from_array(np.ones((3, 3, 1, 1), "f"))
    )
    body = [weight, helper.make_node("Conv", ["a", "w"], ["b"])]
    standard = helper.make_opsetid("", 17)
    function = helper.make_function("own", "Block", ["a"], ["b"], body, [standard])
    names = ["x", *(f"t{i}" for i in range(calls - 1)), "y"]
    nodes = [
        helper.make_node("Block", [one], [other], domain="own") for one, other in pairwise(names)
    ]
    made = model(nodes, [1, 3, 5, 5])
    made.functions.append(function)
    made.opset_import.append(helper.make_opsetid("own", 1))
    return made


def branch(node: onnx.NodeProto, weights: list[onnx.TensorProto], output: str) -> onnx.GraphProto:
    value = helper.make_tensor_value_info(output, TensorProto.FLOAT, None)
    return helper.make_graph([node], output, [], [value], weights)


def in_branches() -> onnx.ModelProto:
    """Each branch keeps a weight of its own under the same name."""
    branches = [
        branch(
            helper.make_node("Conv", ["x", "w"], [name]),
            [numpy_helper.from_array(WEIGHT, "w")],
            name,
        )
        for name in ("yes", "no")
    ]
    node = helper.make_node("If", ["c"], ["y"], then_branch=branches[0], else_branch=branches[1])
    made = model([node], [1, 3, 5, 5])
    made.graph.input.append(helper.make_tensor_value_info("c", TensorProto.BOOL, []))
    return made


FORMS: dict[str, tuple[Callable[[], onnx.ModelProto], int]] = {
    "an initializer": (
        lambda: model([CONV], [1, 3, 5, 5], [numpy_helper.from_array(WEIGHT, "w")]),
        SIZE,
    ),
    "a constant": (
        lambda: model(
            [
                helper.make_node("Constant", [], ["w"], value=numpy_helper.from_array(WEIGHT)),
                CONV,
            ],
            [1, 3, 5, 5],
        ),
        SIZE,
    ),
    "floats of a constant": (lambda: reshaped(value_floats=WEIGHT.ravel().tolist()), SIZE),
    "a sparse constant": (
        lambda: model(
            [helper.make_node("Constant", [], ["w"], sparse_value=sparse()), CONV], [1, 3, 5, 5]
        ),
        SIZE,
    ),
    "bytes": (lambda: dequantised(np.uint8, False), SIZE + 4),
    "signed bytes, a scale per channel": (lambda: dequantised(np.int8, True), SIZE + 4),
    "two bytes": (lambda: dequantised(np.uint16, True), SIZE + 4),
    "branches": (in_branches, 2 * SIZE),
    "a function": (lambda: in_a_function(1), 9),
    "a function that is called three times": (lambda: in_a_function(3), 9),
}


@pytest.mark.parametrize("form", FORMS)
def test_a_weight_is_a_parameter_however_it_is_stored(tmp_path, form):
    make, params = FORMS[form]
    found = count_onnx(saved(tmp_path, make()))
    assert (found.params, found.uncounted_params, found.uncounted) == (params, (), ())


@pytest.mark.parametrize("kind", [QuantType.QInt8, QuantType.QUInt8])
@pytest.mark.parametrize("per_channel", [False, True])
def test_a_network_quantised_by_onnxruntime_counts_as_before(tmp_path, kind, per_channel):
    net = nn.Sequential(nn.Conv2d(3, 8, 3), nn.ReLU(), nn.Flatten(), nn.Linear(8 * 36, 5))
    path = export_onnx(net, (1, 3, 8, 8), tmp_path / "float.onnx")
    quantize_dynamic(path, tmp_path / "int8.onnx", weight_type=kind, per_channel=per_channel)
    before, after = count_onnx(path), count_onnx(tmp_path / "int8.onnx")
    assert (after.params, after.macs) == (before.params, before.macs)
    assert after.params == count(net, (1, 3, 8, 8)).params
    assert after.uncounted == after.uncounted_params == ()


class Settings(nn.Module):
    """Statistics, a limit, a factor and a padding: numbers in the file, none of them a
    parameter."""

    def __init__(self) -> None:
        super().__init__()
        self.conv, self.norm = nn.Conv2d(3, 4, 1), nn.BatchNorm2d(3)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        x = nn.functional.pad(self.norm(x), (1, 0, 0, 0), value=0.5).clamp(-3.0, 3.0)
        return nn.functional.gelu(self.conv(x * 0.25)) ** 2.5


def test_what_only_says_how_to_compute_is_no_parameter(tmp_path):
    net = Settings()
    found = count_onnx(export_onnx(net, (1, 3, 4, 4), tmp_path / "m.onnx"))
    assert found.params == count(net, (1, 3, 4, 4)).params == 4 * 3 + 4 + 2 * 3


def test_an_operator_of_the_runtime_without_a_rule_is_named_for_its_numbers(tmp_path):
    packed = numpy_helper.from_array(np.ones((8, 1, 8), np.uint8), "w")
    scales = numpy_helper.from_array(np.ones(8, np.float32), "s")
    node = helper.make_node(
        "MatMulNBits",
        ["x", "w", "s"],
        ["y"],
        domain="com.microsoft",
        N=8,
        K=16,
        bits=4,
        block_size=16,
    )
    made = model([node], [1, 16], [packed, scales])
    made.opset_import.append(helper.make_opsetid("com.microsoft", 1))
    found = count_onnx(saved(tmp_path, made))
    assert found.uncounted == found.uncounted_params == ("MatMulNBits",)


def test_a_function_that_calls_itself_is_refused(tmp_path):
    made = in_a_function(1)
    made.functions[0].node.append(helper.make_node("Block", ["b"], ["c"], domain="own"))
    with pytest.raises(InputError):
        check_onnx(saved(tmp_path, made))
    with pytest.raises(InputError, match="function 'Block' calls itself"):
        count_params(made)


def test_functions_that_would_grow_without_end_are_refused(tmp_path):
    made = in_a_function(1)
    standard = [helper.make_opsetid("", 17), helper.make_opsetid("own", 1)]
    for level in range(40):
        name, inner = f"F{level}", f"F{level - 1}" if level else "Block"
        body = [
            helper.make_node(inner, [a], [b], domain="own") for a, b in (("a", "t"), ("t", "b"))
        ]
        made.functions.append(helper.make_function("own", name, ["a"], ["b"], body, standard))
    made.graph.node[0].op_type = "F39"
    with pytest.raises(InputError, match="more than 1,000,000 nodes"):
        check_onnx(saved(tmp_path, made))
