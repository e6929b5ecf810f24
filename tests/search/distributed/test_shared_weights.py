"""Scores of sub-networks with shared weights: one of each image, in order, in memory however
small."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from hwnas.nets.supernet import Supernet, build_supernet
from hwnas.search.distributed import shared_weights
from hwnas.space import SPACES
from hwnas.space.encoding import sample
from hwnas.space.family import family
from hwnas.training.dataset import Batch

SPACE = SPACES["nasbench201"]
RNG = np.random.default_rng(0)
PATHS = [sample(SPACE, RNG) for _ in range(3)]


def supernet() -> Supernet:
    of = family(SPACE, channels=4, cells=3, classes=3, image=(3, 8, 8), stem="cifar")
    return build_supernet(of, seed=0).eval()


def batches(*sizes: int) -> list[Batch]:
    generator = torch.Generator().manual_seed(0)
    return [
        Batch(
            torch.randn(size, 3, 8, 8, generator=generator),
            torch.randint(3, (size,), generator=generator),
        )
        for size in sizes
    ]


def test_each_image_is_scored_in_its_place_as_the_network_alone_scores_it() -> None:
    net, given = supernet(), batches(8, 5)
    found = shared_weights.scores(net, PATHS, given)
    assert found.shape == (3, 13)
    with torch.no_grad():
        for path, row in zip(PATHS, found, strict=True):
            right = [net.sampled(batch.x, path).argmax(1) == batch.y for batch in given]
            np.testing.assert_array_equal(row, torch.cat(right).double().numpy())
    np.testing.assert_allclose(
        found.mean(axis=1), shared_weights.accuracies(net, PATHS, given), rtol=1e-12
    )


def test_too_little_memory_means_smaller_pieces_and_the_same_order(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    net, given = supernet(), batches(8)
    halves = [Batch(x, y) for x, y in zip(given[0].x.chunk(2), given[0].y.chunk(2), strict=True)]
    expected = shared_weights.scores(net, PATHS, halves)
    whole = Supernet.sampled

    def small(self: Supernet, x: torch.Tensor, path: np.ndarray) -> torch.Tensor:
        if len(x) > 4:
            raise RuntimeError("CUDA out of memory")
        return whole(self, x, path)

    monkeypatch.setattr(Supernet, "sampled", small)
    np.testing.assert_array_equal(shared_weights.scores(net, PATHS, given), expected)


def test_no_network_has_no_row_and_all_images() -> None:
    assert shared_weights.scores(supernet(), [], batches(8, 5)).shape == (0, 13)
