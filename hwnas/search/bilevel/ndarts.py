"""NDARTS (Han et al., Algorithms 2023, 16(12), 536): the accuracy-only search, bilevel on a mixture supernet.

T weight steps (SGD, an evolution strategy, or both) with the operations mixed by softmax(alpha), then one
step of Adam on alpha along the hypergradient: the Neumann series, or DARTS of first or second order for
comparison. Once per epoch the watch of `hwnas.search.bilevel.collapse` takes a row of numbers. The loop
(`hwnas.search.loop`) brings batches, positions, checkpoints and progress, as it does for the other searchers.
"""

from __future__ import annotations

import math
import warnings
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from functools import partial
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
import torch.nn.functional as F
from numpy.typing import NDArray
from torch import Tensor, nn

from hwnas.nets.supernet import SkipDropout, Supernet
from hwnas.search.algorithms import policy
from hwnas.search.algorithms.progressive import kept
from hwnas.search.bilevel import curvature
from hwnas.search.bilevel.collapse import WINDOW, Health, first_alarm, skip_share
from hwnas.search.bilevel.curvature import Loss, Tensors
from hwnas.search.bilevel.hypergradient import DivergenceWarning, Method, first_order, neumann, unrolled
from hwnas.search.bilevel.weight_evolution import Evolution, evolve
from hwnas.search.distributed import shared_weights
from hwnas.search.distributed.shared_weights import SharedWeights
from hwnas.space.encoding import likeliest
from hwnas.space.space import SPACES, Choices, Mask, Probabilities
from hwnas.training.dataset import Batch
from profilers.errors import InputError

if TYPE_CHECKING:
    from hwnas.config import Config
    from hwnas.search.algorithms.archive import Archive

Floats = NDArray[np.float64]


