from __future__ import annotations

import numpy as np
import onnx
import pytest
import torch
from onnx import TensorProto, helper, numpy_helper
from torch import nn

from profilers.counts import count
from profilers.errors import InputError
from profilers.onnx_counts import count_onnx
from profilers.onnx_export import export_onnx
from profilers.onnx_free import FREE
from profilers.onnx_rules import CONTROL, CONVOLUTIONS, PRODUCTS
from tests.profilers.onnx_files import model, saved


class Net(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.a = nn.Conv2d(3, 8, 3, stride=2, groups=1)
        self.b = nn.Conv2d(8, 8, 5, groups=8, dilation=2, padding=4)
        self.c = nn.ConvTranspose2d(8, 6, 3, stride=2, groups=2)
        self.d = nn.Linear(6, 10)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        x = nn.functional.pad(self.b(self.a(x)), (0, 1, 0, 1))
        return self.d(self.c(x[:, :, 1:, 1:]).mean((2, 3)))


def test_a_graph_counts_as_the_module_it_was_exported_from(tmp_path):
    net, shape = Net(), (2, 3, 16, 16)
    found = count_onnx(export_onnx(net, shape, tmp_path / "m.onnx"))
    ours = count(net, shape)
    assert (found.macs, found.params, found.uncounted) == (ours.macs, ours.params, ())
    assert found.shape == shape


def test_an_open_batch_counts_at_the_batch_asked_for(tmp_path):
    weight = numpy_helper.from_array(np.ones((4, 3, 1, 1), np.float32), "w")
    path = saved(
        tmp_path,
        model([helper.make_node("Conv", ["x", "w"], ["y"])], ["n", 3, 8, 8], weights=[weight]),
    )
    assert count_onnx(path).macs == 4 * 64 * 3
    assert count_onnx(path, batch=5).macs == 5 * 4 * 64 * 3


def test_products_count_rows_times_columns_times_inner(tmp_path):
    a = numpy_helper.from_array(np.ones((5, 7), np.float32), "a")
    b = numpy_helper.from_array(np.ones((6, 7), np.float32), "b")
    nodes = [
        helper.make_node("MatMul", ["x", "a"], ["t"]),
        helper.make_node("Gemm", ["t", "b"], ["y"], transB=1),
    ]
    assert (
        count_onnx(saved(tmp_path, model(nodes, [2, 5], weights=[a, b]))).macs
        == 2 * 7 * 5 + 2 * 6 * 7
    )


def test_what_has_no_rule_is_named(tmp_path):
    nodes = [helper.make_node("Einsum", ["x", "x"], ["y"], equation="ij,kj->ik")]
    assert count_onnx(saved(tmp_path, model(nodes, [2, 3]))).uncounted == ("Einsum",)


def test_a_constant_that_would_be_huge_is_not_computed(tmp_path):
    sizes = helper.make_tensor("sizes", TensorProto.INT64, [1], [10**15])
    nodes = [
        helper.make_node("ConstantOfShape", ["sizes"], ["big"]),
        helper.make_node("Add", ["x", "big"], ["y"]),
    ]
    path = saved(tmp_path, model(nodes, [1], weights=[sizes]))
    assert count_onnx(path).macs == 0
    assert onnx.load(str(path)).graph.node[0].op_type == "ConstantOfShape"


def float_conv(name: str = "w", size: int = 1) -> onnx.TensorProto:
    return numpy_helper.from_array(np.ones((3, 3, size, size), np.float32), name)


def graph_of(
    nodes: list[onnx.NodeProto], inputs: dict[str, int], outputs: dict[str, int]
) -> onnx.GraphProto:
    """The branch or body of a node: names with their types, shapes left open."""
    typed = [
        [helper.make_tensor_value_info(name, kind, None) for name, kind in values.items()]
        for values in (inputs, outputs)
    ]
    return helper.make_graph(nodes, "inner", *typed)


def test_an_if_counts_from_its_cheaper_to_its_dearer_branch(tmp_path):
    branches = [
        graph_of(
            [helper.make_node("Conv", ["x", name], [out], pads=[pad] * 4)],
            {},
            {out: TensorProto.FLOAT},
        )
        for name, out, pad in (("one", "a", 0), ("three", "b", 1))
    ]
    node = helper.make_node("If", ["c"], ["y"], then_branch=branches[0], else_branch=branches[1])
    made = model([node], [1, 3, 5, 5], [float_conv("one"), float_conv("three", 3)])
    made.graph.input.append(helper.make_tensor_value_info("c", TensorProto.BOOL, []))
    found = count_onnx(saved(tmp_path, made))
    one = 3 * 3 * 25
    assert (found.fewest_macs, found.macs, found.uncounted) == (one, 9 * one, ())
    assert found.params == 9 + 81


def loop(rounds: int | None) -> onnx.ModelProto:
    """A convolution over and over: so often as is stored, or as an input says."""
    body = graph_of(
        [helper.make_node("Identity", ["c"], ["c2"]), helper.make_node("Conv", ["v", "w"], ["v2"])],
        {"i": TensorProto.INT64, "c": TensorProto.BOOL, "v": TensorProto.FLOAT},
        {"c2": TensorProto.BOOL, "v2": TensorProto.FLOAT},
    )
    size = helper.make_tensor_value_info("v", TensorProto.FLOAT, [1, 3, 5, 5])
    body.input[2].CopyFrom(size)
    stored = [helper.make_tensor("go", TensorProto.BOOL, [], [True]), float_conv()]
    if rounds is not None:
        stored.append(helper.make_tensor("n", TensorProto.INT64, [], [rounds]))
    made = model(
        [helper.make_node("Loop", ["n", "go", "x"], ["y"], body=body)], [1, 3, 5, 5], stored
    )
    if rounds is None:
        made.graph.input.append(helper.make_tensor_value_info("n", TensorProto.INT64, []))
    return made


def test_a_loop_counts_its_body_as_often_as_it_runs(tmp_path):
    found = count_onnx(saved(tmp_path, loop(7)))
    assert (found.macs, found.uncounted, found.params) == (7 * 9 * 25, (), 9)


def test_a_loop_that_only_running_it_ends_is_named(tmp_path):
    found = count_onnx(saved(tmp_path, loop(None)))
    assert (found.macs, found.uncounted, found.params) == (0, ("Loop",), 9)


def test_a_scan_counts_its_body_once_for_each_row(tmp_path):
    body = graph_of(
        [helper.make_node("MatMul", ["s", "w"], ["r"]), helper.make_node("Identity", ["r"], ["o"])],
        {"s": TensorProto.FLOAT},
        {"o": TensorProto.FLOAT},
    )
    weight = numpy_helper.from_array(np.ones((5, 7), np.float32), "w")
    made = model(
        [helper.make_node("Scan", ["x"], ["y"], body=body, num_scan_inputs=1)], [6, 2, 5], [weight]
    )
    found = count_onnx(saved(tmp_path, made))
    assert (found.macs, found.uncounted) == (6 * 2 * 5 * 7, ())


def test_every_standard_operator_is_ruled_or_named(tmp_path):
    """Only what computes and has no rule may be missing from the lists."""
    listed = {*FREE, *CONVOLUTIONS, *PRODUCTS, *CONTROL}
    standard = {
        schema.name for schema in onnx.defs.get_all_schemas_with_history() if not schema.domain
    }
    assert (
        standard - listed
        == {
            *(
                "AffineGrid",
                "Attention",
                "CausalConvWithState",
                "Col2Im",
                "DFT",
                "DeformConv",
                "Det",
                "Einsum",
            ),
            *("GRU", "GridSample", "ImageDecoder", "LSTM", "LinearAttention", "MelWeightMatrix"),
            *("NonMaxSuppression", "RNN", "RoiAlign", "STFT", "SequenceMap", "TfIdfVectorizer"),
        }
        & standard
    )


def test_sizes_that_no_network_has_are_refused(tmp_path):
    nodes = [helper.make_node("MatMul", ["x", "a"], ["y"])]
    weight = TensorProto(name="a", data_type=TensorProto.FLOAT, dims=[2**31, 2**31])
    weight.raw_data = b"0000"
    with pytest.raises(InputError):
        count_onnx(saved(tmp_path, model(nodes, [2**31, 2**31], weights=[weight])))
    nodes = [
        helper.make_node("Transpose", ["x"], ["t"]),
        helper.make_node(
            "MatMul", ["x", "t"], ["square"]
        ),  # 2^60 of the largest input that is allowed
        helper.make_node("MatMul", ["square", "square"], ["y"]),
    ]
    with pytest.raises(InputError, match=r"more than 2\^63 MACs"):
        count_onnx(saved(tmp_path, model(nodes, [2**30, 1])))
