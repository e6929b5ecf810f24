"""NDARTS' weight training without gradients (Han et al., Algorithms 2023, 16(12), 536, section
2.3).

One step on one batch: n noises e_i ~ N(0, 1) give w_i = w + sigma s e_i with losses L_i, and the
search gradient of Salimans et al. (arXiv 1703.03864) gives w_0 = w - rate s / (n sigma) * sum_i L_i
e_i. The next w is the best of {w, w_0, w_1 .. w_n} on that same batch, so its loss there never
rises. s = max(std of the tensor, 1e-3) is the scale of each tensor. The paper prints a plus before
the sum, which ascends: docs/decisions/011-evolution-descends.md.

A loss is a pure function of the weights (`curvature.module_loss` makes one). Nothing is written in
place, and randomness comes from the generator that is passed in.
"""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Literal

import torch
from torch import Tensor

Tensors = tuple[Tensor, ...]
WeightLoss = Callable[[Tensors], Tensor]
Winner = Literal["parent", "step", "noise"]
Evaluate = Callable[[WeightLoss, Sequence[Tensors]], Tensor]

SMALLEST_SCALE = 1e-3  # a tensor of equal entries, such as a fresh BatchNorm's, still has to move


@dataclass(frozen=True, kw_only=True)
class Evolution:
    """Constants of a step. sigma, rate: in units of each tensor's scale. population: n, even:
    the noises come in pairs +e, -e, which cancels the part of the gradient's variance that the
    mean loss causes."""

    sigma: float = 0.01
    rate: float = 1e-2
    population: int = 10

    def __post_init__(self) -> None:
        if self.population < 2 or self.population % 2:
            raise ValueError(
                f"population must be an even number of antithetic noises, not {self.population}"
            )
        if not (self.sigma > 0.0 and self.rate > 0.0):
            raise ValueError(f"sigma and rate must be positive, not {self.sigma} and {self.rate}")


@dataclass(frozen=True, kw_only=True)
class Evolved:
    """weights: the next ones. parent_loss, loss: of the old and the new weights on the batch,
    loss <= parent_loss. winner: which candidate the next weights are. losses: (n,) of the noisy
    candidates, nan where not finite."""

    weights: Tensors
    parent_loss: float
    loss: float
    winner: Winner
    losses: Tensor


def evolve(
    loss: WeightLoss,
    weights: Sequence[Tensor],
    generator: torch.Generator,
    evolution: Evolution = Evolution(),
    evaluate: Evaluate | None = None,
) -> Evolved:
    """The next weights from one batch.

    `evaluate`: how the n candidates are scored, `one_by_one` (default) or `batched`.

    generator: on the weights' device. A candidate whose loss is not finite never wins.
    """
    with torch.no_grad():
        parent = tuple(w.detach() for w in weights)
        noises = antithetic(parent, evolution.population, generator)
        scales = [scale(w) for w in parent]
        candidates = [_moved(parent, scales, evolution.sigma, noise) for noise in noises]
        losses = (evaluate or one_by_one)(loss, candidates)
        step = _moved(
            parent, scales, -evolution.rate, search_gradient(noises, losses, evolution.sigma)
        )
        best = candidates[int(_finite(losses).argmin())]
        # Scored again one at a time: a batched sum rounds differently, and like must be compared
        # with like.
        parent_loss, step_loss, best_loss = one_by_one(loss, (parent, step, best)).tolist()
    ranked: tuple[tuple[float, Winner, Tensors], ...] = (
        (parent_loss, "parent", parent),
        (step_loss, "step", step),
        (best_loss, "noise", best),
    )
    value, winner, chosen = min(ranked, key=lambda r: r[0] if math.isfinite(r[0]) else math.inf)
    return Evolved(
        weights=chosen, parent_loss=parent_loss, loss=value, winner=winner, losses=losses
    )