@dataclass(frozen=True)
class NDarts:
    """The searcher: one policy, and what the watch saw in this stage.

    ``trace`` (epochs, 4) holds a Health per row, ``alphas`` (epochs, edges, operations) alpha at those
    moments, ``steps`` (3,) the alpha steps since the last row, how many of them diverged, and the stage.
    ``before`` (edges, operations): the sum of ln softmax(alpha) at the ends of earlier stages, where they are pooled.
    """

    config: Config
    policies: policy.Policies
    trace: Floats
    alphas: Floats
    steps: NDArray[np.int64]
    before: Floats

    def mask(self) -> Mask:
        """What the supernet of this stage must hold, (edges, operations)."""
        return policy.union_mask(self.policies)

    def mixture(self) -> Probabilities:
        """softmax(alpha), (edges, operations)."""
        return np.asarray(policy.probabilities(self.policies)[0])

    def paths(self, count: int, rng: np.random.Generator) -> Choices:
        """Sub-networks drawn from softmax(alpha), (count, edges)."""
        return policy.sample(self.policies, count, rng)

    def ask(self, count: int, rng: np.random.Generator) -> Choices:
        """The derived network, then draws from softmax(alpha), (count, edges): what the archive is filled
        with."""
        return np.concatenate([self.derived()[0][None], self.paths(count, rng)])[:count]

    def tell(self, choices: Choices, accuracy: Floats, costs: Floats) -> NDarts:
        """Nothing: alpha learns from gradients (``alpha_step``), not from evaluated samples."""
        return self

    def next_stage(self, rng: np.random.Generator) -> NDarts:
        """Progressive shrinking, where a config has several stages: survivors stay, alpha begins again."""
        space, stage = SPACES[self.config.space], int(self.steps[2]) + 1
        keep = kept(space, stage)
        before = self.before
        if self.config.ndarts.pooled:
            with np.errstate(divide="ignore"):  # what didn't survive has no share, and won't be asked for
                before = before + np.log(self.mixture())
        return _fresh(self.config, policy.shrink(self.policies, keep, rng), stage, before)

    def entropies(self) -> list[float]:
        """Entropy of softmax(alpha) in nats, one value."""
        return [float(value) for value in policy.entropy(self.policies)]

    def tables(self) -> Floats:
        """softmax(alpha) of every policy, (K, edges, operations)."""
        return policy.probabilities(self.policies)

    def health(self) -> list[Health]:
        """The watch's findings, one per epoch of this stage."""
        return [Health(*map(float, row)) for row in self.trace]

    def healthy(self) -> int:
        """How many epochs of this stage ended before the first alarm; all of them where there was none."""
        found = first_alarm(self.health())
        return len(self.trace) if found is None else max(0, found - WINDOW)

    def derived(self) -> list[Choices]:
        """What the space's rule makes of the present alpha where it may keep no edge empty, one of (edges,)."""
        return [self._rule(self._pooled(self.mixture()))]

    def _pooled(self, shares: Probabilities) -> Probabilities:
        """The geometric mean of these shares and of those that earlier stages ended with, (edges, operations)."""
        if not self.before.any():
            return shares
        mask = self.mask()
        logs = np.log(shares, where=mask, out=np.full(shares.shape, -np.inf))
        mean = np.where(mask, self.before + logs, -np.inf) / (1 + self.steps[2])
        weights = np.exp(mean - mean.max(axis=1, keepdims=True))
        return np.asarray(weights / weights.sum(axis=1, keepdims=True))

    def _rule(self, shares: Probabilities) -> Choices:
        space = SPACES[self.config.space]
        return space.rule(space, self._real(shares))

    def _real(self, shares: Probabilities) -> Probabilities:
        """A mixture's share of ``none`` only scales what the other edges bring to a node, which batch normalisation
        undoes, so it says nothing about whether the edge is worth having (DARTS, arXiv 1806.09055, 2.4)."""
        return np.where(SPACES[self.config.space].is_none, 0.0, shares)

    def finalists(self, archive: Archive, count: int) -> list[tuple[Choices, Probabilities]]:
        """The derived network, the one derived before an alarm, and the next likeliest by alpha, ``count`` in all.

        Not the archive's most accurate: a mixture's weights were never trained to serve one path alone.
        """
        table = self._pooled(self.mixture())
        chosen = [(self._rule(table), table)]
        if self.healthy() < len(self.trace):
            earlier = replace(self.policies, alpha=self.alphas[None, self.healthy()])
            before = self._pooled(np.asarray(policy.probabilities(earlier)[0]))
            chosen.append((self._rule(before), before))
        chosen += [(one, table) for one in likeliest(SPACES[self.config.space], self._real(table), count)]
        different: dict[bytes, tuple[Choices, Probabilities]] = {}
        for one, by in chosen:
            different.setdefault(one.tobytes(), (one, by))
        return list(different.values())[:count]

    def to_arrays(self) -> dict[str, NDArray[Any]]:
        """The state that a checkpoint holds."""
        own = {"trace": self.trace, "alphas": self.alphas, "alpha_steps": self.steps, "before": self.before}
        return {**policy.to_arrays(self.policies), **own}

    def with_arrays(self, arrays: Mapping[str, NDArray[Any]]) -> NDarts:
        """The searcher with the state of a checkpoint."""
        known = {"before": self.before, **arrays}  # an earlier version wrote none
        own = (np.array(known[name]) for name in ("trace", "alphas", "alpha_steps", "before"))
        return NDarts(self.config, policy.from_arrays(arrays), *own)


def start(config: Config, rng: np.random.Generator) -> NDarts:
    """A fresh search with one policy, alpha from 1e-3 * N(0, 1). Raises InputError for settings that can't
    work."""
    settings = config.ndarts
    if not isinstance(settings.gamma, str) and not 0.0 < settings.gamma < math.inf:
        raise InputError(f"ndarts.gamma: must be positive, 'lr' or 'power', not {settings.gamma}")
    if settings.weights != "sgd" and (settings.population < 2 or settings.population % 2):
        raise InputError(
            f"ndarts.population: the noises come in pairs, so an even number, not {settings.population}"
        )
    mask = SPACES[config.space].mask
    return _fresh(config, policy.start(mask, 1, rng), 0, np.zeros(mask.shape))


def weight_step(
    searcher: NDarts, shared: SharedWeights, batch: Batch | None, lr: float, generator: torch.Generator
) -> float | Tensor:
    """Train the mixture's weights on one batch per rank; returns the loss before the step, as shared_weights does.

    ``generator``: of the evolution's noises, on the weights' device. All ranks draw the same noises; a candidate's
    loss is the mean over their batches, so that all choose the same one. ``batch``: None on a rank without one.
    """
    settings = searcher.config.ndarts
    found: float | Tensor = float("nan")
    if settings.weights != "es":
        found = shared_weights.weight_step(shared, batch, searcher.mixture(), lr)
    if settings.weights != "sgd":
        alpha = _alpha(searcher, shared.net)
        loss = None if batch is None else mixture_loss(shared.net, searcher.mask(), batch)
        evolution = Evolution(settings.sigma, settings.es_lr, settings.population)
        weights = shared.weights

        def mean(w: Tensors) -> Tensor:
            own = weights[0].new_zeros(()) if loss is None else loss(w, alpha)
            return shared.ranks.mean(own, counts=loss is not None)

        evolved = evolve(mean, weights, generator, evolution)
        with torch.no_grad():
            for weight, value in zip(weights, evolved.weights, strict=True):
                weight.copy_(value)
        found = evolved.parent_loss if settings.weights == "es" else found
    return found


