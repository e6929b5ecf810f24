"""The supernet's weights during a search: one SGD step, one accuracy, and their checkpoint."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from numpy.typing import NDArray
from torch import Tensor

from hwnas.config import WeightStep
from hwnas.nets.supernet import Supernet
from hwnas.space.space import Choices, Probabilities
from hwnas.training.data import Batch


@dataclass(frozen=True)
class SharedWeights:
    """A supernet and its optimiser. Frozen in name only: torch changes both in place."""

    net: Supernet
    optimizer: torch.optim.SGD
    settings: WeightStep


def optimise(net: Supernet, settings: WeightStep) -> SharedWeights:
    """A fresh optimiser for ``net``."""
    head = list(net.frame.classifier.parameters())
    at_head = {id(weight) for weight in head}
    rest = [weight for weight in net.parameters() if id(weight) not in at_head]
    optimizer = torch.optim.SGD(
        [{"params": rest}, {"params": head}],
        lr=settings.lr,
        momentum=settings.momentum,
        weight_decay=settings.weight_decay,
        nesterov=settings.nesterov,
    )
    return SharedWeights(net, optimizer, settings)


def cosine(settings: WeightStep, done: float) -> float:
    """The learning rate after the share ``done`` in 0..1 of a stage."""
    return settings.lr_end + (settings.lr - settings.lr_end) * (1 + math.cos(math.pi * done)) / 2


def weight_step(
    shared: SharedWeights, batch: Batch, path: Choices | Probabilities, lr: float, parts: int = 1
) -> float:
    """One SGD step; returns the loss. ``path``: the drawn operations (edges,), or mixture weights (edges, ops).

    Weights that the path does not touch have no gradient: neither momentum nor decay moves them. With several
    ``parts`` the gradient of the batch is summed over so many pieces, each of which is normalised on its own.
    """
    rest, head = shared.optimizer.param_groups
    rest["lr"], head["lr"] = lr, lr * shared.settings.head_rate
    shared.optimizer.zero_grad(set_to_none=True)
    total = 0.0
    for x, y in zip(batch.x.chunk(parts), batch.y.chunk(parts), strict=True):
        if path.ndim == 1:
            logits = shared.net.sampled(x, np.asarray(path, dtype=np.int64))
        else:
            logits = shared.net.mixture(x, torch.as_tensor(path, dtype=x.dtype, device=x.device))
        loss = F.cross_entropy(logits, y) * (len(y) / len(batch.y))
        loss.backward()  # type: ignore[no-untyped-call]
        total += float(loss.detach())
    touched = [weight for weight in shared.net.parameters() if weight.grad is not None]
    torch.nn.utils.clip_grad_norm_(touched, shared.settings.clip)
    shared.optimizer.step()
    return total


@torch.no_grad()
def accuracy(net: Supernet, choices: Choices, batches: Iterable[Batch]) -> float:
    """Share of images, in 0..1, that one sub-network with inherited weights gets right."""
    right = total = 0
    for batch in batches:
        right += int((net.sampled(batch.x, choices).argmax(dim=1) == batch.y).sum())
        total += len(batch.y)
    return right / total


def to_arrays(shared: SharedWeights) -> dict[str, NDArray[Any]]:
    """Weights and momentum as named arrays."""
    arrays = {f"weight.{name}": _numpy(value) for name, value in shared.net.state_dict().items()}
    for name, weight in shared.net.named_parameters():
        momentum = shared.optimizer.state.get(weight, {}).get("momentum_buffer")
        if momentum is not None:
            arrays[f"momentum.{name}"] = _numpy(momentum)
    return arrays


def from_arrays(shared: SharedWeights, arrays: Mapping[str, NDArray[Any]]) -> None:
    """Put back what ``to_arrays`` took, into a supernet of the same shape."""
    weights = {name: torch.from_numpy(arrays[f"weight.{name}"].copy()) for name in shared.net.state_dict()}
    shared.net.load_state_dict(weights)
    for name, weight in shared.net.named_parameters():
        if f"momentum.{name}" in arrays:
            momentum = torch.from_numpy(arrays[f"momentum.{name}"].copy()).to(weight.device)
            shared.optimizer.state[weight]["momentum_buffer"] = torch.empty_like(weight).copy_(momentum)


def _numpy(value: Tensor) -> NDArray[Any]:
    return np.ascontiguousarray(value.detach().cpu().contiguous().numpy())
