from __future__ import annotations

import gc
import itertools
from collections.abc import Callable

import numpy as np
import pytest

from profilers.timing import (
    AT_REFERENCE,
    Duration,
    Protocol,
    cycle_runs,
    garbage_collector_off,
    sample,
    sample_interleaved,
    timed,
    warm_up,
)


class FakeClock:
    """A clock that only moves when somebody works."""

    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        return self.now

    def work(self, seconds: Callable[[], float]) -> Callable[[], None]:
        def run() -> None:
            self.now += seconds()

        return run


def fixed(value: float) -> Callable[[], float]:
    return lambda: value


def test_median_ignores_one_slow_run():
    clock = FakeClock()
    # The warm-up makes 10 runs of 10 ms; the 15th run of all takes a second.
    durations = itertools.chain([0.01] * 14, [1.0], itertools.repeat(0.01))
    sampler = timed(clock.work(lambda: next(durations)), clock, clock)
    samples = sample(sampler, Protocol(budget_s=3.0), clock)
    assert max(samples.wall) == pytest.approx(1.0)
    assert samples.summary.value == pytest.approx(0.01)


def test_the_warm_up_is_never_among_the_samples():
    clock = FakeClock()
    durations = itertools.chain([0.5] * 10, itertools.repeat(0.01))
    sampler = timed(clock.work(lambda: next(durations)), clock, clock)
    samples = sample(sampler, Protocol(warmup_limit_s=30), clock)
    assert max(samples.wall) == pytest.approx(0.01)
    assert samples.warmup[0] == 0.5


def test_the_warm_up_goes_on_until_the_running_median_is_stable():
    clock = FakeClock()
    falling = itertools.chain((0.02 * 0.97**i for i in range(60)), itertools.repeat(0.003))
    durations = warm_up(
        timed(clock.work(lambda: next(falling)), clock, clock), Protocol(warmup_limit_s=60), clock
    )
    third = len(durations) // 3
    assert len(durations) > 60
    assert np.median(durations[-third:]) == pytest.approx(
        np.median(durations[-2 * third : -third]), rel=0.02
    )


def test_a_warm_up_that_never_settles_ends_at_its_limit():
    clock = FakeClock()
    growing = (0.01 * 1.1**i for i in itertools.count())
    warm_up(
        timed(clock.work(lambda: next(growing)), clock, clock), Protocol(warmup_limit_s=2.0), clock
    )
    assert 2.0 <= clock.now < 6.0


def test_sampling_stops_early_when_the_interval_is_tight_and_at_the_budget_when_it_is_not():
    clock = FakeClock()
    steady = sample(
        timed(clock.work(fixed(0.01)), clock, clock), Protocol(budget_s=5.0, min_s=0.5), clock
    )
    assert 0.5 <= sum(steady.wall) < 0.7
    rng = np.random.default_rng(0)
    wild = sample(
        timed(clock.work(lambda: rng.uniform(0.005, 0.015)), clock, clock),
        Protocol(budget_s=5.0),
        clock,
    )
    assert 4.9 <= sum(wild.wall) <= 5.1


def starved(clock: FakeClock, seconds: float, share: float):
    """Runs that get only a share of the core, and are never alike."""
    rng = np.random.default_rng(0)

    def run(n: int) -> list[Duration]:
        clock.now += n * seconds / share
        return [
            Duration(own=seconds * rng.uniform(0.8, 1.2), wall=seconds / share) for _ in range(n)
        ]

    return run


def test_a_starved_process_waits_longer_for_as_many_samples_but_not_for_ever():
    clock = FakeClock()
    sparse = sample(starved(clock, 0.01, 0.4), Protocol(budget_s=2.0, tight=0.0), clock)
    assert sum(sparse.own) == pytest.approx(2.0, rel=0.1)
    assert sum(sparse.wall) == pytest.approx(5.0, rel=0.1)
    starving = sample(starved(clock, 0.01, 0.05), Protocol(budget_s=2.0, tight=0.0), clock)
    assert sum(starving.wall) == pytest.approx(8.0, rel=0.1)


