"""The laws of a hypergradient, on problems that can be solved exactly."""

import math
import warnings
from functools import partial

import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from hwnas.search.bilevel.curvature import Loss, Tensors, module_loss
from hwnas.search.bilevel.hypergradient import (
    DivergenceWarning,
    Hypergradient,
    Method,
    first_order,
    neumann,
    unrolled,
)
from tests.search.bilevel.problems import (
    Problem,
    central_differences,
    flat,
    network,
    quadratic,
    solve,
    split,
)

METHODS: dict[str, Method] = {
    "first order": first_order,
    "unrolled by differences": unrolled,
    "unrolled exactly": partial(unrolled, products="exact"),
    "neumann": neumann,
    "neumann by differences": partial(neumann, products="difference"),
    "neumann by power iteration": partial(neumann, gamma="power"),
}


@pytest.fixture(scope="module", params=["quadratic 0", "quadratic 1", "network"])
def problem(request: pytest.FixtureRequest) -> Problem:
    name, _, seed = str(request.param).partition(" ")
    return quadratic(int(seed)) if name == "quadratic" else network()


def solved(problem: Problem, terms: int, gamma: float) -> Tensor:
    return flat(
        neumann(
            problem.train_loss,
            problem.valid_loss,
            problem.weights,
            problem.alpha,
            terms=terms,
            gamma=gamma,
        ).alpha
    )


def test_the_problems_are_strongly_convex_and_solved(problem: Problem) -> None:
    leaves = tuple(w.clone().requires_grad_() for w in problem.weights)
    slope = flat(torch.autograd.grad(problem.train_loss(leaves, problem.alpha), leaves))
    assert slope.norm() < 1e-9
    assert problem.curvatures[0] > 0.01
    assert (
        problem.exact().norm() > 0.01
    )  # neither collapsed to zero weights, where every law holds of nothing


@pytest.fixture(scope="module")
def converged(problem: Problem) -> Tensor:
    """The hypergradient with so many terms that the rest of the series is below 1e-10 of the
    first."""
    mu, largest = problem.curvatures
    return solved(problem, math.ceil(math.log(1e-10) / math.log(1 - mu / largest)), 1 / largest)


def test_many_terms_give_the_exact_implicit_gradient(problem: Problem, converged: Tensor) -> None:
    assert torch.allclose(converged, problem.exact(), rtol=1e-8, atol=1e-9)


def test_the_error_stays_under_its_bound_for_every_number_of_terms(problem: Problem) -> None:
    mu, largest = problem.curvatures
    gamma = 1 / largest
    v, _ = problem.gradients()
    constant = torch.linalg.matrix_norm(problem.mixed, 2) * v.norm()
    exact = problem.exact()
    for terms in range(51):
        error = (solved(problem, terms, gamma) - exact).norm()
        assert error <= constant / mu * (1 - gamma * mu) ** (terms + 1) + 1e-10


def test_the_implicit_gradient_is_what_solving_again_for_a_moved_alpha_gives(
    problem: Problem, converged: Tensor
) -> None:
    def outer(alpha: Tensor) -> float:
        moved = split(alpha, problem.alpha)
        weights = solve(problem.train_loss, problem.weights, moved)
        return float(problem.valid_loss(weights, moved))

    differences = central_differences(outer, flat(problem.alpha), 1e-4)
    assert torch.allclose(converged, differences, atol=1e-6, rtol=1e-6)


def test_no_product_and_gamma_lr_is_darts_second_order_where_the_step_is_zero(
    problem: Problem,
) -> None:
    # At the minimum d_w L1 = 0, so the moved weights are the weights: both take d_w L2 at one
    # place.
    at = problem.train_loss, problem.valid_loss, problem.weights, problem.alpha
    darts = flat(unrolled(*at, 0.1, products="exact").alpha)
    assert torch.allclose(flat(neumann(*at, 0.1, terms=0).alpha), darts, atol=1e-10)


