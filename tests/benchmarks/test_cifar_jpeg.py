from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
import pytest

from benchmarks import cifar_jpeg
from hwnas.training import data

SOURCE = Path(__file__).parents[2] / "../shared/data/cifar10_jpeg.npz"
pytestmark = pytest.mark.skipif(
    not SOURCE.exists(), reason="the shared CIFAR-10 JPEGs are not on this machine"
)


def test_a_balanced_subset_becomes_a_file_that_search_reads(tmp_path, monkeypatch):
    target = tmp_path / "cifar.npz"
    command = ["cifar_jpeg.py", str(SOURCE), str(target), "--train", "400", "--test", "100"]
    monkeypatch.setattr(sys, "argv", command)
    cifar_jpeg.main()
    dataset = data.load(target)
    assert (
        data.size(dataset, "weights"),
        data.size(dataset, "policy"),
        data.size(dataset, "test"),
    ) == (
        200,
        200,
        100,
    )
    assert dataset.image == (3, 32, 32)
    assert dataset.classes == cifar_jpeg.CLASSES
    assert np.bincount(dataset.train_labels.numpy()).tolist() == pytest.approx([40] * 10, abs=1)
    # The known channel means of CIFAR-10, which JPEG leaves alone.
    assert dataset.mean == pytest.approx((0.491, 0.482, 0.447), abs=0.03)


def test_more_images_than_there_are_is_refused():
    with pytest.raises(SystemExit, match="the file has 10000 images"):
        cifar_jpeg.load(SOURCE, train=1, test=10001)