def test_interleaved_candidates_take_turns_so_that_drift_falls_on_both():
    clock = FakeClock()
    log: list[str] = []

    def sampler(name: str, scale: float):
        def run(n: int) -> list[Duration]:
            log.append(name)
            # The host gets slower all the time: 1 % per second.
            seconds = scale * (1 + clock.now / 100)
            clock.now += n * seconds
            return [Duration(own=seconds, wall=seconds)] * n

        return run

    protocol = Protocol(budget_s=20, min_s=20, statistic="median")
    taken = sample_interleaved(
        {"a": sampler("a", 0.010), "b": sampler("b", 0.011)}, protocol, clock
    )
    # After the warm-ups, which come one after the other.
    turns = log[100:200]
    assert turns in (["a", "b"] * 50, ["b", "a"] * 50)
    assert taken["b"].summary.value / taken["a"].summary.value == pytest.approx(1.1, rel=0.005)


def drifting(clock: FakeClock, seconds: float):
    def run(n: int) -> list[Duration]:
        # Twice as slow in every other second; another process takes the core half of the time in
        # between.
        slow = 2.0 if int(clock.now) % 2 else 1.0
        clock.now += n * 3 * seconds * slow
        return [Duration(own=seconds * slow, wall=3 * seconds * slow)] * n

    return run


def test_a_reference_cancels_the_drift_of_the_host():
    clock = FakeClock()
    taken = sample_interleaved(
        {"a": drifting(clock, 0.008)},
        Protocol(budget_s=9, min_s=9),
        clock,
        drifting(clock, 0.002),
        nominal_s=0.0025,
    )["a"]
    assert taken.summary.statistic == AT_REFERENCE
    # Four times the reference, whatever the host did, at the reference's nominal 2.5 ms.
    assert taken.summary.value == pytest.approx(0.010)
    assert taken.summary.high - taken.summary.low < 1e-4
    assert taken.wall_summary.noisy
    assert len(taken.reference) == len(taken.cycles)


def test_a_statistic_that_was_asked_for_is_not_replaced_by_the_reference():
    clock = FakeClock()
    taken = sample_interleaved(
        {"a": drifting(clock, 0.008)},
        Protocol(budget_s=9, statistic="min"),
        clock,
        drifting(clock, 0.002),
        0.0025,
    )["a"]
    assert taken.summary.statistic == "min"
    assert taken.summary.value == pytest.approx(0.008)


def test_every_raw_sample_is_kept():
    clock = FakeClock()
    samples = sample(timed(clock.work(fixed(0.001)), clock, clock), Protocol(), clock)
    assert len(samples.own) == len(samples.wall) == sum(samples.cycles) == samples.summary.n


def test_nothing_to_sample_gives_nothing():
    assert sample_interleaved({}) == {}


def test_a_cycle_holds_one_slow_run_or_many_fast_ones():
    assert cycle_runs([1.0] * 10, Protocol()) == 1
    assert cycle_runs([0.001] * 10, Protocol(cycle_s=0.003)) == 3
    assert cycle_runs([1e-7] * 10, Protocol(cycle_most=25)) == 25


def test_an_unknown_statistic_is_refused():
    with pytest.raises(ValueError, match="'mean' is none of auto, median, p10, min"):
        Protocol(statistic="mean")


@pytest.mark.parametrize("was_on", [True, False])
def test_the_garbage_collector_is_left_as_it_was(was_on):
    before = gc.isenabled()
    try:
        (gc.enable if was_on else gc.disable)()
        with pytest.raises(RuntimeError), garbage_collector_off():
            assert not gc.isenabled()
            raise RuntimeError
        assert gc.isenabled() is was_on
    finally:
        (gc.enable if before else gc.disable)()
