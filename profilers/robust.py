"""What a series of durations says when the host is not quiet: order statistics and intervals over
blocks.

Standard library and numpy only: this file travels to remote hosts together with `timing.py`.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

Array = npt.NDArray[np.float64]

STATISTICS: dict[str, Callable[[Array], Array]] = {
    "median": lambda x: np.asarray(np.median(x, axis=-1)),
    "p10": lambda x: np.asarray(np.quantile(x, 0.10, axis=-1)),
    "min": lambda x: np.asarray(np.min(x, axis=-1)),
}
NOISE_LIMIT = 0.02


@dataclass(frozen=True, kw_only=True)
class Summary:
    """Order statistics of a series of durations; all times in seconds.

    `value` is the ranked `statistic` with its 95 % interval [low, high] from a bootstrap over
    blocks; `noise` is the relative spread of the block medians, and `noisy` says that it passed the
    limit.
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


def summarise(
    durations: Sequence[float],
    statistic: str = "auto",
    *,
    label: str = "",
    noise_limit: float = NOISE_LIMIT,
    resamples: int = 400,
    seed: int = 0,
) -> Summary:
    """Summarise a series in time order; `label` overrides the name under which the statistic is
    reported."""
    chosen = choose_statistic([durations], noise_limit) if statistic == "auto" else statistic
    values = np.asarray(durations, dtype=np.float64)
    value = float(STATISTICS[chosen](values))
    low, high = bootstrap_interval(durations, chosen, resamples, seed)
    q10, q25, q50, q75, q90, q99 = (
        float(q) for q in np.quantile(values, [0.1, 0.25, 0.5, 0.75, 0.9, 0.99])
    )
    noise = block_spread(durations, "median")
    return Summary(
        n=len(values),
        min=float(values.min()),
        p10=q10,
        median=q50,
        p90=q90,
        p99=q99,
        iqr=q75 - q25,
        statistic=label or chosen,
        value=value,
        low=min(low, value),
        high=max(high, value),
        noise=noise,
        noisy=noise > noise_limit,
    )


def choose_statistic(
    candidates: Sequence[Sequence[float]], noise_limit: float = NOISE_LIMIT
) -> str:
    """The median on a quiet host; where block medians scatter, the low statistic that scatters
    least.

    Contention only ever adds time, so under load the low end of the distribution moves less than
    its middle; on a quiet host the minimum is an outlier and the median is the steadier one. One
    choice for all candidates, by the noisiest, because a median must not be ranked against a
    minimum.
    """
    spreads = {
        name: max(block_spread(series, name) for series in candidates) for name in STATISTICS
    }
    if spreads["median"] <= noise_limit:
        return "median"
    return min(spreads, key=lambda name: spreads[name])


def block_spread(durations: Sequence[float], statistic: str) -> float:
    """Relative spread of a statistic over blocks: their 10 % to 90 % range as a normal's sigma /
    median.

    One odd block of twenty does not show in it, a host that is slow in every third one does.
    """
    values = STATISTICS[statistic](in_blocks(durations))
    low, middle, high = (float(q) for q in np.quantile(values, [0.1, 0.5, 0.9]))
    return (high - low) / 2.563 / middle if middle > 0 else 0.0


def in_blocks(durations: Sequence[float], most: int = 20) -> Array:
    """(blocks, size): the series in time order in 2 to `most` equal blocks, a remainder in front
    left out."""
    values = np.asarray(durations, dtype=np.float64)
    if len(values) < 4:
        return values.reshape(-1, 1)
    blocks = min(most, max(2, len(values) // 5))
    size = len(values) // blocks
    return values[len(values) - blocks * size :].reshape(blocks, size)


def bootstrap_interval(
    durations: Sequence[float], statistic: str, resamples: int = 400, seed: int = 0
) -> tuple[float, float]:
    """95 % interval of `statistic`; the same series and seed give the same interval.

    Whole blocks are drawn with replacement, since neighbouring runs share the host's mood and are
    not independent: drawing single runs would give intervals that repeats do not keep.
    """
    blocks = in_blocks(durations)
    draws = np.random.default_rng(seed).integers(len(blocks), size=(resamples, len(blocks)))
    values = STATISTICS[statistic](blocks[draws].reshape(resamples, -1))
    low, high = np.quantile(values, [0.025, 0.975])
    return float(low), float(high)
