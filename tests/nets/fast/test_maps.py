"""Maps taken apart and put together: the same values and derivatives as torch's own, gradients
that are dense."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor

from hwnas.nets.fast.maps import MeanPool, even_and_odd_pixels, even_pixels, joined


def maps(*shape: int, layout: torch.memory_format = torch.channels_last, seed: int = 0) -> Tensor:
    values = torch.randn(*shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)
    return values.contiguous(memory_format=layout)


@pytest.mark.parametrize("size", [(4, 6), (5, 6), (5, 7), (1, 1)])
def test_every_second_pixel_and_its_transpose(size: tuple[int, int]) -> None:
    x = maps(2, 3, *size).requires_grad_()
    height, width = size
    padded = torch.nn.functional.pad(x, (0, width % 2, 0, height % 2))
    even, odd = even_and_odd_pixels(x)
    torch.testing.assert_close(even, x[:, :, ::2, ::2])
    torch.testing.assert_close(odd, padded[:, :, 1::2, 1::2])
    torch.testing.assert_close(even_pixels(x), x[:, :, ::2, ::2])
    assert torch.autograd.gradcheck(even_and_odd_pixels, x)
    assert torch.autograd.gradgradcheck(even_and_odd_pixels, x)


@pytest.mark.parametrize("layout", [torch.channels_last, torch.contiguous_format], ids=str)
def test_joining_gives_dense_gradients_to_the_parts(layout: torch.memory_format) -> None:
    parts = [maps(2, 3, 4, 5, layout=layout, seed=seed).requires_grad_() for seed in range(3)]
    whole = joined(parts)
    torch.testing.assert_close(whole, torch.cat(parts, 1))
    grad = maps(2, 9, 4, 5, layout=layout, seed=9)
    found = torch.autograd.grad(whole, parts, grad)
    for part, want in zip(found, grad.chunk(3, 1), strict=True):
        torch.testing.assert_close(part, want)
        assert part.is_contiguous(memory_format=layout)
    assert torch.autograd.gradgradcheck(lambda *some: joined(list(some)) ** 2, parts)


@pytest.mark.parametrize("layout", [torch.channels_last, torch.contiguous_format], ids=str)
@pytest.mark.parametrize("stride", [1, 2])
@pytest.mark.parametrize("size", [(8, 8), (5, 9), (1, 1)])
def test_the_mean_pool_equals_torchs(
    layout: torch.memory_format, stride: int, size: tuple[int, int]
) -> None:
    x = maps(2, 3, *size, layout=layout).requires_grad_()
    theirs = torch.nn.functional.avg_pool2d(x, 3, stride, 1, count_include_pad=False)
    pool = MeanPool(3, stride)
    for _ in range(2):
        ours = pool(x)
        torch.testing.assert_close(ours, theirs)
    grad = maps(*ours.shape, seed=3)
    torch.testing.assert_close(
        torch.autograd.grad(ours, x, grad)[0], torch.autograd.grad(theirs, x, grad)[0]
    )


def test_the_mean_pool_follows_the_map_it_is_given() -> None:
    pool = MeanPool(3, 1)
    for shape in ((1, 3, 4, 4), (1, 3, 5, 4), (1, 2, 5, 4)):
        for dtype in (torch.float64, torch.float32):
            x = maps(*shape).to(dtype)
            torch.testing.assert_close(
                pool(x), torch.nn.functional.avg_pool2d(x, 3, 1, 1, count_include_pad=False)
            )
    assert not list(pool.buffers())
    assert not pool.state_dict()
