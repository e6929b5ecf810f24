"""hwnas.search.scoring_images: the images that choose are none of those that are printed from."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import torch

from hwnas.search.scoring_images import FEWEST, ScoringImages, scoring_images
from hwnas.training.data import load
from tests.search import tiny


def images_of(data: Path, **changes: Any) -> ScoringImages:
    config = tiny.config(data, **{**tiny.COVER, **changes})
    return scoring_images(config, load(data))


def pixels(batches: Any) -> list[bytes]:
    return [image.numpy().tobytes() for batch in batches for image in batch.x]


def test_no_image_chooses_and_is_printed_from(tmp_path: Path) -> None:
    data = tiny.images(tmp_path / "images.npz", count=6 * FEWEST)
    images = images_of(data)
    assert (images.choosing, images.printing) == (FEWEST, 2 * FEWEST)
    chosen, printed = pixels(images.to_choose()), pixels(images.to_print())
    assert (len(chosen), len(printed)) == (FEWEST, 2 * FEWEST)
    assert not set(chosen) & set(printed)
    assert pixels(images_of(data).to_choose()) == chosen


def test_of_few_images_all_do_both(tmp_path: Path) -> None:
    data = tiny.images(tmp_path / "images.npz")
    images = images_of(data)
    assert (images.choosing, images.printing) == (0, 48)
    assert pixels(images.to_choose()) == pixels(images.to_print())


def test_other_fronts_are_scored_on_all_images(tmp_path: Path) -> None:
    data = tiny.images(tmp_path / "images.npz", count=6 * FEWEST)
    plain = scoring_images(tiny.config(data), load(data))
    assert (plain.choosing, plain.printing) == (0, 3 * FEWEST)
    (batch,) = plain.to_print()
    assert torch.bincount(batch.y).min() > 0