def search_gradient(noises: Sequence[Tensors], losses: Tensor, sigma: float) -> Tensors:
    """1 / (n sigma) * sum_i L_i e_i, an estimate of dL/dw in units of the scale; pairs with a
    loss that is not finite count nothing."""
    pairs = losses.view(-1, 2)
    shares = torch.where(pairs.isfinite().all(1, keepdim=True), pairs, 0.0).flatten() / (
        len(noises) * sigma
    )
    return tuple(
        sum(
            (share * e for share, e in zip(shares, column, strict=True)),
            torch.zeros_like(column[0]),
        )
        for column in zip(*noises, strict=True)
    )


def antithetic(like: Tensors, population: int, generator: torch.Generator) -> list[Tensors]:
    """`population` noises from N(0, 1), shaped like the weights: e_1, -e_1, e_2, -e_2 ..."""
    noises = []
    for _ in range(population // 2):
        noise = tuple(
            torch.randn(w.shape, generator=generator, dtype=w.dtype, device=w.device) for w in like
        )
        noises += [noise, tuple(-e for e in noise)]
    return noises


def scale(weight: Tensor) -> Tensor:
    """s = max(population standard deviation of the entries, 1e-3), a scalar tensor."""
    return weight.std(correction=0).clamp(min=SMALLEST_SCALE)


def one_by_one(loss: WeightLoss, candidates: Sequence[Tensors]) -> Tensor:
    """(n,) losses by n calls."""
    with torch.no_grad():
        return torch.stack([loss(candidate).detach() for candidate in candidates])


def batched(loss: WeightLoss, candidates: Sequence[Tensors]) -> Tensor:
    """(n,) losses by one call under torch.func.vmap.

    Faster for networks of small layers and slower where convolutions dominate
    (docs/evidence/ndarts.md). Random layers draw anew for each candidate; a layer that vmap cannot
    batch, such as BatchNorm that updates running statistics, raises torch's RuntimeError.
    """
    stacked = tuple(torch.stack(column) for column in zip(*candidates, strict=True))
    with torch.no_grad():
        losses: Tensor = torch.func.vmap(loss, randomness="different")(stacked)
        return losses


def recombine(
    loss: WeightLoss,
    parents: Sequence[Sequence[Tensor]],
    generator: torch.Generator,
    offspring: int,
    sigma: float = 0.01,
) -> tuple[list[Tensors], Tensor]:
    """One generation of the paper's (mu + lambda) strategy: the mu best of mu parents and
    `offspring` children.

    Each child has two different parents drawn without bias; every weight comes from either with
    probability 1/2, and is then mutated by sigma * s * N(0, 1). Returns the survivors, best first,
    and their losses (mu,). With one parent the children are mutants of it.
    """
    alive: list[Tensors] = [tuple(w.detach() for w in parent) for parent in parents]
    with torch.no_grad():
        children = [_child(alive, generator, sigma) for _ in range(offspring)]
        everyone = alive + children
        losses = one_by_one(loss, everyone)
    order = _finite(losses).argsort(stable=True)[: len(alive)]
    return [everyone[i] for i in order.tolist()], losses[order]


def _child(parents: list[Tensors], generator: torch.Generator, sigma: float) -> Tensors:
    device = parents[0][0].device
    first, second = (torch.randperm(len(parents), generator=generator, device=device).tolist() * 2)[
        :2
    ]
    mixed = []
    for a, b in zip(parents[first], parents[second], strict=True):
        from_a = torch.rand(a.shape, generator=generator, device=device) < 0.5
        w = torch.where(from_a, a, b)
        noise = torch.randn(w.shape, generator=generator, dtype=w.dtype, device=device)
        mixed.append(w + sigma * scale(w) * noise)
    return tuple(mixed)


def _moved(
    weights: Tensors, scales: Sequence[Tensor], amount: float, direction: Tensors
) -> Tensors:
    return tuple(w + amount * s * d for w, s, d in zip(weights, scales, direction, strict=True))


def _finite(losses: Tensor) -> Tensor:
    return torch.where(losses.isfinite(), losses, math.inf)
