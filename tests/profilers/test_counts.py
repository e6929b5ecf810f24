"""The structural counter: rules against torch's own counter, and the module bit-identical
afterwards."""

from __future__ import annotations

import random
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import nn
from torch.utils.flop_counter import FlopCounterMode

from profilers.counts import count, count_params, no_macs


def torch_macs(module: nn.Module, *inputs: torch.Tensor) -> int:
    with FlopCounterMode(display=False) as counter, torch.no_grad():
        module(*inputs)
    return counter.get_total_flops() // 2


CONVOLUTIONS = [
    (nn.Conv1d(4, 6, 3, stride=2, groups=2), (2, 4, 17)),
    (nn.Conv2d(3, 8, 3, padding=1, bias=False), (2, 3, 9, 7)),
    (nn.Conv2d(8, 8, 5, groups=8, dilation=2, padding=4), (1, 8, 12, 12)),
    (nn.Conv3d(2, 4, (1, 3, 2), stride=(1, 2, 1)), (1, 2, 5, 6, 7)),
    (nn.ConvTranspose1d(4, 6, 4, stride=3), (2, 4, 9)),
    (nn.ConvTranspose2d(8, 4, 3, stride=2, groups=2, output_padding=1), (2, 8, 5, 5)),
    (nn.ConvTranspose3d(2, 2, 2), (1, 2, 3, 3, 3)),
    (nn.Linear(5, 7), (2, 3, 5)),
]


@pytest.mark.parametrize(("module", "shape"), CONVOLUTIONS, ids=lambda v: str(v)[:40])
def test_convolutions_and_linear_layers_count_as_torch_does(module, shape):
    assert count(module, shape).macs == torch_macs(module, torch.randn(shape)) > 0


def test_a_convolution_counts_one_mac_per_output_and_weight_that_meets_it():
    # 4 x 4 outputs of 5 channels, each from 3 channels x 3 x 3 weights.
    found = count(nn.Conv2d(3, 5, 3), (1, 3, 6, 6))
    assert found.macs == 4 * 4 * 5 * 3 * 3 * 3
    assert found.flops == 2 * found.macs
    assert found.params == 5 * 3 * 3 * 3 + 5


def test_attention_counts_as_torch_does_also_inside_an_encoder_layer():
    x = torch.randn(5, 2, 8)
    attention = nn.MultiheadAttention(8, 2)
    assert count(attention, (1,), inputs=(x, x, x)).macs == torch_macs(attention, x, x, x)
    layer = nn.TransformerEncoderLayer(8, 2, dim_feedforward=16, batch_first=True)
    assert count(layer, (1,), inputs=(x,)).macs == torch_macs(layer, x)


def test_recurrent_layers_use_every_weight_once_per_step():
    lstm = nn.LSTM(4, 6, num_layers=2, bidirectional=True)
    weights = sum(p.numel() for p in lstm.parameters() if p.dim() == 2)
    assert count(lstm, (7, 3, 4)).macs == 7 * 3 * weights
    cell = nn.GRUCell(3, 4)
    assert count(cell, (5, 3)).macs == 5 * (3 * 4 * 3 + 3 * 4 * 4)


def test_a_bilinear_layer_counts_its_two_products():
    layer = nn.Bilinear(3, 4, 5)
    assert count(layer, (1,), inputs=(torch.randn(2, 3), torch.randn(2, 4))).macs == 2 * 5 * 3 * (
        4 + 1
    )


def test_normalisation_activation_and_pooling_count_nothing():
    module = nn.Sequential(
        nn.BatchNorm2d(3), nn.ReLU(), nn.MaxPool2d(2), nn.Dropout(), nn.Flatten()
    )
    found = count(module, (1, 3, 4, 4))
    assert (found.macs, found.uncounted) == (0, ())
    assert found.params == 6


def test_a_shared_parameter_counts_once_and_its_work_twice():
    shared = nn.Linear(4, 4, bias=False)
    found = count(nn.Sequential(shared, nn.ReLU(), shared), (1, 4))
    assert (found.params, found.macs) == (16, 32)
    assert [(part.name, part.calls, part.macs) for part in found.by_module if part.macs] == [
        ("0", 2, 32)
    ]


class Scale(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.ones(4, 4))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return x @ self.weight


