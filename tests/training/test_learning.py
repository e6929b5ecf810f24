"""Mixed images and their loss, and the parts of a step that recipes set."""

from __future__ import annotations

from dataclasses import replace

import pytest
import torch
from torch.nn import functional

from hwnas.space.task import Task
from hwnas.training.augment import mixed
from hwnas.training.data import Batch
from hwnas.training.dataset import generator
from hwnas.training.learning import loss_of, mixture
from hwnas.training.recipe import RECIPES

RECIPE = replace(RECIPES["quick"], mixup=0.4, label_smoothing=0.1)
IMAGES = torch.arange(24.0).view(6, 1, 2, 2)
LABELS = torch.tensor([0, 1, 2, 0, 1, 2])
TASK = Task(classes=3, image=(1, 2, 2))


def test_each_image_is_its_share_of_itself_and_the_rest_of_another() -> None:
    x, partner, share = mixed(IMAGES, 0.4, generator(1, 2))
    assert sorted(partner.tolist()) == list(range(6)) and 0.5 <= share <= 1
    assert torch.allclose(x, share * IMAGES + (1 - share) * IMAGES[partner])


def test_the_same_words_mix_the_same_and_leave_the_global_generators_alone() -> None:
    before = torch.get_rng_state()
    draws = [mixed(IMAGES, 0.4, generator(1, word)) for word in (2, 2, 3)]
    assert torch.equal(draws[0][0], draws[1][0]) and draws[0][2] == draws[1][2]
    assert draws[0][2] != draws[2][2] and torch.equal(before, torch.get_rng_state())


@pytest.mark.parametrize("alpha", [0.2, 1.0])
def test_shares_follow_the_beta_distribution_folded_at_one_half(alpha: float) -> None:
    """max(s, 1 - s) with s from Beta(alpha, alpha), whose variance is 1 / (4 (2 alpha + 1))."""
    shares = torch.tensor([mixed(IMAGES, alpha, generator(0, n))[2] for n in range(1000)])
    variance = float(((shares - 0.5) ** 2).mean())  # folding does not change it
    assert variance == pytest.approx(1 / (4 * (2 * alpha + 1)), rel=0.1)


def test_the_loss_of_a_mixture_is_that_of_labels_in_the_same_shares() -> None:
    """A second way: one cross-entropy against probabilities."""
    batch, other = mixture(Batch(IMAGES, LABELS), 1.0, generator(5))
    logits = torch.randn(6, 3, generator=torch.Generator().manual_seed(0))
    assert torch.equal(batch.y, LABELS)
    both = other.share * functional.one_hot(LABELS, 3).float()
    both += (1 - other.share) * functional.one_hot(other.labels, 3).float()
    expected = functional.cross_entropy(logits, both, label_smoothing=0.1)
    found = loss_of(TASK, logits, None, batch, RECIPE, other)
    assert float(found) == pytest.approx(float(expected), abs=1e-6)


def test_what_a_teacher_says_is_mixed_with_the_images() -> None:
    soft = torch.eye(3)[LABELS]
    batch, other = mixture(Batch(IMAGES, LABELS, soft), 1.0, generator(5))
    assert batch.soft is not None
    assert torch.allclose(batch.soft.sum(dim=1), torch.ones(6))
    assert torch.allclose(
        batch.soft, other.share * soft + (1 - other.share) * torch.eye(3)[other.labels]
    )
