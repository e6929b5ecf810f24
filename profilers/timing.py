"""The one sampling protocol of every latency: warm up until stable, sample until tight, then
summarise.

It needs the standard library and numpy only, because the same file travels to remote hosts, and it
knows nothing of what it times: a sampler makes n runs and returns their durations; clocks are
arguments.

Two things keep a number repeatable on a busy host. Each run has two durations: `own`, what the
device itself spent (CPU time of the thread, CUDA events), which other processes cannot inflate by
taking the core away, and `wall`. And a fixed reference workload may run in turn with the
candidates: the host's drift (shared caches, a busy sibling thread, clock speed) hits both alike and
cancels in their ratio, which is then reported at the reference's nominal speed on this host.
docs/profilers.md shows what each of the two is worth.
"""

from __future__ import annotations

import gc
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass

import numpy as np

from profilers.robust import NOISE_LIMIT, STATISTICS, Summary, choose_statistic, summarise

Clock = Callable[[], float]
AT_REFERENCE = "median at reference speed"


@dataclass(frozen=True, kw_only=True)
class Duration:
    """One run: seconds that the device itself spent on it, and seconds on the wall."""

    own: float
    wall: float


Sampler = Callable[[int], Sequence[Duration]]


@dataclass(frozen=True, kw_only=True)
class Protocol:
    """How long and how carefully to sample; times in seconds, `stable` and `tight` are fractions.

    The warm-up lasts at least `warmup_s` and `warmup_runs`, then until the running median moves
    less than `stable`, at most `warmup_limit_s`. Sampling goes in cycles of about `cycle_s`, at
    most `cycle_most` runs per candidate, until the 95 % interval of the ranked statistic is
    narrower than `tight` of its value (not before `min_s` and `min_cycles`) or the candidate's
    `budget_s` is over. The budget is counted in the device's own time, since a process that gets a
    fifth of a core needs as many samples as any other; on the wall it ends after `patience` times
    as long. `statistic` is "auto" (at reference speed where there is a reference, else chosen by
    the host's noise) or one of `STATISTICS`.
    """

    warmup_s: float = 0.05
    warmup_runs: int = 10
    warmup_limit_s: float = 1.0
    stable: float = 0.02
    cycle_s: float = 0.003
    cycle_most: int = 25
    check_s: float = 0.1
    min_s: float = 0.5
    min_cycles: int = 20
    budget_s: float = 2.0
    patience: float = 4.0
    tight: float = 0.01
    statistic: str = "auto"
    noise_limit: float = NOISE_LIMIT

    def __post_init__(self) -> None:
        """Refuse an unknown statistic (ValueError)."""
        if self.statistic not in ("auto", *STATISTICS):
            raise ValueError(
                f"statistic '{self.statistic}' is none of auto, {', '.join(STATISTICS)}"
            )


@dataclass(frozen=True, kw_only=True)
class Samples:
    """Every raw duration of one candidate (seconds, in order) and what they say.

    `own` and `wall` are per run; `cycles` is the number of runs in each cycle; `reference` is the
    reference's own time in each cycle (empty without one). `summary` is of the ranked series,
    `wall_summary` of the wall.
    """

    own: tuple[float, ...]
    wall: tuple[float, ...]
    warmup: tuple[float, ...]
    cycles: tuple[int, ...]
    reference: tuple[float, ...]
    summary: Summary
    wall_summary: Summary


def timed(
    run: Callable[[], object], clock: Clock = time.perf_counter, own: Clock = time.thread_time
) -> Sampler:
    """A sampler that reads both clocks before and after each call of `run`.

    The default `own` clock is the calling thread's CPU time: right for work done in this one
    thread. For work in several threads give the wall clock for both.
    """

    def sampler(n: int) -> list[Duration]:
        durations = []
        for _ in range(n):
            start, own_start = clock(), own()
            run()
            own_end, end = own(), clock()
            durations.append(Duration(own=own_end - own_start, wall=end - start))
        return durations

    return sampler


def sample(
    sampler: Sampler, protocol: Protocol | None = None, clock: Clock = time.perf_counter
) -> Samples:
    """Warm up and sample one candidate without a reference; see `sample_interleaved`."""
    return sample_interleaved({"": sampler}, protocol, clock)[""]