def test_no_product_is_darts_second_order_with_the_validation_loss_taken_after_the_step() -> None:
    problem, lr = quadratic(3), 0.05
    away = tuple(w + 0.3 for w in problem.weights)
    leaves = tuple(w.clone().requires_grad_() for w in away)
    slope = torch.autograd.grad(problem.train_loss(leaves, problem.alpha), leaves)

    def moved(weights: Tensors, alpha: Tensors) -> Tensor:
        return problem.valid_loss(
            tuple(w - lr * g for w, g in zip(weights, slope, strict=True)), alpha
        )

    darts = unrolled(
        problem.train_loss, problem.valid_loss, away, problem.alpha, lr, products="exact"
    )
    ours = neumann(problem.train_loss, moved, away, problem.alpha, lr, terms=0)
    assert torch.allclose(flat(ours.alpha), flat(darts.alpha), atol=1e-10)
    assert ours.valid_loss == pytest.approx(darts.valid_loss)


def test_unrolled_is_the_derivative_of_the_loss_after_one_step() -> None:
    problem, lr = network(), 0.5
    away = tuple(w + 0.1 for w in problem.weights)

    def outer(alpha: Tensor) -> float:
        at = split(alpha, problem.alpha)
        leaves = tuple(w.clone().requires_grad_() for w in away)
        slope = torch.autograd.grad(problem.train_loss(leaves, at), leaves)
        return float(
            problem.valid_loss(tuple(w - lr * g for w, g in zip(away, slope, strict=True)), at)
        )

    expected = central_differences(outer, flat(problem.alpha), 1e-4)
    at = problem.train_loss, problem.valid_loss, away, problem.alpha, lr
    assert torch.allclose(flat(unrolled(*at, products="exact").alpha), expected, atol=1e-7)
    assert torch.allclose(flat(unrolled(*at, products="difference").alpha), expected, atol=1e-4)


def test_first_order_ignores_that_the_weights_depend_on_alpha(problem: Problem) -> None:
    found = first_order(problem.train_loss, problem.valid_loss, problem.weights, problem.alpha)
    _, direct = problem.gradients()
    assert torch.equal(flat(found.alpha), direct)
    assert found.indirect_norm == 0.0
    assert found.direct_norm == pytest.approx(float(direct.norm()))


def test_products_by_differences_come_close_to_the_exact_ones(problem: Problem) -> None:
    at = problem.train_loss, problem.valid_loss, problem.weights, problem.alpha, 0.1
    exact, near = neumann(*at), neumann(*at, products="difference")
    assert torch.allclose(flat(near.alpha), flat(exact.alpha), rtol=1e-3, atol=1e-4)


def test_power_iteration_finds_the_largest_curvature(problem: Problem) -> None:
    found = neumann(
        problem.train_loss, problem.valid_loss, problem.weights, problem.alpha, gamma="power"
    )
    assert found.curvature == pytest.approx(problem.curvatures[1], rel=0.05)
    assert found.gamma == pytest.approx(1 / problem.curvatures[1], rel=0.05)
    assert not found.diverged


def test_divergence_past_two_over_the_largest_curvature_is_detected(problem: Problem) -> None:
    at = problem.train_loss, problem.valid_loss, problem.weights, problem.alpha
    limit = 2 / problem.curvatures[1]
    with pytest.warns(DivergenceWarning, match="cannot converge"):
        beyond = neumann(*at, terms=60, gamma=1.1 * limit)
    assert beyond.diverged
    assert beyond.term_norms[-1] > min(beyond.term_norms)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        within = neumann(*at, terms=60, gamma=0.9 * limit)
    assert not within.diverged
    assert list(within.term_norms) == sorted(within.term_norms, reverse=True)


def test_a_series_that_overflows_ends_in_finite_numbers() -> None:
    problem = quadratic(0)
    with pytest.warns(DivergenceWarning):
        found = neumann(
            problem.train_loss,
            problem.valid_loss,
            problem.weights,
            problem.alpha,
            terms=50,
            gamma=1e12,
        )
    assert flat(found.alpha).isfinite().all()
    assert found.diverged
    assert len(found.term_norms) < 51


