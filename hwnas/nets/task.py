"""The loss and the score of a task, in torch (hwnas.space.task has what needs none)."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import torch.nn.functional as F
from torch import Tensor

from hwnas.space.task import CLASSIFICATION, Task


@dataclass(frozen=True, kw_only=True)
class _Learning:
    """``loss(outputs, targets, smoothing)`` -> (), the mean over a batch; ``scores(outputs,
    targets)`` -> (n,)."""

    loss: Callable[[Tensor, Tensor, float], Tensor]
    scores: Callable[[Tensor, Tensor], Tensor]


def _cross_entropy(outputs: Tensor, targets: Tensor, smoothing: float) -> Tensor:
    return F.cross_entropy(outputs, targets, label_smoothing=smoothing)


def _is_right(outputs: Tensor, targets: Tensor) -> Tensor:
    return outputs.argmax(dim=1) == targets


_LEARNING = {CLASSIFICATION.name: _Learning(loss=_cross_entropy, scores=_is_right)}
"""By kind of task."""


def loss(task: Task, outputs: Tensor, targets: Tensor, smoothing: float = 0.0) -> Tensor:
    """What training descends, (): of a classification the mean cross-entropy of logits (n,
    classes), labels (n,). Of outputs of 16 bits in float32."""
    precise = outputs if outputs.dtype.itemsize > 2 else outputs.float()
    return _LEARNING[task.kind.name].loss(precise, targets, smoothing)


def scores(task: Task, outputs: Tensor, targets: Tensor) -> Tensor:
    """The score of each image, (n,): of a classification whether the largest logit is the right
    class."""
    return _LEARNING[task.kind.name].scores(outputs, targets)
