"""How far two networks are apart: as exact tests of the images say that only one got right."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.stats import binomtest, multinomial

from hwnas.runs.paired import paired_difference, unpaired_difference
from hwnas.runs.right_images import Bools


def pair(only_first: int, only_second: int, both: int = 50, none: int = 10) -> tuple[Bools, Bools]:
    """Which of some images two networks got right."""
    first = [1] * (only_first + both) + [0] * (only_second + none)
    second = [0] * only_first + [1] * (both + only_second) + [0] * none
    return np.array(first, dtype=bool), np.array(second, dtype=bool)


@pytest.mark.parametrize(
    "counts", [(0, 0), (1, 0), (5, 0), (6, 0), (0, 6), (10, 3), (12, 2), (30, 12)]
)
def test_the_interval_holds_zero_where_the_exact_mcnemar_test_finds_nothing(
    counts: tuple[int, int],
) -> None:
    only_first, only_second = counts
    found = paired_difference(*pair(*counts))
    images = only_first + only_second + 60
    assert found.value == pytest.approx((only_first - only_second) / images)
    assert found.low <= found.value <= found.high and found.images == images
    finds = sum(counts) > 0 and binomtest(only_first, sum(counts)).pvalue < 0.05
    sign = "better" if only_first > only_second else "worse"
    assert found.outcome == (sign if finds else "open")


def test_the_other_way_round_only_the_sign_differs() -> None:
    first, second = pair(14, 3)
    one, other = paired_difference(first, second), paired_difference(second, first)
    assert (other.value, other.low, other.high) == pytest.approx((-one.value, -one.high, -one.low))


def test_without_the_images_less_can_be_told() -> None:
    first, second = pair(9, 1)
    paired = paired_difference(first, second)
    unpaired = unpaired_difference(first.mean(), second.mean(), len(first))
    assert unpaired.value == pytest.approx(paired.value)
    assert unpaired.high - unpaired.low > paired.high - paired.low
    assert paired.outcome == "better" and unpaired.outcome == "open"


def test_no_image_that_only_one_got_right_is_no_proof_that_there_are_none() -> None:
    # Of 18 images none: (z^2) / (18 + z^2) is the score interval's end.
    found = paired_difference(*pair(0, 0, both=14, none=4))
    assert found.value == 0 and found.outcome == "open"
    assert found.high == pytest.approx(0.17588, abs=1e-4)
    assert found.low == pytest.approx(-found.high)


def test_all_images_apart_leave_room_below_and_none_above() -> None:
    found = paired_difference(*pair(12, 0, both=6, none=0))
    assert found.value == pytest.approx(12 / 18)
    assert found.low < 0.45 and 0.8 < found.high < 1


def test_an_interval_never_leaves_what_is_possible() -> None:
    for counts in [(5, 0), (0, 5), (3, 2), (0, 0)]:
        found = paired_difference(*pair(*counts, both=0, none=0 if sum(counts) else 5))
        assert -1 <= found.low <= found.value <= found.high <= 1


@pytest.mark.parametrize("images", [18, 40])
def test_the_interval_holds_the_true_difference_as_often_as_it_says(images: int) -> None:
    """Summed over every outcome: how often the true difference lies inside. Where one image in 400
    tells the networks apart, the exact interval alone hardly ever holds it."""
    ways = [(b, c) for b in range(images + 1) for c in range(images + 1 - b)]
    found = [
        paired_difference(*pair(b, c, both=images - b - c, none=0)) if b + c < images else None
        for b, c in ways
    ]
    for only_first, only_second in [(0.002, 0.0005), (0.05, 0.01), (0.1, 0.1), (0.3, 0.05)]:
        truth = only_first - only_second
        shares = [only_first, only_second, 1 - only_first - only_second]
        held = sum(
            float(multinomial.pmf([b, c, images - b - c], images, shares))
            for (b, c), one in zip(ways, found, strict=True)
            if one is not None and one.low <= truth <= one.high
        )
        assert held > 0.94
