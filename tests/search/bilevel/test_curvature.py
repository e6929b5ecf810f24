"""Second derivatives of a loss, and what must be left alone while taking them."""

import pytest
import torch
from torch import Tensor, nn

from hwnas.nets.fast.double_backward import cheap_double_backward
from hwnas.search.bilevel.curvature import (
    by_differences,
    exact,
    module_loss,
    norm,
    power_iteration,
    random_state_kept,
)
from tests.search.bilevel.problems import flat, network, split


def test_exact_products_equal_the_dense_second_derivatives() -> None:
    problem = network()
    inner = exact(problem.train_loss, problem.weights, problem.alpha)
    v = torch.randn(
        problem.hessian.shape[0], generator=torch.Generator().manual_seed(0), dtype=torch.float64
    )
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
    [(3, 1, 1, 1, 4), (5, 2, 4, 2, 4), (3, 2, 1, 1, 2), (1, 1, 0, 1, 1), (3, 2, 1, 1, 1)],
)
@pytest.mark.parametrize("bias", [False, True])
def test_convolutions_keep_their_derivatives(
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
    with cheap_double_backward():
        ours = derivatives()
    assert all(torch.allclose(a, b, atol=1e-12) for a, b in zip(plain, ours, strict=True))


@pytest.mark.parametrize("affine", [False, True])
@pytest.mark.parametrize("layout", [torch.contiguous_format, torch.channels_last])
def test_batch_norm_keeps_its_derivatives(affine: bool, layout: torch.memory_format) -> None:
    torch.manual_seed(0)
    norm = nn.BatchNorm2d(3, affine=affine, dtype=torch.float64)
    for parameter in norm.parameters():
        nn.init.normal_(parameter)
    x = torch.randn(4, 3, 5, 5, dtype=torch.float64).to(memory_format=layout).requires_grad_()
    inputs = (x, *norm.parameters())

    def derivatives() -> list[Tensor]:
        norm.reset_running_stats()
        y = norm(x)
        first = torch.autograd.grad((y + 0.3).tanh().square().sum(), inputs, create_graph=True)
        second = torch.autograd.grad(first, inputs, [torch.cos(7 * g.detach()) for g in first])
        return [y, *first, *second, *(b.double().clone() for b in norm.buffers())]

    plain = derivatives()
    with cheap_double_backward():
        ours = derivatives()
    assert all(torch.allclose(a, b, atol=1e-10) for a, b in zip(plain, ours, strict=True))


def test_the_gradient_of_batch_norm_s_weight_alone_can_be_differentiated() -> None:
    torch.manual_seed(0)
    x, weight = torch.randn(4, 3, 5, 5, dtype=torch.float64), torch.randn(3, dtype=torch.float64)
    x.requires_grad_()
    weight.requires_grad_()

    def second() -> tuple[Tensor, ...]:
        y = (
            nn.functional.batch_norm(x, None, None, weight, None, True, 0.0, 1e-5)
            .tanh()
            .square()
            .sum()
        )
        first = torch.autograd.grad(y, weight, create_graph=True)
        return torch.autograd.grad(first, (x, weight), torch.ones_like(weight))

    plain = second()
    with cheap_double_backward():
        ours = second()
    assert all(torch.allclose(a, b, atol=1e-10) for a, b in zip(plain, ours, strict=True))


def test_an_expanded_batch_norm_weight_is_read_as_it_is_in_any_layout() -> None:
    # torch's own CPU backward reads past the end of an expanded weight when x is channels_last.
    torch.manual_seed(0)
    x = torch.randn(4, 8, 6, 6).to(memory_format=torch.channels_last).requires_grad_()

    def gradient(scale: Tensor) -> Tensor:
        with cheap_double_backward():
            y = nn.functional.batch_norm(x, None, None, scale, None, True, 0.0, 1e-5)
        return torch.autograd.grad(y.tanh().square().sum(), x)[0]

    assert torch.equal(gradient(torch.tensor(0.3).expand(8)), gradient(torch.full((8,), 0.3)))


def test_convolutions_padded_by_name_are_left_to_torch() -> None:
    x = torch.randn(1, 2, 4, 4)
    same = nn.Conv2d(2, 2, 3, padding="same", groups=2)
    with cheap_double_backward():
        assert same(x).shape == x.shape


def test_a_module_loss_leaves_running_statistics_as_they_were() -> None:
    module = nn.BatchNorm1d(3)
    loss = module_loss(module, lambda m, a: m(a[0]).square().sum())
    before = {k: v.clone() for k, v in module.state_dict().items()}
    value = loss(tuple(2.0 * p.detach() for p in module.parameters()), (torch.randn(8, 3) + 5.0,))
    assert value == pytest.approx(
        4.0 * 24, rel=1e-3
    )  # unit variance, doubled: 4 for each of 24 entries
    assert all(torch.equal(before[k], v) for k, v in module.state_dict().items())


def test_random_state_is_put_back_even_after_an_error() -> None:
    before = torch.get_rng_state()
    with pytest.raises(RuntimeError, match="boom"), random_state_kept(()) as rewind:
        first = torch.rand(3)
        rewind()
        assert torch.equal(torch.rand(3), first)
        raise RuntimeError("boom")
    assert torch.equal(torch.get_rng_state(), before)
