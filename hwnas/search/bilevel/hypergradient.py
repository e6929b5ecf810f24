"""NDARTS (Han et al., Algorithms 2023, 16(12), 536): d L2(w*(alpha), alpha) / d alpha by a Neumann
series; DARTS beside it.

`w*(alpha) = argmin_w L1(w, alpha)`, L1 the training and L2 the validation loss. Three answers with
one interface `(train_loss, valid_loss, weights, alpha, lr) -> Hypergradient`, so that a search can
swap them:

- `first_order`: d_alpha L2, as if the weights did not depend on alpha (DARTS, arXiv 1806.09055,
  xi = 0);
- `unrolled`: through one step of gradient descent (DARTS, xi = lr), its mixed term exact or by
  differences;
- `neumann`: through the minimum, by the implicit function theorem, with K + 1 terms of the series
  for H^-1.

A loss is a pure function of `(weights, alpha)`; `curvature.module_loss` makes one from a module. A
call changes nothing: weights, `.grad`, buffers and torch's global random state stay bit-identical.
"""

import itertools
import math
import warnings
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Literal

from torch import Tensor

from hwnas.search.bilevel import curvature
from hwnas.search.bilevel.curvature import (
    Inner,
    Loss,
    Product,
    Tensors,
    axpy,
    gradient,
    leaves,
    length,
    norm,
    numbers,
)

Gamma = float | Literal["lr", "power"]
Products = Literal["exact", "difference"]

TOGETHER = 4
"""Terms of the series that are kept until their norms are read: each is as large as all weights."""
GROWTH = 1.0 + 1e-5  # a term may exceed the one before it by rounding, not by more


class DivergenceWarning(RuntimeWarning):
    """The Neumann series cannot converge to the inverse of the training Hessian."""


@dataclass(frozen=True, kw_only=True)
class Hypergradient:
    """A hypergradient and what is needed to trust it; what is read from the device only when it is
    asked for.

    alpha: the gradient, like alpha. loss: L2 () where its gradient was taken. direct, indirect:
    d_alpha L2 and the correction through the weights, like alpha. gamma: the step used (lr for
    `unrolled`). terms: ||v_j||, j = 0..K. curvature: largest ||H v|| / ||v|| seen, a lower bound of
    the spectral norm of H and with gamma="power" an estimate of it; nan when no product was made.
    diverged: gamma * curvature > 2, or a term grew, which a positive definite H allows only past 2
    / lambda_max.
    """

    alpha: Tensors
    loss: Tensor
    direct: Tensors
    indirect: Tensors = ()
    gamma: float = 0.0
    terms: tuple[float | Tensor, ...] = ()
    curvature: float = math.nan
    diverged: bool = False

    @property
    def valid_loss(self) -> float:
        """L2 as a number."""
        return float(self.loss)

    @property
    def direct_norm(self) -> float:
        """Euclidean length of ``direct``."""
        return norm(self.direct)

    @property
    def indirect_norm(self) -> float:
        """Euclidean length of ``indirect``; 0 where there is none."""
        return norm(self.indirect)

    @property
    def term_norms(self) -> tuple[float, ...]:
        """``terms`` as numbers."""
        return tuple(float(one) for one in self.terms)


Method = Callable[[Loss, Loss, Sequence[Tensor], Sequence[Tensor], float], Hypergradient]


def first_order(
    train_loss: Loss,
    valid_loss: Loss,
    weights: Sequence[Tensor],
    alpha: Sequence[Tensor],
    lr: float = 0.0,
) -> Hypergradient:
    """d_alpha L2(w, alpha). `train_loss` and `lr` are not used; they keep the interface one."""
    with curvature.random_state_kept(weights):
        at = leaves(alpha)
        loss = valid_loss(tuple(w.detach() for w in weights), at)
        direct = gradient(loss, at)
    return Hypergradient(alpha=direct, loss=loss.detach(), direct=direct)


def unrolled(
    train_loss: Loss,
    valid_loss: Loss,
    weights: Sequence[Tensor],
    alpha: Sequence[Tensor],
    lr: float,
    *,
    products: Products = "difference",
) -> Hypergradient:
    """The gradient of L2(w - lr * d_w L1(w, alpha), alpha) with respect to alpha: d_alpha L2 - lr *
    M v.

    M = d2 L1 / d alpha d w at w, v = d_w L2 at the moved weights. products: M v by double backward
    ("exact"), or by the DARTS paper's central difference of d_alpha L1 over w +- 0.01 v / ||v||. An
    optimiser's momentum and weight decay are part of the step only if `train_loss` holds them.
    Raises ValueError unless lr > 0.
    """
    _positive("lr", lr)
    with curvature.random_state_kept(weights) as rewind:
        inner = _inner(products, train_loss, weights, alpha, rewind)
        rewind()
        loss, v, direct = _valid(valid_loss, axpy(weights, -lr, inner.gradient), alpha)
        indirect = inner.mixed(tuple(lr * t for t in v))
    alpha_gradient = axpy(direct, -1.0, indirect)
    return Hypergradient(
        alpha=alpha_gradient,
        loss=loss,
        direct=direct,
        indirect=indirect,
        gamma=lr,
        terms=(length(v),),
    )


