"""The gradient of one batch, whole or in pieces."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

import torch
from torch import Tensor, nn

from hwnas.nets import task
from hwnas.nets.fitting import in_pieces
from hwnas.nets.precision import computing_in
from hwnas.space.task import Task
from hwnas.training.building import _layout
from hwnas.training.data import Batch
from hwnas.training.learning import Mixture, loss_of
from hwnas.training.recipe import Recipe

Part = tuple[Batch, Tensor | None, Mixture | None]


def gradient(
    runner: nn.Module,
    learned: Task,
    batch: Batch,
    keep: Tensor | None,
    other: Mixture | None,
    recipe: Recipe,
    scaler: torch.amp.GradScaler,
    pieces: int = 1,
) -> tuple[Tensor, Tensor, int]:
    """Leave the gradient of the mean loss of a batch in the weights, scaled; returns the loss (),
    the number of images that are right, (), and in how many pieces that was done: twice as many
    each time that the memory was too small.

    ``keep``: drop-path's factors (edges, n, 1, 1, 1). In several pieces the gradient is that of the
    same mean over all images, but BatchNorm normalises each piece by itself, and has then seen
    some images of the first attempt twice.
    """

    def work(pieces: int) -> tuple[Tensor, Tensor]:
        runner.zero_grad(set_to_none=True)
        return _sum(
            runner, learned, _parts(batch, keep, other, pieces), len(batch.y), recipe, scaler
        )

    # BatchNorm needs more than one image.
    (loss, right), pieces = in_pieces(work, min(pieces, len(batch.y)), len(batch.y) // 2)
    return loss, right, pieces


def _sum(
    runner: nn.Module,
    learned: Task,
    parts: Iterable[Part],
    count: int,
    recipe: Recipe,
    scaler: torch.amp.GradScaler,
) -> tuple[Tensor, Tensor]:
    losses, right = [], []
    for part, factors, mixed_in in parts:
        with computing_in(recipe.precision, part.x.device):
            output = runner(_layout(part.x), factors)
        logits, extra = output if isinstance(output, tuple) else (output, None)
        loss = loss_of(learned, logits, extra, part, recipe, mixed_in)
        if len(part.y) < count:
            loss = loss * (len(part.y) / count)
        scaler.scale(loss).backward()  # type: ignore[no-untyped-call]
        losses.append(loss.detach())
        with torch.no_grad():
            right.append(task.scores(learned, logits, part.y).sum())
    return torch.stack(losses).sum(), torch.stack(right).sum()


def _parts(batch: Batch, keep: Tensor | None, other: Mixture | None, pieces: int) -> Iterator[Part]:
    if pieces == 1:
        yield batch, keep, other
        return
    for index in torch.arange(len(batch.y)).tensor_split(pieces):
        at = slice(int(index[0]), int(index[-1]) + 1)
        soft = None if batch.soft is None else batch.soft[at]
        mixed_in = None if other is None else Mixture(other.labels[at], other.share)
        yield Batch(batch.x[at], batch.y[at], soft), None if keep is None else keep[:, at], mixed_in
