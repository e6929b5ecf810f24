"""Second derivatives of a loss, and what must be left alone while taking them."""

import pytest
import torch
from torch import Tensor, nn

from hwnas.search.convolution import grouped_double_backward
from hwnas.search.curvature import (
    by_differences,
    exact,
    module_loss,
    norm,
    power_iteration,
    random_state_kept,
)

from .bilevel import flat, network, split


def test_exact_products_equal_the_dense_second_derivatives() -> None:
    problem = network()
    inner = exact(problem.train_loss, problem.weights, problem.alpha)
    v = torch.randn(problem.hessian.shape[0], generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    vectors = split(v, problem.weights)
    assert torch.allclose(flat(inner.hessian(vectors)), problem.hessian @ v)
    assert torch.allclose(flat(inner.mixed(vectors)), problem.mixed @ v)


def test_products_by_differences_equal_them_up_to_the_step() -> None:
    problem = network()
    inner = by_differences(problem.train_loss, problem.weights, problem.alpha, lambda: None)
    v = torch.ones(problem.hessian.shape[0], dtype=torch.float64)
    vectors = split(v, problem.weights)
    assert torch.allclose(flat(inner.hessian(vectors)), problem.hessian @ v, atol=1e-4)
    assert torch.allclose(flat(inner.mixed(vectors)), problem.mixed @ v, atol=1e-4)
    assert norm(inner.hessian(split(0 * v, problem.weights))) == 0.0


def test_a_loss_without_second_derivatives_gives_zero_products() -> None:
    weights, alpha = (torch.ones(3),), (torch.ones(2),)
    inner = exact(lambda w, a: w[0].sum() + a[0].sum(), weights, alpha)
    assert torch.equal(inner.hessian(weights)[0], torch.zeros(3))
    assert torch.equal(inner.mixed(weights)[0], torch.zeros(2))


def test_power_iteration_finds_a_dominant_negative_eigenvalue_too() -> None:
    h = torch.diag(torch.tensor([-5.0, 1.0, 2.0]))
    assert power_iteration(lambda v: (h @ v[0],), (torch.ones(3),)) == pytest.approx(5.0)
    assert power_iteration(lambda v: (h @ v[0],), (torch.zeros(3),)) == 0.0
    assert power_iteration(lambda v: (0 * v[0],), (torch.ones(3),)) == 0.0


@pytest.mark.parametrize(
    ("kernel", "stride", "padding", "dilation", "groups"),
    [(3, 1, 1, 1, 4), (5, 2, 4, 2, 4), (3, 2, 1, 1, 2), (1, 1, 0, 1, 4)],
)
@pytest.mark.parametrize("bias", [False, True])
def test_grouped_convolutions_keep_their_derivatives(
    kernel: int, stride: int, padding: int, dilation: int, groups: int, bias: bool
) -> None:
    torch.manual_seed(0)
    conv = nn.Conv2d(4, 4, kernel, stride, padding, dilation, groups, bias, dtype=torch.float64)
    x = torch.randn(2, 4, 8, 8, dtype=torch.float64, requires_grad=True)
    inputs = (x, *conv.parameters())

    def derivatives() -> list[Tensor]:
        y = conv(x)
        first = torch.autograd.grad(y.tanh().sum(), inputs, create_graph=True)
        second = torch.autograd.grad(first, inputs, [torch.cos(7 * g.detach()) for g in first])
        return [y, *first, *second]

    plain = derivatives()
    with grouped_double_backward():
        ours = derivatives()
    assert all(torch.allclose(a, b, atol=1e-12) for a, b in zip(plain, ours, strict=True))


def test_convolutions_that_are_not_grouped_or_padded_by_name_are_left_to_torch() -> None:
    x = torch.randn(1, 2, 4, 4)
    dense, same = nn.Conv2d(2, 2, 3), nn.Conv2d(2, 2, 3, padding="same", groups=2)
    with grouped_double_backward():
        assert "Convolution" in type(dense(x).grad_fn).__name__
        assert same(x).shape == x.shape


def test_a_module_loss_leaves_running_statistics_as_they_were() -> None:
    module = nn.BatchNorm1d(3)
    loss = module_loss(module, lambda m, a: m(a[0]).square().sum())
    before = {k: v.clone() for k, v in module.state_dict().items()}
    value = loss(tuple(2.0 * p.detach() for p in module.parameters()), (torch.randn(8, 3) + 5.0,))
    assert value == pytest.approx(4.0 * 24, rel=1e-3)  # unit variance, doubled: 4 for each of 24 entries
    assert all(torch.equal(before[k], v) for k, v in module.state_dict().items())


def test_random_state_is_put_back_even_after_an_error() -> None:
    before = torch.get_rng_state()
    with pytest.raises(RuntimeError, match="boom"), random_state_kept(()) as rewind:
        first = torch.rand(3)
        rewind()
        assert torch.equal(torch.rand(3), first)
        raise RuntimeError("boom")
    assert torch.equal(torch.get_rng_state(), before)
