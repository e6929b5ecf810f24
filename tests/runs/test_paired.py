"""How far two networks are apart: as exact tests of the images say that only one got right."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.stats import binomtest

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
