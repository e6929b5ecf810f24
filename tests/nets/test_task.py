"""The loss and the score of a classification, against their formulas."""

from __future__ import annotations

import pytest
import torch

from hwnas.nets.task import loss, scores
from hwnas.space.task import Task

TASK = Task(classes=3, image=(1, 8, 8))
LOGITS = torch.tensor([[2.0, 0.0, 1.0], [0.0, 3.0, -1.0], [1.0, 0.5, 0.0], [0.0, 0.0, 4.0]])
LABELS = torch.tensor([0, 1, 2, 2])


def test_an_image_scores_where_its_class_has_the_largest_logit() -> None:
    assert scores(TASK, LOGITS, LABELS).tolist() == [True, True, False, True]


@pytest.mark.parametrize("smoothing", [0.0, 0.1])
def test_the_loss_is_the_mean_cross_entropy_with_smoothed_labels(smoothing: float) -> None:
    shares = LOGITS.exp() / LOGITS.exp().sum(dim=1, keepdim=True)
    wanted = (1 - smoothing) * torch.eye(3)[LABELS] + smoothing / 3
    expected = -(wanted * shares.log()).sum(dim=1).mean()
    assert float(loss(TASK, LOGITS, LABELS, smoothing)) == pytest.approx(float(expected), rel=1e-6)
