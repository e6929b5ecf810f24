"""NDARTS (Han et al., Algorithms 2023, 16(12), 536): the accuracy-only search, bilevel on a mixture
supernet.

T weight steps (SGD, an evolution strategy, or both) with the operations mixed by softmax(alpha),
then one step of Adam on alpha along the hypergradient: the Neumann series, or DARTS of first or
second order for comparison. Once per epoch the monitor of `hwnas.search.bilevel.collapse` takes a
row of numbers. The loop (`hwnas.search.loop`) brings batches, positions, checkpoints and progress,
as it does for the other searchers; what is learnt is kept in hwnas.search.bilevel.alpha.
"""

from __future__ import annotations

import math
import warnings
from collections.abc import Callable
from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING

import numpy as np
import torch
from torch import Tensor, nn

from hwnas.nets import task
from hwnas.nets.supernet import SkipDropout, Supernet
from hwnas.search.algorithms import policy
from hwnas.search.algorithms.algorithm import Algorithm, OwnTraining, StepContext
from hwnas.search.bilevel import curvature
from hwnas.search.bilevel.alpha import NDarts, fresh
from hwnas.search.bilevel.collapse import Health, skip_share
from hwnas.search.bilevel.curvature import Loss, Tensors
from hwnas.search.bilevel.hypergradient import (
    DivergenceWarning,
    Method,
    first_order,
    neumann,
    unrolled,
)
from hwnas.search.bilevel.weight_evolution import Evolution, evolve
from hwnas.search.distributed import shared_weights
from hwnas.search.distributed.shared_weights import SharedWeights
from hwnas.space.space import SPACES, Mask
from hwnas.training.dataset import Batch
from profilers.errors import InputError

if TYPE_CHECKING:
    from hwnas.config import Config


def check(config: Config) -> None:
    """Raise InputError for settings that can't work."""
    settings = config.ndarts
    if not isinstance(settings.gamma, str) and not 0.0 < settings.gamma < math.inf:
        raise InputError(f"ndarts.gamma: must be positive, 'lr' or 'power', not {settings.gamma}")
    if settings.weights != "sgd" and (settings.population < 2 or settings.population % 2):
        raise InputError(
            "ndarts.population: the noises come in pairs, so an even number, not"
            f" {settings.population}"
        )
    if settings.weights == "es" and config.weight_step.precision != "float32":
        raise InputError(
            f"weight_step.precision: {config.weight_step.precision} is for steps along a gradient,"
            " and ndarts.weights = 'es' makes none: take float32, or 'sgd' or 'sgd+es'"
        )


def start(config: Config, rng: np.random.Generator) -> NDarts:
    """A fresh search with one policy, alpha from 1e-3 * N(0, 1). Raises InputError for settings
    that can't work.
    """
    check(config)
    mask = SPACES[config.space].mask
    return fresh(config, policy.start(mask, 1, rng), 0, np.zeros(mask.shape))


def step(searcher: NDarts, context: StepContext) -> tuple[NDarts, float | Tensor]:
    """A weight step of the mixture, every few of them an alpha step, and at the end of an epoch the
    monitor.
    """
    shared, batch, lr = context.shared, context.batch, context.lr
    loss = weight_step(searcher, shared, batch, lr * context.count, context.noise)
    if context.learns:
        searcher = alpha_step(searcher, shared, batch, context.validation(), lr)
    if context.ends:
        searcher = monitor(searcher, shared.net, context.last_validation())
    return searcher, loss


def weight_step(
    searcher: NDarts,
    shared: SharedWeights,
    batch: Batch | None,
    lr: float,
    generator: torch.Generator,
) -> float | Tensor:
    """Train the mixture's weights on one batch per rank; returns the loss before the step, as
    shared_weights does.

    ``generator``: of the evolution's noises, on the weights' device. All ranks draw the same
    noises; a candidate's loss is the mean over their batches, so that all choose the same one.
    ``batch``: None on a rank without one.
    """
    settings = searcher.config.ndarts
    before: float | Tensor = float("nan")
    if settings.weights != "es":
        before = shared_weights.weight_step(shared, batch, searcher.mixture(), lr)
    if settings.weights != "sgd":
        alpha = _alpha(searcher, shared.net)
        loss = None if batch is None else mixture_loss(shared.net, searcher.mask(), batch)
        evolution = Evolution(
            sigma=settings.sigma, rate=settings.es_lr, population=settings.population
        )
        weights = shared.weights

        def mean(w: Tensors) -> Tensor:
            own = weights[0].new_zeros(()) if loss is None else loss(w, alpha)
            return shared.ranks.mean(own, counts=loss is not None)

        evolved = evolve(mean, weights, generator, evolution)
        with torch.no_grad():
            for weight, value in zip(weights, evolved.weights, strict=True):
                weight.copy_(value)
        before = evolved.parent_loss if settings.weights == "es" else before
    return before


