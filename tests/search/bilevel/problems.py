"""Two bilevel problems whose hypergradient can be had exactly: a quadratic one and a small
network."""

from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn import functional as F

from hwnas.search.bilevel.curvature import Loss, Tensors


@dataclass(frozen=True, kw_only=True)
class Problem:
    """L1, L2, weights at the minimum of L1, alpha, and the dense second derivatives of L1 there."""

    train_loss: Loss
    valid_loss: Loss
    weights: Tensors
    alpha: Tensors
    hessian: Tensor  # (W, W)
    mixed: Tensor  # (A, W)

    @property
    def curvatures(self) -> tuple[float, float]:
        """mu and L: smallest and largest eigenvalue of the Hessian."""
        values = torch.linalg.eigvalsh(self.hessian)
        return float(values[0]), float(values[-1])

    def exact(self) -> Tensor:
        """d_alpha L2 - M H^-1 d_w L2 by dense linear algebra, flat (A,)."""
        v, direct = self.gradients()
        return direct - self.mixed @ torch.linalg.solve(self.hessian, v)

    def gradients(self) -> tuple[Tensor, Tensor]:
        """d_w L2 and d_alpha L2, flat."""
        w = tuple(t.clone().requires_grad_() for t in self.weights)
        a = tuple(t.clone().requires_grad_() for t in self.alpha)
        grads = torch.autograd.grad(self.valid_loss(w, a), w + a, materialize_grads=True)
        return flat(grads[: len(w)]), flat(grads[len(w) :])


def flat(tensors: Tensors) -> Tensor:
    """All of them as one vector."""
    return torch.cat([t.reshape(-1) for t in tensors])


def split(vector: Tensor, like: Tensors) -> Tensors:
    """The vector cut to the shapes of `like`."""
    pieces = vector.split([t.numel() for t in like])
    return tuple(piece.reshape(t.shape) for piece, t in zip(pieces, like, strict=True))


def quadratic(seed: int, size: int = 12, alphas: int = 5) -> Problem:
    """L1 = w'Hw/2 + w'Ba + w'b in two tensors, L2 = |Cw - c|^2/2 + sum sin(a) + w'Da; w solves
    L1 exactly."""
    rng = torch.Generator().manual_seed(seed)

    def normal(*shape: int) -> Tensor:
        return torch.randn(*shape, generator=rng, dtype=torch.float64)

    root = normal(size, size)
    h, b, shift = (
        root @ root.T / size + 0.2 * torch.eye(size, dtype=torch.float64),
        normal(size, alphas),
        normal(size),
    )
    c, target, d, a = normal(size, size), normal(size), normal(size, alphas), normal(alphas)

    def train(weights: Tensors, alpha: Tensors) -> Tensor:
        w = flat(weights)
        return w @ h @ w / 2 + w @ b @ flat(alpha) + w @ shift

    def valid(weights: Tensors, alpha: Tensors) -> Tensor:
        w, x = flat(weights), flat(alpha)
        return (c @ w - target).square().sum() / 2 + x.sin().sum() + w @ d @ x

    w = torch.linalg.solve(h, -(b @ a + shift))
    return Problem(
        train_loss=train,
        valid_loss=valid,
        weights=split(w, (w[:8].view(2, 4), w[8:])),
        alpha=split(a, (a[:2], a[2:])),
        hessian=h,
        mixed=b.T,
    )