def test_what_has_no_rule_is_named_and_can_be_given_one():
    module = nn.Sequential(nn.Linear(4, 4), Scale())
    assert count(module, (1, 4)).uncounted == ("1 (Scale)",)
    ruled = count(module, (1, 4), rules={Scale: lambda part, inputs, output: part.weight.numel()})
    assert (ruled.uncounted, ruled.macs) == ((), 16 + 4 * 4 + 4 * 0)
    assert count(module, (1, 4), rules={Scale: no_macs}).uncounted == ()


def test_a_subclass_counts_as_what_it_derives_from():
    class Padded(nn.Conv2d):
        pass

    assert count(Padded(2, 2, 1), (1, 2, 3, 3)).macs == 2 * 2 * 9


class Awkward(nn.Module):
    """Everything a careless counter would disturb: buffers in eval, dropout, three random
    generators, modes."""

    def __init__(self) -> None:
        super().__init__()
        self.body = nn.Sequential(nn.Conv2d(3, 4, 3), nn.BatchNorm2d(4), nn.Dropout(0.5))
        self.frozen = nn.BatchNorm2d(4).eval()
        self.register_buffer("calls", torch.zeros(()))
        self.body[0].register_forward_hook(lambda *args: None)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        self.calls += 1
        noise = torch.rand(()) + random.random() + float(np.random.rand())
        return self.frozen(self.body(nn.functional.dropout(x, 0.5, training=True))) * noise


def snapshot(module: nn.Module) -> dict[str, object]:
    return {
        "state": {name: tensor.clone() for name, tensor in module.state_dict().items()},
        "modes": [part.training for part in module.modules()],
        "hooks": [
            list(part._forward_hooks) + list(part._forward_pre_hooks) for part in module.modules()
        ],
        "grads": [None if p.grad is None else p.grad.clone() for p in module.parameters()],
        "requires": [p.requires_grad for p in module.parameters()],
        "random": (torch.get_rng_state(), random.getstate(), np.random.get_state()[1].tolist()),
    }


def assert_identical(before: dict[str, object], after: dict[str, object]) -> None:
    assert before.keys() == after.keys()
    assert list(before["state"]) == list(after["state"])
    for name, tensor in before["state"].items():
        assert torch.equal(tensor, after["state"][name]), name
    for key in ("modes", "hooks", "requires"):
        assert before[key] == after[key]
    for a, b in zip(before["grads"], after["grads"], strict=True):
        assert (a is None and b is None) or torch.equal(a, b)
    assert torch.equal(before["random"][0], after["random"][0])
    assert before["random"][1:] == after["random"][1:]


@pytest.fixture
def awkward() -> Awkward:
    module = Awkward()
    module(torch.randn(2, 3, 6, 6)).sum().backward()
    return module


def profilers(tmp: Path):
    from profilers.onnx_export import export_onnx
    from profilers.thop import count_with_thop
    from profilers.timing import Protocol
    from profilers.torch_counter import count_with_torch
    from profilers.torch_latency import TorchOptions, measure_torch

    quick = TorchOptions(store=None, protocol=Protocol(budget_s=0.05, min_s=0.01, warmup_s=0.0))
    shape = (2, 3, 6, 6)
    return {
        "counts": lambda module: count(module, shape),
        "torch counter": lambda module: count_with_torch(module, shape),
        "thop": lambda module: count_with_thop(module, shape),
        "torch latency": lambda module: measure_torch([module], shape, quick),
        "onnx export": lambda module: export_onnx(
            nn.Sequential(module.body, module.frozen), shape, tmp / "x.onnx"
        ),
    }


@pytest.mark.parametrize(
    "name", ["counts", "torch counter", "thop", "torch latency", "onnx export"]
)
def test_a_profiler_leaves_the_module_and_the_process_bit_identical(awkward, name, tmp_path):
    before = snapshot(awkward)
    profilers(tmp_path)[name](awkward)
    assert_identical(before, snapshot(awkward))


def test_a_forward_that_raises_leaves_the_module_bit_identical_too(awkward):
    before = snapshot(awkward)
    with pytest.raises(RuntimeError):
        count(awkward, (2, 5, 6, 6))
    assert_identical(before, snapshot(awkward))


def test_params_are_counted_without_running_anything():
    assert count_params(nn.Linear(3, 2)) == 8
