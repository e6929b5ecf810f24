"""The supernet's weights during a search: one SGD step on one or several processes, one
accuracy, and their checkpoint."""

from __future__ import annotations

import math
import zlib
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from hwnas.errors import is_memory
from hwnas.nets import task
from hwnas.nets.fitting import in_pieces
from hwnas.nets.precision import computing_in
from hwnas.nets.supernet import Supernet
from hwnas.search.distributed.ranks import ALONE, Ranks
from hwnas.space.space import Choices, Probabilities
from hwnas.training.dataset import Batch

if TYPE_CHECKING:
    from hwnas.config import WeightStep


@dataclass(frozen=True, kw_only=True)
class SharedWeights:
    """A supernet and its optimiser, the same on all ``ranks``.

    Frozen in name only: torch changes both in place.
    """

    net: Supernet
    optimizer: torch.optim.SGD
    settings: WeightStep
    ranks: Ranks = ALONE
    weights: tuple[Tensor, ...] = ()
    """net.parameters(), walked once: a supernet has thousands of modules."""


def optimise(net: Supernet, settings: WeightStep, ranks: Ranks = ALONE) -> SharedWeights:
    """A fresh optimiser for ``net``."""
    weights, head = tuple(net.parameters()), list(net.classifier_weights())
    at_head = {id(weight) for weight in head}
    rest = [weight for weight in weights if id(weight) not in at_head]
    optimizer = torch.optim.SGD(
        [{"params": rest}, {"params": head}],
        lr=settings.lr,
        momentum=settings.momentum,
        weight_decay=settings.weight_decay,
        nesterov=settings.nesterov,
    )
    return SharedWeights(
        net=net, optimizer=optimizer, settings=settings, ranks=ranks, weights=weights
    )


def cosine(settings: WeightStep, done: float) -> float:
    """The learning rate after the share ``done`` in 0..1 of a stage."""
    return settings.lr_end + (settings.lr - settings.lr_end) * (1 + math.cos(math.pi * done)) / 2


def weight_step(
    shared: SharedWeights,
    batch: Batch | None,
    path: Choices | Probabilities,
    lr: float,
    parts: int = 1,
) -> float | Tensor:
    """One SGD step; returns the loss, on a GPU as a tensor () that nobody has waited for.

    ``path``: the drawn operations (edges,), or mixture weights (edges, ops).

    Weights that the path does not touch have no gradient: neither momentum nor decay moves them.
    With several ``parts`` the gradient of the batch is summed over so many pieces, each of which is
    normalised on its own. With several ranks each brings its own batch and path, or None where
    there is none left, and the step is along the mean of their gradients; memory that is too small
    for one is too small for all.
    """
    rest, head = shared.optimizer.param_groups
    rest["lr"], head["lr"] = lr, lr * shared.settings.head_rate
    shared.optimizer.zero_grad(set_to_none=True)
    weights = shared.weights
    try:
        own = None if batch is None else _backward(shared, batch, path, parts)
    except (RuntimeError, MemoryError) as error:
        if is_memory(error):
            shared.ranks.give_up(weights)
        raise
    loss = own if shared.ranks.size == 1 else shared.ranks.average_gradients(weights, _number(own))
    assert loss is not None
    touched = [weight for weight in weights if weight.grad is not None]
    torch.nn.utils.clip_grad_norm_(touched, shared.settings.clip)
    shared.optimizer.step()
    return loss


def _number(loss: float | Tensor | None) -> float | None:
    return float(loss) if isinstance(loss, Tensor) else loss


def _backward(
    shared: SharedWeights, batch: Batch, path: Choices | Probabilities, parts: int
) -> float | Tensor:
    """Leave the gradient of one batch in the weights; returns its loss."""
    net, settings = shared.net, shared.settings
    total: float | Tensor = 0.0
    for x, y in zip(batch.x.chunk(parts), batch.y.chunk(parts), strict=True):
        with computing_in(settings.precision, x.device):
            if path.ndim == 1:
                logits = net.sampled(x, np.asarray(path, dtype=np.int64))
            else:
                logits = net.mixture(x, torch.as_tensor(path, dtype=x.dtype, device=x.device))
        loss = task.loss(net.task, logits, y, settings.label_smoothing) * (len(y) / len(batch.y))
        loss.backward()  # type: ignore[no-untyped-call]
        # A GPU would be waited for here; a CPU has it, and adds in float64.
        total += float(loss.detach()) if x.device.type == "cpu" else loss.detach()
    return total


def digest(shared: SharedWeights) -> int:
    """A number in 0..2^31 that changes with any bit of the weights."""
    sums = [weight.detach().view(torch.int32).sum(dtype=torch.int64) for weight in shared.weights]
    return zlib.crc32(torch.stack(sums).cpu().numpy().tobytes()) >> 1