def network(seed: int = 0) -> Problem:
    """A mixture of convolutions, pooling, identity and none on 6x6 images, with cross-entropy and a
    ridge.

    Smooth everywhere (tanh, no max pool) in float64, 39 weights; the weights are solved for by
    Newton's method.
    """
    rng = torch.Generator().manual_seed(seed)
    y = torch.arange(24) % 3
    patterns = torch.randn(3, 1, 6, 6, generator=rng, dtype=torch.float64)
    x = patterns[y] + torch.randn(24, 1, 6, 6, generator=rng, dtype=torch.float64)
    halves = (x[:12], y[:12]), (x[12:], y[12:])
    shapes = ((2, 1, 2, 2), (2, 2, 3, 3), (2, 1, 3, 3), (3, 2), (3,))
    start = tuple(0.3 * torch.randn(*s, generator=rng, dtype=torch.float64) for s in shapes)
    alpha = (0.5 * torch.randn(2, 4, generator=rng, dtype=torch.float64),)

    def logits(weights: Tensors, alpha: Tensors, images: Tensor) -> Tensor:
        stem, conv, depthwise, linear, bias = weights
        state = torch.tanh(F.conv2d(images, stem, stride=2))
        for share in torch.softmax(alpha[0], dim=-1):
            ops = (
                torch.zeros_like(state),
                state,
                torch.tanh(F.conv2d(state, conv, padding=1))
                + F.conv2d(state, depthwise, padding=1, groups=2),
                F.avg_pool2d(state, 3, 1, 1),
            )
            state = sum((p * op for p, op in zip(share, ops, strict=True)), torch.zeros_like(state))
        return state.mean((2, 3)) @ linear.T + bias

    def train(weights: Tensors, alpha: Tensors) -> Tensor:
        ridge = sum((w.square().sum() for w in weights), torch.zeros(()))
        return F.cross_entropy(logits(weights, alpha, halves[0][0]), halves[0][1]) + 0.01 * ridge

    def valid(weights: Tensors, alpha: Tensors) -> Tensor:
        return F.cross_entropy(logits(weights, alpha, halves[1][0]), halves[1][1])

    weights = solve(train, start, alpha)
    hessian, mixed = second_derivatives(train, weights, alpha)
    return Problem(
        train_loss=train,
        valid_loss=valid,
        weights=weights,
        alpha=alpha,
        hessian=hessian,
        mixed=mixed,
    )


def solve(loss: Loss, weights: Tensors, alpha: Tensors, tolerance: float = 1e-11) -> Tensors:
    """The minimum near `weights`: Newton's method on |H| with backtracking, to a gradient of
    length < `tolerance`."""
    w = flat(weights)
    for _ in range(200):
        point = split(w, weights)
        value, slope = _value_and_slope(loss, point, alpha)
        if slope.norm() < tolerance:
            return point
        values, vectors = torch.linalg.eigh(second_derivatives(loss, point, alpha)[0])
        step = vectors @ ((vectors.T @ slope) / values.abs().clamp(min=1e-3))
        scale = 1.0
        while scale > 1e-6 and float(loss(split(w - scale * step, weights), alpha)) > value + 1e-14:
            scale /= 2
        w = w - scale * step
    raise AssertionError(f"not solved: |gradient| = {float(slope.norm()):.2e}")


def second_derivatives(loss: Loss, weights: Tensors, alpha: Tensors) -> tuple[Tensor, Tensor]:
    """Dense (W, W) and (A, W) second derivatives of the loss, by torch.autograd.functional."""
    w, a = flat(weights), flat(alpha)

    def of(w: Tensor, a: Tensor) -> Tensor:
        return loss(split(w, weights), split(a, alpha))

    (hessian, _), (mixed, _) = torch.autograd.functional.hessian(of, (w, a), vectorize=True)
    return hessian, mixed


def _value_and_slope(loss: Loss, weights: Tensors, alpha: Tensors) -> tuple[float, Tensor]:
    leaves = tuple(t.clone().requires_grad_() for t in weights)
    value = loss(leaves, alpha)
    return float(value.detach()), flat(torch.autograd.grad(value, leaves))


def central_differences(function: Callable[[Tensor], float], at: Tensor, step: float) -> Tensor:
    """Gradient of `function` at the vector `at`."""
    out = torch.zeros_like(at)
    for i in range(at.numel()):
        move = torch.zeros_like(at)
        move[i] = step
        out[i] = (function(at + move) - function(at - move)) / (2 * step)
    return out
