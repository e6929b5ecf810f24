"""Which images were right, as text: what is read is what was written."""

from __future__ import annotations

import numpy as np
import pytest

from hwnas.runs.right_images import packed, unpacked


def test_what_was_right_is_read_as_it_was_written() -> None:
    rng = np.random.default_rng(0)
    for images in (1, 7, 8, 9, 359):
        right = rng.random(images) < 0.7
        text = packed(right)
        assert len(text) == 2 * -(-images // 8)
        assert (unpacked(text, images) == right).all()


@pytest.mark.parametrize("text", ["8180", "81", "zz", "818000"])
def test_a_text_of_another_number_of_images_is_refused(text: str) -> None:
    # "8180" holds nine images, of which the last is right.
    images = 8 if text == "8180" else 9 if text != "818000" else 24 + 1
    with pytest.raises(ValueError):
        unpacked(text, images)
