from __future__ import annotations

import numpy as np
import pytest

from profilers.robust import (
    block_spread,
    bootstrap_interval,
    choose_statistic,
    in_blocks,
    summarise,
)


def noisy(seed: int, n: int = 400, scale: float = 0.01) -> list[float]:
    return list(np.random.default_rng(seed).normal(10.0, scale, n))


def test_median_ignores_one_slow_run():
    quiet = [1.0, 1.0, 1.0, 1.0, 1.0, 1.0, 1.0, 1.0, 1.0]
    assert summarise([*quiet, 50.0]).value == 1.0


def test_order_statistics_are_those_of_numpy():
    values = noisy(0)
    summary = summarise(values, "median")
    assert summary.n == 400
    assert summary.min == min(values)
    assert summary.p99 == pytest.approx(np.quantile(values, 0.99))
    assert summary.iqr == pytest.approx(np.quantile(values, 0.75) - np.quantile(values, 0.25))
    assert summary.low <= summary.value == summary.median <= summary.high


def test_a_quiet_host_is_ranked_by_the_median():
    assert choose_statistic([noisy(0)]) == "median"
    assert not summarise(noisy(0)).noisy


def test_a_host_that_is_busy_in_phases_is_ranked_by_a_low_statistic_and_marked():
    # Phases of contention add time to most runs of a block; every block still has some undisturbed
    # ones.
    rng = np.random.default_rng(1)
    phases = np.repeat(rng.uniform(0.0, 3.0, 20), 20)
    disturbed = rng.random(400) < 0.8
    values = 10.0 + rng.normal(0, 0.01, 400) + phases * disturbed
    summary = summarise(list(values))
    assert summary.statistic in ("min", "p10")
    assert summary.noisy
    assert summary.value == pytest.approx(10.0, rel=0.01)


def test_candidates_that_are_compared_share_the_statistic_of_the_noisiest():
    rng = np.random.default_rng(2)
    busy = 10.0 + np.repeat(rng.uniform(0.0, 3.0, 20), 20) * (rng.random(400) < 0.8)
    assert choose_statistic([list(busy), noisy(0)]) == choose_statistic([list(busy)]) != "median"


def test_the_interval_covers_the_true_median_about_95_times_of_100():
    covered = 0
    for seed in range(100):
        low, high = bootstrap_interval(noisy(seed), "median")
        covered += low <= 10.0 <= high
    assert covered >= 85


def test_slow_phases_make_the_interval_wider_than_independent_noise_of_the_same_size():
    # The same values; only their order differs: in phases they hold less information.
    phased = np.repeat(np.random.default_rng(3).normal(10, 0.5, 20), 20)
    shuffled = np.random.default_rng(4).permutation(phased)
    width = np.diff(bootstrap_interval(list(phased), "median"))
    assert width > 1.5 * np.diff(bootstrap_interval(list(shuffled), "median"))


def test_the_same_samples_and_seed_give_the_same_interval():
    assert bootstrap_interval(noisy(5), "p10", seed=7) == bootstrap_interval(
        noisy(5), "p10", seed=7
    )


def test_blocks_keep_the_order_of_time_and_leave_out_the_first_remainder():
    assert in_blocks(list(range(11)), most=2).tolist() == [[1, 2, 3, 4, 5], [6, 7, 8, 9, 10]]
    assert in_blocks([1.0, 2.0, 3.0]).shape == (3, 1)


def test_the_spread_of_equal_blocks_is_zero():
    assert block_spread([2.0] * 40, "median") == 0.0


def test_one_sample_is_summarised_too():
    summary = summarise([3.0])
    assert (summary.low, summary.value, summary.high) == (3.0, 3.0, 3.0)