def alpha_step(
    searcher: NDarts, shared: SharedWeights, train: Batch | None, valid: Batch, lr: float
) -> NDarts:
    """One Adam step of alpha along the hypergradient; ``lr``: the weights' present learning rate.

    With several ranks: along the mean of the hypergradients on their own batches, ``train`` None
    where there is none.
    """
    settings, net, ranks = searcher.config.ndarts, shared.net, shared.ranks
    net.dropout = SkipDropout()
    alpha, diverged = _alpha(searcher, net), False
    gradient = torch.zeros_like(alpha[0])
    if train is not None:
        inner = mixture_loss(net, searcher.mask(), train, shared.settings.weight_decay)
        outer = mixture_loss(net, searcher.mask(), valid)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", DivergenceWarning)  # counted by the monitor
            hypergradient = method(searcher.config)(inner, outer, shared.weights, alpha, lr)
        gradient, diverged = hypergradient.alpha[0], hypergradient.diverged
    ascent = -ranks.mean(gradient, counts=train is not None).double().cpu().numpy()[None]
    steps = searcher.steps + np.array([1, ranks.any_rank(diverged)[0], 0])
    if not np.isfinite(ascent).all():
        return replace(searcher, steps=steps)
    learning = policy.Learning(
        lr=settings.alpha_lr * ranks.size, weight_decay=settings.alpha_weight_decay
    )
    return replace(searcher, policies=policy.adam(searcher.policies, ascent, learning), steps=steps)


def monitor(searcher: NDarts, net: Supernet, valid: Batch) -> NDarts:
    """Look at the search once, on one validation batch: a row more in ``trace`` and ``alphas``."""
    net.dropout = SkipDropout()
    loss, weights = (
        mixture_loss(net, searcher.mask(), valid),
        tuple(w.detach() for w in net.parameters()),
    )
    inner = curvature.exact(lambda alpha, _: loss(weights, alpha), _alpha(searcher, net), ())
    steps = int(searcher.steps[0])
    row = Health(
        skip_share=skip_share(SPACES[searcher.config.space], searcher.mixture()),
        entropy=float(policy.entropy(searcher.policies)[0]),
        curvature=curvature.power_iteration(inner.hessian, inner.gradient, steps=10),
        diverged=float(searcher.steps[1]) / steps if steps else 0.0,
    )
    return replace(
        searcher,
        trace=np.concatenate([searcher.trace, np.array([list(vars(row).values())])]),
        alphas=np.concatenate([searcher.alphas, searcher.policies.alpha]),
        steps=np.array([0, 0, searcher.steps[2]]),
    )


def mixture_loss(net: Supernet, mask: Mask, batch: Batch, weight_decay: float = 0.0) -> Loss:
    """The task's loss of the mixture on ``batch`` as a pure function of (weights, (alpha,)), alpha
    (edges, operations).

    ``weight_decay`` adds decay / 2 * ||w||^2: what SGD with weight decay descends, so what the
    inner problem is.
    """
    allowed = torch.as_tensor(mask, device=batch.x.device)

    def compute(module: nn.Module, alpha: Tensors) -> Tensor:
        assert isinstance(module, Supernet)
        shares = alpha[0].masked_fill(~allowed, -torch.inf).softmax(dim=-1)
        return task.loss(module.task, module.mixture(batch.x, shares), batch.y)

    plain = curvature.module_loss(net, compute)
    if weight_decay == 0.0:
        return plain

    def decayed(weights: Tensors, alpha: Tensors) -> Tensor:
        flat = torch.cat([weight.reshape(-1) for weight in weights])
        return plain(weights, alpha) + weight_decay / 2 * flat.square().sum()

    return decayed


def method(config: Config) -> Method:
    """The hypergradient that ``config.ndarts`` names."""
    settings = config.ndarts
    methods: dict[str, Callable[[], Method]] = {
        "first_order": lambda: first_order,
        "second_order": lambda: unrolled,
        "neumann": lambda: partial(neumann, terms=settings.terms, gamma=settings.gamma),
    }
    return methods[settings.hypergradient]()


def _alpha(searcher: NDarts, net: Supernet) -> tuple[Tensor]:
    weight = next(net.parameters())
    return (torch.as_tensor(searcher.policies.alpha[0], dtype=weight.dtype, device=weight.device),)


DOUBLE_BACKWARD = 3
"""An alpha step by the Neumann series keeps what two derivatives need: three times the maps
(docs/evidence/ndarts.md).
"""

ALGORITHM = Algorithm(
    name="ndarts",
    start=lambda config, objectives, rng: start(config, rng),
    check=check,
    finalists=lambda config: config.finalists_per_policy,
    finalists_from="likely",
    training=OwnTraining(
        step=step,
        every=lambda config: config.ndarts.weight_steps,
        images=lambda config: config.ndarts.samples_per_epoch,
        maps=lambda config: DOUBLE_BACKWARD if config.ndarts.hypergradient == "neumann" else 1,
    ),
)
