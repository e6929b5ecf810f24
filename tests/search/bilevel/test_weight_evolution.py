"""The improved evolution strategy: it descends, it never ascends, and it is the paper's but for
one sign."""

import math

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor, nn
from torch.nn import functional as F

from hwnas.nets.supernet import build_supernet
from hwnas.search.bilevel.curvature import Loss, module_loss
from hwnas.search.bilevel.ndarts import mixture_loss
from hwnas.search.bilevel.weight_evolution import (
    Evolution,
    Tensors,
    WeightLoss,
    antithetic,
    batched,
    evolve,
    one_by_one,
    recombine,
    scale,
    search_gradient,
)
from hwnas.space import SPACES
from hwnas.space.family import family
from hwnas.training.data import Batch
from tests.space.swept import CELLS


def generator(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def network(seed: int = 0) -> tuple[WeightLoss, Tensors]:
    torch.manual_seed(seed)
    module = nn.Sequential(nn.Conv2d(1, 4, 3), nn.ReLU(), nn.Flatten(), nn.Linear(64, 3))
    x, y = torch.randn(16, 1, 6, 6), torch.randint(3, (16,))
    loss: Loss = module_loss(module, lambda m, _: F.cross_entropy(m(x), y))
    return lambda weights: loss(weights, ()), tuple(p.detach() for p in module.parameters())


@settings(max_examples=40, deadline=None)
@given(
    seed=st.integers(0, 10_000),
    sigma=st.floats(1e-4, 10.0),
    rate=st.floats(1e-4, 100.0),
    population=st.sampled_from([2, 4, 10]),
    batch=st.booleans(),
)
def test_the_loss_on_its_batch_never_rises(
    seed: int, sigma: float, rate: float, population: int, batch: bool
) -> None:
    loss, weights = network(seed % 7)
    evolved = evolve(
        loss,
        weights,
        generator(seed),
        Evolution(sigma=sigma, rate=rate, population=population),
        batched if batch else one_by_one,
    )
    assert evolved.loss <= evolved.parent_loss == float(loss(weights))
    assert evolved.loss == float(loss(evolved.weights))


def test_it_trains_a_small_network() -> None:
    loss, weights = network()
    rng = generator()
    start = float(loss(weights))
    for _ in range(60):
        weights = evolve(loss, weights, rng, Evolution(sigma=0.05, rate=1.0)).weights
    assert float(loss(weights)) < 0.8 * start


def test_the_step_descends_and_the_printed_plus_sign_ascends() -> None:
    loss, weights = network()
    descended = ascended = 0.0
    for seed in range(20):
        noises = antithetic(weights, 10, generator(seed))
        moved = [
            tuple(w + 0.01 * scale(w) * e for w, e in zip(weights, n, strict=True)) for n in noises
        ]
        direction = search_gradient(noises, one_by_one(loss, moved), 0.01)
        for sign in (-1.0, 1.0):
            at = tuple(
                w + sign * 0.05 * scale(w) * d for w, d in zip(weights, direction, strict=True)
            )
            change = float(loss(at)) - float(loss(weights))
            descended, ascended = (
                (descended + change, ascended) if sign < 0 else (descended, ascended + change)
            )
    assert descended < 0.0 < ascended


def test_the_search_gradient_is_the_gradient_on_average() -> None:
    # L = c.w on average over the noise: 1/(n sigma) sum L(w + sigma e) e -> c.
    c, w = torch.tensor([3.0, -2.0, 0.5]), (torch.zeros(3),)
    noises = antithetic(w, 20_000, generator())
    losses = torch.stack([(c * 0.1 * e[0]).sum() for e in noises])
    assert torch.allclose(search_gradient(noises, losses, 0.1)[0], c, atol=0.08)


def test_antithetic_noises_cancel_a_constant_loss() -> None:
    w = (torch.randn(4, 3), torch.randn(2))
    noises = antithetic(w, 6, generator())
    assert all(
        torch.equal(a, -b) for i in (0, 2, 4) for a, b in zip(noises[i], noises[i + 1], strict=True)
    )
    assert all(d.abs().max() < 1e-5 for d in search_gradient(noises, torch.full((6,), 7.0), 0.01))


def test_the_scale_is_the_spread_of_a_tensor_but_never_zero() -> None:
    assert scale(torch.tensor([-2.0, 2.0])) == 2.0
    assert scale(torch.ones(5)) == pytest.approx(1e-3)
    assert scale(torch.tensor([4.0])) == pytest.approx(1e-3)


def test_candidates_that_are_not_finite_never_win() -> None:
    def cliff(weights: Tensors) -> Tensor:
        return torch.where(weights[0].abs().max() > 0, torch.tensor(math.nan), torch.tensor(1.0))

    evolved = evolve(cliff, (torch.zeros(3),), generator())
    assert evolved.winner == "parent"
    assert torch.equal(evolved.weights[0], torch.zeros(3))


def test_a_parent_that_is_not_finite_gives_way_to_a_finite_candidate() -> None:
    def hole(weights: Tensors) -> Tensor:
        return torch.where(weights[0].abs().max() > 0, torch.tensor(1.0), torch.tensor(math.nan))

    assert evolve(hole, (torch.zeros(3),), generator()).loss == 1.0


def test_the_same_generator_gives_the_same_weights_and_the_arguments_stay() -> None:
    loss, weights = network()
    before = [w.clone() for w in weights]
    state = torch.get_rng_state()
    first, second = (evolve(loss, weights, generator(3)) for _ in range(2))
    assert all(torch.equal(a, b) for a, b in zip(first.weights, second.weights, strict=True))
    assert all(torch.equal(a, b) for a, b in zip(before, weights, strict=True))
    assert torch.equal(state, torch.get_rng_state())


def test_batched_evaluation_agrees_with_one_by_one() -> None:
    loss, weights = network()
    candidates = [tuple(w + i / 10 for w in weights) for i in range(5)]
    assert torch.allclose(batched(loss, candidates), one_by_one(loss, candidates), atol=1e-5)


def test_recombination_keeps_the_best_and_never_gets_worse() -> None:
    loss, weights = network()
    rng = generator()
    parents = [
        weights,
        *(tuple(w + 0.1 * torch.randn(w.shape, generator=rng) for w in weights) for _ in range(3)),
    ]
    best = math.inf
    for _ in range(10):
        parents, losses = recombine(loss, parents, rng, offspring=8, sigma=0.05)
        assert len(parents) == 4
        assert losses.tolist() == sorted(losses.tolist())
        assert losses[0] <= best
        best = float(losses[0])


def test_a_child_without_mutation_takes_every_weight_from_one_of_two_parents() -> None:
    zeros, ones = (torch.zeros(1000),), (torch.ones(1000),)

    def wants_half(weights: Tensors) -> Tensor:
        return (weights[0].mean() - 0.5).abs()

    (best, _), _ = recombine(wants_half, [zeros, ones], generator(), offspring=4, sigma=0.0)
    assert set(best[0].tolist()) == {0.0, 1.0}
    assert best[0].mean() == pytest.approx(0.5, abs=0.05)


@pytest.mark.parametrize(
    "bad", [{"population": 3}, {"population": 0}, {"sigma": 0.0}, {"rate": -1.0}]
)
def test_settings_that_make_no_step_are_refused(bad: dict[str, float]) -> None:
    with pytest.raises(ValueError, match="must be"):
        Evolution(**bad)  # type: ignore[arg-type]


@pytest.mark.parametrize("name", CELLS)
def test_candidates_of_a_supernet_are_scored_alike_together_and_one_by_one(name: str) -> None:
    space, rng = SPACES[name], torch.Generator().manual_seed(0)
    net = build_supernet(family(space, channels=2, cells=3, classes=5, image=(1, 9, 9)), seed=0)
    images = torch.randn(6, 1, 9, 9, generator=rng).to(memory_format=torch.channels_last)
    mixture = mixture_loss(net, space.mask, Batch(images, torch.arange(6) % 5))
    alpha = (torch.randn(space.mask.shape, generator=rng),)
    candidates = [
        tuple(p.detach() + 0.01 * torch.randn(p.shape, generator=rng) for p in net.parameters())
        for _ in range(3)
    ]
    together = batched(lambda weights: mixture(weights, alpha), candidates)
    alone = one_by_one(lambda weights: mixture(weights, alpha), candidates)
    torch.testing.assert_close(together, alone, rtol=1e-4, atol=1e-5)
