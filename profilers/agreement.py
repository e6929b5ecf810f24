"""How well predictions agree with measurements: relative error, and the order they give."""

from __future__ import annotations

from bisect import bisect_right

import numpy as np
import numpy.typing as npt

Array = npt.NDArray[np.float64]


def mape_percent(predicted: Array, measured: Array) -> float:
    """Mean of |predicted - measured| / measured, in percent.

    ``measured`` must be positive, shape (n,).
    """
    return float(100 * np.mean(np.abs(predicted - measured) / measured))


def seven_digits(values: Array) -> Array:
    """Positive values (n,) to seven significant digits, so that equal predictions stay equal in
    a ranking."""
    power = 10.0 ** (np.floor(np.log10(np.maximum(values, 1e-300))) - 6)
    return np.asarray(np.round(values / power) * power, dtype=np.float64)


def kendall_tau(a: Array, b: Array) -> float:
    """Kendall's tau-b of two rankings, (n,): 1 the same order, -1 the reverse; NaN where one is
    constant.

    (concordant - discordant) / sqrt(pairs untied in a x pairs untied in b), Kendall 1945. Sorted by
    a, a discordant pair is a value of b that comes after a larger one (Knight 1966).
    """
    pairs = len(a) * (len(a) - 1) // 2
    tied_a, tied_b = _tied(a), _tied(b)
    if pairs in (tied_a, tied_b):
        return float("nan")
    discordant, seen = 0, list[float]()
    for value in b[np.lexsort((b, a))].tolist():
        position = bisect_right(seen, value)
        discordant += len(seen) - position
        seen.insert(position, value)
    both = _tied(np.stack([a, b], axis=1))
    difference = pairs - tied_a - tied_b + both - 2 * discordant
    return float(difference / np.sqrt(float(pairs - tied_a) * float(pairs - tied_b)))


def _tied(values: Array) -> int:
    """Pairs of equal values (n,), or of equal rows (n, k)."""
    _, counts = np.unique(values, axis=0, return_counts=True)
    return int((counts * (counts - 1) // 2).sum())
