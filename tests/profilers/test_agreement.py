from __future__ import annotations

import math

import numpy as np
import pytest

from profilers.agreement import kendall_tau, mape_percent, seven_digits


def test_mape_is_relative_to_what_was_measured() -> None:
    # 10 % too high, 20 % too low: (10 + 20) / 2.
    assert mape_percent(np.array([1.1, 1.6]), np.array([1.0, 2.0])) == pytest.approx(15.0)


def test_tau_of_one_swapped_pair() -> None:
    # Of the 6 pairs of 4 values one is discordant: (5 - 1) / 6.
    assert kendall_tau(
        np.array([1.0, 2.0, 4.0, 3.0]), np.array([1.0, 2.0, 3.0, 4.0])
    ) == pytest.approx(4 / 6)


def test_tau_b_discounts_ties() -> None:
    # Pairs: (1,2) tied in a; (1,3) and (2,3) concordant: 2 / sqrt(2 * 3).
    tied = kendall_tau(np.array([1.0, 1.0, 2.0]), np.array([1.0, 2.0, 3.0]))
    assert tied == pytest.approx(2 / math.sqrt(6))


def test_tau_of_many_values_equals_the_pair_by_pair_definition() -> None:
    rng = np.random.default_rng(0)
    a, b = rng.integers(0, 50, 600).astype(float), rng.integers(0, 50, 600).astype(float)
    first, second = np.triu_indices(600, 1)
    da, db = np.sign(a[first] - a[second]), np.sign(b[first] - b[second])
    expected = (da * db).sum() / math.sqrt((da != 0).sum() * (db != 0).sum())
    assert kendall_tau(a, b) == pytest.approx(expected)


def test_tau_of_a_constant_is_not_a_number() -> None:
    assert math.isnan(kendall_tau(np.ones(4), np.arange(4.0)))


def test_rounding_errors_make_no_order() -> None:
    values = np.array([0.1 + 0.2, 0.3, 1234.5678, 0.0])
    assert seven_digits(values).tolist() == pytest.approx([0.3, 0.3, 1234.568, 0.0])
    assert seven_digits(values)[0] == seven_digits(values)[1]
