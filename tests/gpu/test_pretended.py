"""What the pretended GPU refuses, as CUDA does, and what it counts."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from tests.pretended import OnDevice, counted


def test_tensors_of_two_devices_are_refused_but_bare_numbers_are_not(
    pretended: torch.device,
) -> None:
    x = torch.ones(3, device=pretended)
    with pytest.raises(RuntimeError, match="at least two devices, cuda:0 and cpu"):
        x + torch.ones(3)
    assert (x + torch.tensor(2.0)).tolist() == [3.0, 3.0, 3.0]


def test_a_generator_of_the_cpu_is_refused_and_one_of_the_device_draws(
    pretended: torch.device,
) -> None:
    for draw in (
        lambda source: torch.rand(3, device=pretended, generator=source),
        lambda source: torch.empty(3, device=pretended).bernoulli_(0.5, generator=source),
    ):
        with pytest.raises(
            RuntimeError, match="Expected a 'cuda' device type for generator but found 'cpu'"
        ):
            draw(torch.Generator())
        twice = [draw(torch.Generator(pretended).manual_seed(1)).tolist() for _ in range(2)]
        assert twice[0] == twice[1]


@pytest.mark.parametrize("read", [lambda x: x.numpy(), np.asarray])
def test_numpy_does_not_reach_it(pretended: torch.device, read: Callable[[Tensor], object]) -> None:
    with pytest.raises(
        TypeError, match=r"can't convert cuda:0 device type tensor to numpy. Use Tensor.cpu\(\)"
    ):
        read(torch.ones(3, device=pretended))


def test_indices_of_the_device_reach_no_tensor_of_the_cpu(pretended: torch.device) -> None:
    index = torch.tensor([1, 0], device=pretended)
    with pytest.raises(RuntimeError, match="indices should be either on cpu"):
        torch.arange(3)[index]
    assert torch.arange(3).to(pretended)[index].tolist() == [1, 0]
    assert torch.arange(3).to(pretended)[torch.tensor([2])].tolist() == [2]


def test_batch_norm_without_a_scale_hands_back_sums_of_no_elements(pretended: torch.device) -> None:
    x = torch.randn(2, 3, 4, 4).to(pretended)
    _, mean, r = torch.native_batch_norm(x, None, None, None, None, True, 0.0, 1e-5)
    for weight, elements in ((None, 0), (torch.ones(3, device=pretended), 3)):
        sums = torch.ops.aten.native_batch_norm_backward(
            x, x, weight, None, None, mean, r, True, 1e-5, [True, True, True]
        )
        assert [one.numel() for one in sums[1:]] == [elements, elements]


def test_values_and_derivatives_are_those_of_the_cpu(pretended: torch.device) -> None:
    torch.manual_seed(0)
    net = nn.Sequential(nn.Conv2d(3, 4, 3), nn.BatchNorm2d(4), nn.ReLU(inplace=True), nn.Flatten())
    x, found = torch.randn(2, 3, 6, 6), []
    for place in (torch.device("cpu"), pretended):
        net.zero_grad(set_to_none=True)
        net.to(place)
        F.mse_loss(net(x.to(place)), torch.ones(2, 64, device=place)).backward()
        found.append([weight.grad.cpu() for weight in net.parameters() if weight.grad is not None])
    assert isinstance(next(net.parameters()), OnDevice)
    for mine, wanted in zip(*found, strict=True):
        assert torch.equal(mine, wanted)


def test_autocast_lowers_convolutions_and_products_alone(pretended: torch.device) -> None:
    x = torch.randn(2, 3, 4, 4).to(pretended)
    conv, line = nn.Conv2d(3, 4, 1).to(pretended), nn.Linear(4, 2).to(pretended)
    with torch.autocast(pretended.type, dtype=torch.bfloat16):
        y = conv(x)
        assert y.dtype == line(y.mean((2, 3))).dtype == torch.bfloat16
        assert (x + x).dtype == torch.float32
    y.float().sum().backward()
    assert conv.weight.grad is not None and conv.weight.grad.dtype == torch.float32
    assert conv(x).dtype == torch.float32


def test_kernels_waits_and_copies_are_counted_once_each(pretended: torch.device) -> None:
    x = torch.ones(3, device=pretended)
    with counted() as counts:
        y = x.to(pretended) + torch.zeros(3).to(pretended)
        y.view(3, 1).detach()
        assert float(y.sum()) == 3.0 and y.cpu().tolist() == [1.0, 1.0, 1.0]
        assert y[y > 0].shape == (3,)
    assert counts.copies.total() == 1
    assert counts.synchronisations == {"_local_scalar_dense": 1, "_to_copy": 1, "index": 1}
    assert counts.kernels["view"] == counts.kernels["detach"] == 0
    assert counts.kernels["add"] == counts.kernels["sum"] == 1
