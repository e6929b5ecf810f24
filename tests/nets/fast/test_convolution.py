"""Quick convolutions equal torch's own: values, first and second derivatives, whatever the
geometry."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor

from hwnas.nets.fast.convolution import Depthwise, Pointwise, convolution

LAYOUTS = [torch.channels_last, torch.contiguous_format]


def maps(*shape: int, layout: torch.memory_format = torch.channels_last, seed: int = 0) -> Tensor:
    values = torch.randn(*shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)
    return values.contiguous(memory_format=layout)


def derivatives(y: Tensor, leaves: tuple[Tensor, ...]) -> list[Tensor]:
    """First derivatives of a scalar, and second ones along a fixed direction."""
    first = torch.autograd.grad(
        (y * maps(*y.shape, seed=1)).tanh().sum(), leaves, create_graph=True
    )
    along = sum((g * maps(*g.shape, seed=2)).sum() for g in first)
    assert isinstance(along, Tensor)
    return [*first, *torch.autograd.grad(along, leaves)]


@pytest.mark.parametrize("layout", LAYOUTS, ids=str)
@pytest.mark.parametrize("channels", [3, 16])
@pytest.mark.parametrize("size", [(7, 10), (1, 1)])
@pytest.mark.parametrize(
    ("kernel", "stride", "dilation"),
    [
        (3, 1, 1),
        (5, 1, 1),
        (7, 1, 1),
        (3, 1, 2),
        (5, 1, 2),
        (5, 1, 3),
        (3, 2, 1),
        (7, 2, 1),
        (3, 2, 2),
        (5, 2, 2),
    ],
)
def test_a_depthwise_convolution_equals_torchs(
    layout: torch.memory_format,
    channels: int,
    size: tuple[int, int],
    kernel: int,
    stride: int,
    dilation: int,
) -> None:
    padding = dilation * (kernel // 2)
    ours = Depthwise(channels, kernel, stride, dilation).double()
    x = maps(2, channels, *size, layout=layout).requires_grad_()
    theirs = torch.conv2d(x, ours.weight, None, stride, padding, dilation, channels)
    y = ours.train()(x)
    torch.testing.assert_close(y, theirs)
    torch.testing.assert_close(ours.eval()(x), theirs)
    leaves = (x, ours.weight)
    for a, b in zip(derivatives(y, leaves), derivatives(theirs, leaves), strict=True):
        torch.testing.assert_close(a, b, rtol=1e-6, atol=1e-8)


@pytest.mark.parametrize(("groups", "kernel"), [(1, 3), (2, 3), (4, 1)])
def test_any_grouped_convolution_equals_torchs(groups: int, kernel: int) -> None:
    x, weight = (
        maps(2, 4, 6, 5).requires_grad_(),
        maps(8, 4 // groups, kernel, kernel).requires_grad_(),
    )
    ours = convolution(x, weight, ([2, 1], [1, 0], [1, 1], groups))
    theirs = torch.conv2d(x, weight, None, (2, 1), (1, 0), 1, groups)
    torch.testing.assert_close(ours, theirs)
    for a, b in zip(derivatives(ours, (x, weight)), derivatives(theirs, (x, weight)), strict=True):
        torch.testing.assert_close(a, b)


def test_a_frozen_weight_gets_no_gradient_and_costs_none() -> None:
    x, weight = maps(2, 16, 6, 6).requires_grad_(), maps(16, 1, 5, 5)
    (along,) = torch.autograd.grad(convolution(x, weight, ([1, 1], [2, 2], [1, 1], 16)).sum(), x)
    theirs = torch.autograd.grad(torch.conv2d(x, weight, None, 1, 2, 1, 16).sum(), x)[0]
    torch.testing.assert_close(along, theirs)


def test_single_precision_kernels_agree_with_double() -> None:
    for kernel, dilation in ((3, 2), (5, 1), (5, 2), (7, 1)):
        geometry = [1, 1], [dilation * (kernel // 2)] * 2, [dilation] * 2, 32
        leaves = maps(4, 32, 11, 14), maps(32, 1, kernel, kernel)
        found = []
        for dtype in (torch.float32, torch.float64):
            own = tuple(leaf.to(dtype).requires_grad_() for leaf in leaves)
            y = convolution(*own, geometry)
            found.append(torch.autograd.grad((y * maps(*y.shape, seed=1).to(dtype)).sum(), own))
        for single, double in zip(*found, strict=True):
            torch.testing.assert_close(single.double(), double, rtol=1e-4, atol=1e-3)


@pytest.mark.parametrize("layout", LAYOUTS, ids=str)
def test_a_pointwise_convolution_equals_torchs(layout: torch.memory_format) -> None:
    ours = Pointwise(3, 5, 1, bias=False).double()
    x = maps(2, 3, 4, 5, layout=layout).requires_grad_()
    y, theirs = ours(x), torch.conv2d(x, ours.weight)
    torch.testing.assert_close(y, theirs)
    leaves = (x, ours.weight)
    for a, b in zip(derivatives(y, leaves), derivatives(theirs, leaves), strict=True):
        torch.testing.assert_close(a, b)