def alpha_step(
    searcher: NDarts, shared: SharedWeights, train: Batch | None, valid: Batch, lr: float
) -> NDarts:
    """One Adam step of alpha along the hypergradient; ``lr``: the weights' present learning rate.

    With several ranks: along the mean of the hypergradients on their own batches, ``train`` None where there is
    none.
    """
    settings, net, ranks = searcher.config.ndarts, shared.net, shared.ranks
    net.dropout = SkipDropout()
    alpha, diverged = _alpha(searcher, net), False
    gradient = torch.zeros_like(alpha[0])
    if train is not None:
        inner = mixture_loss(net, searcher.mask(), train, shared.settings.weight_decay)
        outer = mixture_loss(net, searcher.mask(), valid)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", DivergenceWarning)  # counted by the watch
            found = method(searcher.config)(inner, outer, shared.weights, alpha, lr)
        gradient, diverged = found.alpha[0], found.diverged
    ascent = -ranks.mean(gradient, counts=train is not None).double().cpu().numpy()[None]
    steps = searcher.steps + np.array([1, ranks.agree(diverged)[0], 0])
    if not np.isfinite(ascent).all():
        return replace(searcher, steps=steps)
    learning = policy.Learning(lr=settings.alpha_lr * ranks.size, weight_decay=settings.alpha_weight_decay)
    return replace(searcher, policies=policy.adam(searcher.policies, ascent, learning), steps=steps)


def watch(searcher: NDarts, net: Supernet, valid: Batch) -> NDarts:
    """Look at the search once, on one validation batch: a row more in ``trace`` and ``alphas``."""
    net.dropout = SkipDropout()
    loss, weights = mixture_loss(net, searcher.mask(), valid), tuple(w.detach() for w in net.parameters())
    inner = curvature.exact(lambda alpha, _: loss(weights, alpha), _alpha(searcher, net), ())
    steps = int(searcher.steps[0])
    row = Health(
        skip_share(SPACES[searcher.config.space], searcher.mixture()),
        searcher.entropies()[0],
        curvature.power_iteration(inner.hessian, inner.gradient, steps=10),
        float(searcher.steps[1]) / steps if steps else 0.0,
    )
    return replace(
        searcher,
        trace=np.concatenate([searcher.trace, np.array([list(vars(row).values())])]),
        alphas=np.concatenate([searcher.alphas, searcher.policies.alpha]),
        steps=np.array([0, 0, searcher.steps[2]]),
    )


def mixture_loss(net: Supernet, mask: Mask, batch: Batch, weight_decay: float = 0.0) -> Loss:
    """Cross-entropy of the mixture on ``batch`` as a pure function of (weights, (alpha,)), alpha (edges,
    operations).

    ``weight_decay`` adds decay / 2 * ||w||^2: what SGD with weight decay descends, so what the inner problem
    is.
    """
    allowed = torch.as_tensor(mask, device=batch.x.device)

    def compute(module: nn.Module, alpha: Tensors) -> Tensor:
        assert isinstance(module, Supernet)
        shares = alpha[0].masked_fill(~allowed, -torch.inf).softmax(dim=-1)
        return F.cross_entropy(module.mixture(batch.x, shares), batch.y)

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


def _fresh(config: Config, policies: policy.Policies, stage: int, before: Floats) -> NDarts:
    empty = np.zeros((0, *policies.alpha.shape[1:]))
    return NDarts(config, policies, np.zeros((0, 4)), empty, np.array([0, 0, stage]), before)


def _alpha(searcher: NDarts, net: Supernet) -> tuple[Tensor]:
    weight = next(net.parameters())
    return (torch.as_tensor(searcher.policies.alpha[0], dtype=weight.dtype, device=weight.device),)
