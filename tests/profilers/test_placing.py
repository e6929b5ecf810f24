from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from profilers.covariance import Part, part
from profilers.placing import choose, needed, prior_for
from profilers.posterior import place
from profilers.prior import KnownDevice, apart

ROWS, SEEN = 400, np.arange(200)


def counts() -> np.ndarray:
    return np.random.default_rng(0).integers(0, 5, size=(ROWS, 4)).astype(float)


def device(prices: tuple[float, ...], noise: float = 0.0, seed: int = 0) -> np.ndarray:
    """Latencies of a device at which each operation makes a network so many tenths slower, in
    ms: of the form that the parts can say."""
    spread = np.exp(noise * np.random.default_rng(seed).standard_normal(ROWS))
    return np.asarray(np.exp(counts() @ np.array(prices) / 10) * spread)


KNOWN = [
    KnownDevice(device=str(number), latency_ms=device(prices, 0.02, number))
    for number, prices in enumerate(
        [(1, 2, 0.1, 4), (0.5, 3, 0.2, 1), (2, 1, 0.1, 2), (1, 1, 1, 1)]
    )
]


def parts() -> tuple[Part, ...]:
    found = part("counts", counts())
    assert found is not None
    return (found,)


def placed(noise: float, count: int = 10, seed: int = 7) -> tuple[float, float]:
    """Mean relative error on all networks but the measured, and the part in their intervals."""
    of = prior_for(parts(), KNOWN, SEEN, count)
    measured = choose(of, SEEN, count)
    truth = device((1.5, 2.5, 0.3, 3.0), noise, seed)
    rest = np.setdiff1d(np.arange(ROWS), measured)
    found = place(of, measured, truth[measured], rest)
    inside = (found.low_ms <= truth[rest]) & (truth[rest] <= found.high_ms)
    return float(np.abs(found.latency_ms / truth[rest] - 1).mean()), float(inside.mean())


def test_ten_networks_place_a_device_among_known_ones() -> None:
    error, _ = placed(noise=0.02)
    # Single measurements scatter by 2 %, 1.6 % in the mean of their absolute values.
    assert error < 0.05
    of = prior_for(parts(), [], SEEN, 10)
    truth = device((1.5, 2.5, 0.3, 3.0), 0.02, 7)
    measured = choose(of, SEEN, 10)
    alone = place(of, measured, truth[measured], np.arange(ROWS)).latency_ms
    assert error < np.abs(alone / truth - 1).mean()


def test_intervals_hold_most_also_on_a_device_twice_as_noisy_as_those_known() -> None:
    for noise in (0.02, 0.04):
        inside = np.mean([placed(noise, count=20, seed=seed)[1] for seed in range(2)])
        assert 0.75 < inside < 0.995


def test_a_devices_own_operations_help_and_do_little_harm_where_they_are_wrong() -> None:
    of = prior_for(parts(), KNOWN[:1], SEEN, 10)
    sums = device((1.5, 2.5, 0.3, 3.0))
    truth = 0.3 + 1.2 * device((1.5, 2.5, 0.3, 3.0), 0.01, 7)
    wrong = np.random.default_rng(3).permutation(sums)

    def error(sums_ms: np.ndarray | None) -> float:
        own = None if sums_ms is None else apart(sums_ms, [np.ones(ROWS)], SEEN)
        known = replace(of, apart=own)
        measured = choose(known, SEEN, 10)
        found = place(known, measured, truth[measured], np.arange(ROWS)).latency_ms
        return float(np.abs(found / truth - 1).mean())

    # One measurement scatters by 1 %, 0.8 % in the mean.
    assert error(sums) < 0.015
    assert error(sums) < error(None) / 2
    assert error(wrong) < 3 * error(None)


def test_a_network_is_chosen_once_and_the_first_do_not_depend_on_how_many() -> None:
    of = prior_for(parts(), KNOWN, SEEN, 10)
    chosen = choose(of, SEEN, 20)
    assert len(set(chosen.tolist())) == 20
    assert choose(of, SEEN, 5).tolist() == chosen[:5].tolist()


def test_what_known_devices_say_of_networks_that_are_not_seen_is_not_looked_at() -> None:
    hidden = [
        KnownDevice(
            device=one.device,
            latency_ms=np.where(np.arange(ROWS) < len(SEEN), one.latency_ms, np.nan),
        )
        for one in KNOWN
    ]
    a, b = (prior_for(parts(), known, SEEN, 10) for known in (KNOWN, hidden))
    assert np.array_equal(a.parts[0].points, b.parts[0].points)
    assert a.widened == b.widened


def test_enough_networks_are_not_asked_for_more() -> None:
    of = prior_for(parts(), KNOWN, SEEN, 10)
    measured = choose(of, SEEN, 10)
    assert needed(of, measured, SEEN, 8.0) == (10, 8.0)
    more, reached = needed(of, measured, SEEN, 11.0)
    assert more > 10 and reached < 11.0


def test_features_that_never_differ_are_no_part() -> None:
    assert part("constant", np.ones((5, 2))) is None
    found = part("one of two", np.column_stack([np.ones(5), np.arange(5.0)]))
    assert found is not None and found.points.shape == (5, 1)
    assert (found.points**2).sum(axis=1).mean() == pytest.approx(1.0)
