from __future__ import annotations

import numpy as np
import onnx
import torch
from onnx import TensorProto, helper, numpy_helper
from torch import nn

from profilers.counts import count
from profilers.onnx_counts import count_onnx
from profilers.onnx_export import export_onnx

from .onnx_files import model, saved


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
        tmp_path, model([helper.make_node("Conv", ["x", "w"], ["y"])], ["n", 3, 8, 8], weights=[weight])
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
    assert count_onnx(saved(tmp_path, model(nodes, [2, 5], weights=[a, b]))).macs == 2 * 7 * 5 + 2 * 6 * 7


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