def accuracy(net: Supernet, choices: Choices, batches: Iterable[Batch]) -> float:
    """Share of images, in 0..1, that one sub-network with inherited weights gets right."""
    return float(accuracies(net, [choices], batches)[0])


@torch.no_grad()
def accuracies(
    net: Supernet, choices: Iterable[Choices], batches: Iterable[Batch]
) -> NDArray[np.float64]:
    """The same of several sub-networks, (N,): each batch is read once, and all counts from the
    device at the end."""
    networks, total, pieces = list(choices), 0, 1
    if not networks:
        return np.zeros(0)
    right: Tensor | None = None

    def score(net: Supernet, one: Choices, batch: Batch) -> Tensor:
        return task.scores(net.task, net.sampled(batch.x, one), batch.y).sum()

    for batch in batches:
        each, pieces = _scored(net, networks, batch, score, pieces)
        right = each if right is None else right + each
        total += len(batch.y)
    assert right is not None, "no image to score on"
    return np.array([count / total for count in right.cpu().tolist()])


@torch.no_grad()
def likelihoods(
    net: Supernet, choices: Iterable[Choices], batches: Iterable[Batch]
) -> NDArray[np.float64]:
    """Accuracy and likelihood, exp(-loss), in 0..1, of several sub-networks, (2, N).

    Of a classification the likelihood is the geometric mean of what the right classes are given.
    """
    networks, total, pieces = list(choices), 0, 1
    if not networks:
        return np.zeros((2, 0))
    sums: Tensor | None = None

    def score(net: Supernet, one: Choices, batch: Batch) -> Tensor:
        logits = net.sampled(batch.x, one)
        right = task.scores(net.task, logits, batch.y).sum()
        loss = task.loss(net.task, logits, batch.y) * len(batch.y)
        return torch.stack([right.double(), loss.double()])

    for batch in batches:
        each, pieces = _scored(net, networks, batch, score, pieces)
        sums = each.T if sums is None else sums + each.T
        total += len(batch.y)
    assert sums is not None, "no image to score on"
    mean: NDArray[np.float64] = (sums / total).cpu().numpy()
    return np.stack([mean[0], np.exp(-mean[1])])


@torch.no_grad()
def scores(
    net: Supernet, choices: Iterable[Choices], batches: Iterable[Batch]
) -> NDArray[np.float64]:
    """The score of each sub-network on each image, (N, images), in the order of the batches; of a
    classification 1 where it is right."""
    networks, found, total, pieces = list(choices), [], 0, 1

    def score(net: Supernet, one: Choices, batch: Batch) -> Tensor:
        return task.scores(net.task, net.sampled(batch.x, one), batch.y)

    for batch in batches:
        total += len(batch.y)
        if networks:
            each, pieces = _scored(net, networks, batch, score, pieces, torch.cat)
            found.append(each.cpu().double().numpy())
    return np.concatenate(found, axis=1) if networks else np.zeros((0, total))


Score = Callable[[Supernet, Choices, Batch], Tensor]


def _total(scores: list[Tensor]) -> Tensor:
    return sum(scores[1:], start=scores[0])


def _scored(
    net: Supernet,
    networks: Sequence[Choices],
    batch: Batch,
    score: Score,
    pieces: int,
    join: Callable[[list[Tensor]], Tensor] = _total,
) -> tuple[Tensor, int]:
    """The scores of all networks on one batch, (N, ...), and the pieces that it was taken in.

    Where the memory is too small, all of them are scored on smaller pieces, each of which is
    normalised on its own, as in a weight step: they stay comparable. ``join``: what the scores of
    the pieces are together.
    """

    def work(pieces: int) -> Tensor:
        count = max(1, min(pieces, len(batch.y) // 2))
        parts = [*zip(batch.x.tensor_split(count), batch.y.tensor_split(count), strict=True)]
        each = [[score(net, one, Batch(x, y)) for x, y in parts] for one in networks]
        return torch.stack([join(scores) for scores in each])

    return in_pieces(work, pieces, len(batch.y) // 2)


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
    weights = {
        name: torch.from_numpy(arrays[f"weight.{name}"].copy()) for name in shared.net.state_dict()
    }
    shared.net.load_state_dict(weights)
    for name, weight in shared.net.named_parameters():
        if f"momentum.{name}" in arrays:
            momentum = torch.from_numpy(arrays[f"momentum.{name}"].copy()).to(weight.device)
            shared.optimizer.state[weight]["momentum_buffer"] = torch.empty_like(weight).copy_(
                momentum
            )


def _numpy(value: Tensor) -> NDArray[Any]:
    return np.ascontiguousarray(value.detach().cpu().contiguous().numpy())
