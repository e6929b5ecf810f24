"""The one sampling protocol of every latency: warm up until stable, sample in blocks until tight, summarise
robustly.

Needs the standard library and numpy only, because the same file travels to remote hosts. It knows nothing of
what it times: a sampler is a function that makes n runs and returns the n durations; clocks are arguments.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

Clock = Callable[[], float]
Sampler = Callable[[int], Sequence[float]]
Array = npt.NDArray[np.float64]

STATISTICS: dict[str, Callable[[Array], Array]] = {
    "median": lambda x: np.median(x, axis=-1),
    "p10": lambda x: np.quantile(x, 0.10, axis=-1),
    "min": lambda x: np.min(x, axis=-1),
}


@dataclass(frozen=True)
class Protocol:
    """How long and how carefully to sample; times in seconds, `stable` and `tight` are fractions.

    The warm-up lasts at least `warmup_s` and `warmup_runs` and goes on until the running median moves less
    than `stable`, at most `warmup_limit_s`. Sampling then goes on in blocks of about `block_s` until the
    interval of the ranked statistic is narrower than `tight` of its value (total width; at least `min_s` and
    `min_samples`) or `budget_s` is over. `statistic` is "auto" (chosen by the host's noise) or a name in
    `STATISTICS`.
    """

    warmup_s: float = 0.05
    warmup_runs: int = 10
    warmup_limit_s: float = 1.0
    stable: float = 0.02
    block_s: float = 0.05
    min_s: float = 0.5
    min_samples: int = 20
    budget_s: float = 1.0
    tight: float = 0.01
    statistic: str = "auto"
    noise_limit: float = 0.02
    resamples: int = 400
    seed: int = 0


@dataclass(frozen=True)
class Summary:
    """What the samples of one candidate say; all times in seconds.

    `value` is the ranked `statistic` with its 95 % interval [low, high] from a bootstrap over blocks; `noise` is the
    relative spread of block medians and `noisy` says that it passed the protocol's limit.
    """

    n: int
    min: float
    p10: float
    median: float
    p90: float
    p99: float
    iqr: float
    statistic: str
    value: float
    low: float
    high: float
    noise: float
    noisy: bool


@dataclass(frozen=True)
class Samples:
    """The raw durations of one candidate (seconds, in order), the warm-up's apart, and their summary."""

    seconds: tuple[float, ...]
    warmup: tuple[float, ...]
    summary: Summary


def timed(run: Callable[[], object], clock: Clock = time.perf_counter) -> Sampler:
    """A sampler that reads `clock` before and after each call of `run`."""

    def sampler(n: int) -> list[float]:
        durations = []
        for _ in range(n):
            start = clock()
            run()
            durations.append(clock() - start)
        return durations

    return sampler


def sample(sampler: Sampler, protocol: Protocol | None = None, clock: Clock = time.perf_counter) -> Samples:
    """Warm up and sample one candidate; see `sample_interleaved`."""
    return sample_interleaved({"": sampler}, protocol, clock)[""]


def sample_interleaved(
    samplers: Mapping[str, Sampler], protocol: Protocol | None = None, clock: Clock = time.perf_counter
) -> dict[str, Samples]:
    """Sample several candidates in turn, block by block, so that drift of the host falls on all of them
    alike.

    Each candidate has its own budget and stops when its own interval is tight. All are summarised by the same
    statistic, the one that suits the noisiest of them, because a median must not be ranked against a minimum.
    """
    protocol = protocol or Protocol()
    warmups = {name: warm_up(sampler, protocol, clock) for name, sampler in samplers.items()}
    sizes = {name: block_size(warmup, protocol) for name, warmup in warmups.items()}
    taken: dict[str, list[float]] = {name: [] for name in samplers}
    spent = dict.fromkeys(samplers, 0.0)
    unfinished = list(samplers)
    while unfinished:
        for name in tuple(unfinished):
            start = clock()
            taken[name].extend(samplers[name](sizes[name]))
            spent[name] += clock() - start
            if is_enough(taken[name], spent[name], protocol):
                unfinished.remove(name)
    statistic = choose_statistic(list(taken.values()), protocol)
    return {
        name: Samples(tuple(taken[name]), tuple(warmups[name]), summarise(taken[name], protocol, statistic))
        for name in samplers
    }


def warm_up(sampler: Sampler, protocol: Protocol, clock: Clock = time.perf_counter) -> list[float]:
    """Run until long enough, often enough and stable: the last runs' median is within `stable` of those
    before.
    """
    durations: list[float] = []
    start = clock()
    while True:
        durations.extend(sampler(max(1, protocol.warmup_runs // 2)))
        elapsed = clock() - start
        if elapsed >= protocol.warmup_limit_s:
            return durations
        if elapsed >= protocol.warmup_s and len(durations) >= protocol.warmup_runs:
            window = max(protocol.warmup_runs // 2, len(durations) // 3)
            now, before = np.median(durations[-window:]), np.median(durations[-2 * window : -window])
            if abs(now - before) <= protocol.stable * before:
                return durations


def block_size(warmup: Sequence[float], protocol: Protocol) -> int:
    """Runs that fill about `block_s`, at least one."""
    typical = float(np.median(warmup[len(warmup) // 2 :]))
    return max(1, min(1000, round(protocol.block_s / max(typical, 1e-9))))


def is_enough(durations: Sequence[float], spent: float, protocol: Protocol) -> bool:
    """Whether the budget is over or the interval tight. Looks at the interval rarely: it costs a millisecond."""
    if spent >= protocol.budget_s:
        return True
    if spent < protocol.min_s or len(durations) < protocol.min_samples:
        return False
    summary = summarise(durations, protocol)
    return summary.high - summary.low <= protocol.tight * summary.value and not summary.noisy


def choose_statistic(candidates: Sequence[Sequence[float]], protocol: Protocol) -> str:
    """The median on a quiet host; where block medians scatter, the low statistic whose blocks scatter least.

    Contention only ever adds time, so under load the low end of the distribution moves less than its middle;
    on a quiet host the minimum is an outlier and the median is the steadier one.
    """
    if protocol.statistic != "auto":
        return protocol.statistic
    spreads = {name: max(block_spread(durations, name) for durations in candidates) for name in STATISTICS}
    if spreads["median"] <= protocol.noise_limit:
        return "median"
    return min(spreads, key=lambda name: spreads[name])


def block_spread(durations: Sequence[float], statistic: str) -> float:
    """Relative spread of a statistic over consecutive blocks: 1.4826 x median absolute deviation over the
    median.
    """
    values = STATISTICS[statistic](in_blocks(durations))
    middle = float(np.median(values))
    return float(1.4826 * np.median(np.abs(values - middle)) / middle) if middle > 0 else 0.0


def in_blocks(durations: Sequence[float], most: int = 20) -> Array:
    """(blocks, size): the samples in time order, cut into 2 to `most` equal blocks; a remainder at the front
    goes.
    """
    values = np.asarray(durations, dtype=np.float64)
    if len(values) < 4:
        return values.reshape(-1, 1)
    blocks = min(most, max(2, len(values) // 5))
    size = len(values) // blocks
    return values[len(values) - blocks * size :].reshape(blocks, size)


def summarise(
    durations: Sequence[float], protocol: Protocol | None = None, statistic: str = "auto"
) -> Summary:
    """Order statistics of all samples and the bootstrap interval of the ranked one.

    The bootstrap draws whole blocks with replacement, since neighbouring runs share the host's mood and are
    not independent: drawing single runs would give intervals that repeats do not keep.
    """
    protocol = protocol or Protocol()
    chosen = choose_statistic([durations], protocol) if statistic == "auto" else statistic
    values = np.asarray(durations, dtype=np.float64)
    value = float(STATISTICS[chosen](values))
    low, high = bootstrap_interval(durations, chosen, protocol)
    low, high = min(low, value), max(high, value)
    q10, q25, q50, q75, q90, q99 = (float(q) for q in np.quantile(values, [0.1, 0.25, 0.5, 0.75, 0.9, 0.99]))
    noise = block_spread(durations, "median")
    return Summary(
        n=len(values),
        min=float(values.min()),
        p10=q10,
        median=q50,
        p90=q90,
        p99=q99,
        iqr=q75 - q25,
        statistic=chosen,
        value=value,
        low=low,
        high=high,
        noise=noise,
        noisy=noise > protocol.noise_limit,
    )


def bootstrap_interval(durations: Sequence[float], statistic: str, protocol: Protocol) -> tuple[float, float]:
    """95 % interval of `statistic` by resampling blocks; the same samples and seed give the same interval."""
    blocks = in_blocks(durations)
    draws = np.random.default_rng(protocol.seed).integers(len(blocks), size=(protocol.resamples, len(blocks)))
    values = STATISTICS[statistic](blocks[draws].reshape(protocol.resamples, -1))
    low, high = np.quantile(values, [0.025, 0.975])
    return float(low), float(high)