def test_negative_curvature_is_told_apart_from_a_large_gamma() -> None:
    def saddle(weights: Tensors, alpha: Tensors) -> Tensor:
        return -weights[0].square().sum() + (weights[0] * alpha[0]).sum()

    def valid(weights: Tensors, alpha: Tensors) -> Tensor:
        return weights[0].sum()

    with pytest.warns(DivergenceWarning, match="not positive definite"):
        found = neumann(saddle, valid, (torch.ones(3),), (torch.ones(3),), gamma=0.1)
    assert found.term_norms == pytest.approx([3**0.5 * 1.2**j for j in range(3)])


@pytest.mark.parametrize("bad", [0.0, -1.0, math.nan, math.inf])
def test_a_step_that_is_not_positive_is_refused(bad: float) -> None:
    p = quadratic(0)
    at = p.train_loss, p.valid_loss, p.weights, p.alpha
    for call in (
        partial(neumann, *at, gamma=bad),
        partial(neumann, *at, bad),
        partial(unrolled, *at, bad),
    ):
        with pytest.raises(ValueError, match="positive"):
            call()
    with pytest.raises(ValueError, match="at least 0"):
        neumann(*at, 0.1, terms=-1)


class Noisy(nn.Module):
    """A supernet in small: BatchNorm with running statistics, dropout, a grouped convolution, a
    mixture."""

    def __init__(self) -> None:
        super().__init__()
        self.stem = nn.Conv2d(3, 4, 3, bias=False)
        self.norm = nn.BatchNorm2d(4)
        self.grouped = nn.Conv2d(4, 4, 3, padding=1, groups=4)
        self.drop = nn.Dropout(0.3)
        self.head = nn.Linear(4, 5)

    def forward(self, x: Tensor, shares: Tensor) -> Tensor:
        x = torch.relu(self.norm(self.stem(x)))
        x = shares[0] * self.grouped(x) + shares[1] * x
        out: Tensor = self.head(self.drop(x).mean((2, 3)))
        return out


def noisy(seed: int) -> tuple[Noisy, Tensor, Loss, Loss]:
    torch.manual_seed(seed)
    module, alpha = Noisy(), torch.randn(2)
    x, y = torch.randn(8, 3, 6, 6), torch.randint(5, (8,))

    def loss(half: slice) -> Loss:
        def compute(m: nn.Module, a: Tensors) -> Tensor:
            return F.cross_entropy(m(x[half], a[0].softmax(0)), y[half])

        return module_loss(module, compute)

    return module, alpha, loss(slice(4)), loss(slice(4, 8))


@pytest.mark.parametrize("name", METHODS)
@pytest.mark.filterwarnings("ignore::hwnas.search.bilevel.hypergradient.DivergenceWarning")
def test_nothing_is_changed_by_a_hypergradient(name: str) -> None:
    module, alpha, train, valid = noisy(0)
    optimiser = torch.optim.SGD(module.parameters(), 0.1, momentum=0.9)
    for parameter in module.parameters():
        parameter.grad = torch.randn_like(parameter)
    optimiser.step()
    alpha.requires_grad_().grad = torch.ones(2)
    modes = [m.training for m in module.modules()]

    def everything() -> list[Tensor]:
        tensors = [*module.state_dict().values(), alpha, alpha.grad, torch.get_rng_state()]
        tensors += [p.grad for p in module.parameters()]
        tensors += [optimiser.state[p]["momentum_buffer"] for p in module.parameters()]
        return [t.detach().clone() for t in tensors if t is not None]

    before = everything()
    found: Hypergradient = METHODS[name](train, valid, tuple(module.parameters()), (alpha,), 0.1)
    assert all(torch.equal(a, b) for a, b in zip(before, everything(), strict=True))
    assert [m.training for m in module.modules()] == modes
    assert found.alpha[0].shape == (2,)
    assert not found.alpha[0].requires_grad
    assert found.alpha[0].isfinite().all()


@pytest.mark.parametrize("name", METHODS)
@pytest.mark.filterwarnings("ignore::hwnas.search.bilevel.hypergradient.DivergenceWarning")
def test_the_same_random_state_gives_the_same_hypergradient(name: str) -> None:
    module, alpha, train, valid = noisy(1)
    both = [
        METHODS[name](train, valid, tuple(module.parameters()), (alpha,), 0.1) for _ in range(2)
    ]
    assert torch.equal(both[0].alpha[0], both[1].alpha[0])