def sample_interleaved(
    samplers: Mapping[str, Sampler],
    protocol: Protocol | None = None,
    clock: Clock = time.perf_counter,
    reference: Sampler | None = None,
    nominal_s: float | None = None,
) -> dict[str, Samples]:
    """Sample several candidates in turn, cycle by cycle, so that the host's drift falls on all
    alike.

    Each candidate has its own budget and stops when its own interval is tight. `reference` runs
    once per cycle and `nominal_s` is its own time when the host is quiet (None: it is only
    recorded). All candidates are ranked by the same statistic.
    """
    protocol = protocol or Protocol()
    if not samplers:
        return {}
    rows = {name: _Row(sampler, protocol, clock, nominal_s) for name, sampler in samplers.items()}
    if reference is not None:
        warm_up(reference, protocol, clock)
    with garbage_collector_off():
        unfinished = list(rows.values())
        while unfinished:
            start = clock()
            for row in unfinished:
                row.cycle()
            now = reference(1)[0].own if reference is not None else None
            # All are charged alike, so that they end together and none goes on through later drift
            # alone.
            own = (sum(row.latest for row in unfinished) + (now or 0.0)) / len(unfinished)
            wall = (clock() - start) / len(unfinished)
            for row in unfinished:
                row.close_cycle(now, own, wall)
            unfinished = [row for row in unfinished if not row.is_enough()]
    statistic = protocol.statistic
    if statistic == "auto":
        statistic = choose_statistic([row.ranked for row in rows.values()], protocol.noise_limit)
    return {name: row.samples(statistic) for name, row in rows.items()}


class _Row:
    """The growing record of one candidate while it is sampled."""

    def __init__(
        self, sampler: Sampler, protocol: Protocol, clock: Clock, nominal_s: float | None
    ) -> None:
        self.sampler, self.protocol, self.nominal_s = sampler, protocol, nominal_s
        self.warmup = warm_up(sampler, protocol, clock)
        self.runs = cycle_runs(self.warmup, protocol)
        self.own: list[float] = []
        self.wall: list[float] = []
        self.cycles: list[int] = []
        self.reference: list[float] = []
        self.corrected: list[float] = []
        self.spent = self.waited = self.checked = 0.0

    def cycle(self) -> None:
        durations = self.sampler(self.runs)
        self.own += [duration.own for duration in durations]
        self.wall += [duration.wall for duration in durations]
        self.cycles.append(len(durations))

    @property
    def latest(self) -> float:
        """Own time of the last cycle."""
        return sum(self.own[-self.cycles[-1] :])

    def close_cycle(self, reference: float | None, own: float, wall: float) -> None:
        self.spent += own
        self.waited += wall
        if reference is None:
            return
        self.reference.append(reference)
        if self.nominal_s is not None and self.protocol.statistic == "auto":
            latest = float(np.median(self.own[-self.cycles[-1] :]))
            self.corrected.append(latest / max(reference, 1e-9) * self.nominal_s)

    @property
    def ranked(self) -> list[float]:
        """The series that is ranked: one value per cycle at reference speed, else one per run."""
        return self.corrected or self.own

    def summary(self, statistic: str) -> Summary:
        limit = self.protocol.noise_limit
        if self.corrected:
            return summarise(self.corrected, "median", label=AT_REFERENCE, noise_limit=limit)
        return summarise(self.own, statistic, noise_limit=limit)

    def is_enough(self) -> bool:
        """Whether the budget is over or the interval tight; looks at the interval every
        `check_s` only."""
        protocol = self.protocol
        if self.spent >= protocol.budget_s or self.waited >= protocol.patience * protocol.budget_s:
            return True
        if self.spent < max(protocol.min_s, self.checked + protocol.check_s):
            return False
        self.checked = self.spent
        if len(self.cycles) < protocol.min_cycles:
            return False
        summary = self.summary(protocol.statistic)
        return summary.high - summary.low <= protocol.tight * summary.value

    def samples(self, statistic: str) -> Samples:
        return Samples(
            own=tuple(self.own),
            wall=tuple(self.wall),
            warmup=tuple(self.warmup),
            cycles=tuple(self.cycles),
            reference=tuple(self.reference),
            summary=self.summary(statistic),
            wall_summary=summarise(self.wall, "median", noise_limit=self.protocol.noise_limit),
        )


def warm_up(sampler: Sampler, protocol: Protocol, clock: Clock = time.perf_counter) -> list[float]:
    """Run until long enough, often enough and stable; returns the wall durations of the warm-up.

    Stable: the median of the last third of the runs is within `stable` of that of the third before
    it.
    """
    durations: list[float] = []
    start = clock()
    while True:
        durations += [duration.wall for duration in sampler(max(1, protocol.warmup_runs // 2))]
        elapsed = clock() - start
        if elapsed >= protocol.warmup_limit_s:
            return durations
        if elapsed >= protocol.warmup_s and len(durations) >= protocol.warmup_runs:
            window = max(1, len(durations) // 3)
            now, before = (
                np.median(durations[-window:]),
                np.median(durations[-2 * window : -window]),
            )
            if abs(now - before) <= protocol.stable * before:
                return durations


def cycle_runs(warmup: Sequence[float], protocol: Protocol) -> int:
    """Runs that fill about `cycle_s`, from one to `cycle_most`."""
    typical = float(np.median(warmup[len(warmup) // 2 :]))
    return max(1, min(protocol.cycle_most, round(protocol.cycle_s / max(typical, 1e-9))))


@contextmanager
def garbage_collector_off() -> Iterator[None]:
    """Collect once, then keep Python's collector from running in the middle of a sample."""
    was_on = gc.isenabled()
    gc.collect()
    gc.disable()
    try:
        yield
    finally:
        if was_on:
            gc.enable()