def neumann(
    train_loss: Loss,
    valid_loss: Loss,
    weights: Sequence[Tensor],
    alpha: Sequence[Tensor],
    lr: float = 0.0,
    *,
    terms: int = 2,
    gamma: Gamma = "lr",
    products: Products = "exact",
) -> Hypergradient:
    """d_alpha L2 - M p, p = gamma * sum_{j=0..K} (I - gamma H)^j d_w L2, H = d2 L1 / dw dw, M = d2
    L1 / d alpha d w.

    terms: K, the number of Hessian-vector products. gamma: a number, "lr" (the weights' learning
    rate) or "power" (1 / lambda_max from a power iteration: 20 more products). products: "exact" by
    double backward, or "difference". Error, for a mu-strongly convex L1 at its minimum and gamma <=
    1 / lambda_max: ||M|| * ||d_w L2|| / mu * (1 - gamma mu)^(K + 1). Raises ValueError for K < 0 or
    a gamma that is not positive; warns `DivergenceWarning` and sets `diverged` where the series
    cannot converge, and leaves out terms that are not finite.
    """
    if terms < 0:
        raise ValueError(f"terms is a number of Hessian-vector products, at least 0, not {terms}")
    with curvature.random_state_kept(weights) as rewind:
        loss, v, direct = _valid(valid_loss, weights, alpha)
        rewind()
        inner = _inner(products, train_loss, weights, alpha, rewind)
        largest = curvature.power_iteration(inner.hessian, v) if gamma == "power" else math.nan
        step = _step(gamma, lr, largest)
        series = _sum(inner.hessian, v, step, terms)
        indirect = inner.mixed(series.total)
    largest = max((c for c in (largest, series.curvature) if not math.isnan(c)), default=math.nan)
    diverged = series.grew or step * largest > 2.0
    if diverged:
        _warn(step, largest)
    return Hypergradient(
        alpha=axpy(direct, -1.0, indirect),
        loss=loss,
        direct=direct,
        indirect=indirect,
        gamma=step,
        terms=series.norms,
        curvature=largest,
        diverged=diverged,
    )


@dataclass(frozen=True, kw_only=True)
class _Series:
    total: Tensors  # p = gamma * sum of the terms
    norms: tuple[float, ...]
    curvature: float
    grew: bool


def _sum(hessian: Product, v: Tensors, gamma: float, terms: int) -> _Series:
    """v_{j+1} = v_j - gamma H v_j, added up.

    The norms come for nothing beside a product, and tell of divergence. They are read from the
    device once for every few terms.
    """
    total, norms, largest = v, list[float](), math.nan
    done = 0
    while done < terms:
        more = min(TOGETHER, terms - done)
        found = [length(v)] if not norms else []
        vectors = []
        for _ in range(more):
            product = hessian(v)
            v = axpy(v, -gamma, product)
            vectors.append(v)
            found += [length(product), length(v)]
        read = numbers(*found)
        norms += read[: len(found) - 2 * more]
        pairs = zip(read[-2 * more :: 2], read[-2 * more + 1 :: 2], vectors, strict=True)
        for of_product, of_term, vector in pairs:
            ratio = of_product / norms[-1] if norms[-1] > 0.0 else 0.0
            largest = ratio if math.isnan(largest) else max(largest, ratio)
            norms.append(of_term)
            if not math.isfinite(of_term):
                done = terms
                break
            total = axpy(total, 1.0, vector)
        done += more
    norms = norms or numbers(length(v))
    grew = any(not b <= a * GROWTH for a, b in itertools.pairwise(norms))
    return _Series(
        total=tuple(gamma * t for t in total), norms=tuple(norms), curvature=largest, grew=grew
    )


def _valid(
    valid_loss: Loss, weights: Sequence[Tensor], alpha: Sequence[Tensor]
) -> tuple[Tensor, Tensors, Tensors]:
    """L2 (), d_w L2 and d_alpha L2."""
    at_w, at_a = leaves(weights), leaves(alpha)
    loss = valid_loss(at_w, at_a)
    both = gradient(loss, at_w + at_a)
    return loss.detach(), both[: len(at_w)], both[len(at_w) :]


def _inner(
    products: Products,
    train_loss: Loss,
    weights: Sequence[Tensor],
    alpha: Sequence[Tensor],
    rewind: Callable[[], None],
) -> Inner:
    if products == "exact":
        return curvature.exact(train_loss, weights, alpha)
    return curvature.by_differences(train_loss, weights, alpha, rewind)


def _step(gamma: Gamma, lr: float, largest: float) -> float:
    if gamma == "lr":
        return _positive("lr", lr)
    if gamma == "power":
        return (
            1.0 / largest if largest > 0.0 else 1.0
        )  # a flat L1: every step gives the same, zero, products
    return _positive("gamma", gamma)


def _positive(name: str, value: float) -> float:
    if not (math.isfinite(value) and value > 0.0):
        raise ValueError(f"{name} must be a positive number, not {value}")
    return value


def _warn(gamma: float, largest: float) -> None:
    past = (
        f"gamma {gamma:.3g} is past 2 / curvature = {2.0 / largest:.3g}"
        if gamma * largest > 2.0
        else ""
    )
    reason = (
        past
        or f"its terms grow at gamma {gamma:.3g}: the training Hessian is not positive definite"
    )
    warnings.warn(f"the Neumann series cannot converge: {reason}", DivergenceWarning, stacklevel=3)
