"""How well predictions agree with measurements: relative error, and the order they give."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

Array = npt.NDArray[np.float64]


def mape_percent(predicted: Array, measured: Array) -> float:
    """Mean of |predicted - measured| / measured, in percent. ``measured`` must be positive, shape (n,)."""
    return float(100 * np.mean(np.abs(predicted - measured) / measured))


def kendall_tau(a: Array, b: Array) -> float:
    """Kendall's tau-b of two rankings, (n,): 1 the same order, -1 the reverse; NaN where one is constant.

    (concordant - discordant) / sqrt(pairs untied in a x pairs untied in b), Kendall 1945. Counted pair by
    pair, a block of rows at a time: exact, and 15,000 values take a few seconds.
    """
    concordance, untied_a, untied_b = 0, 0, 0
    for start in range(0, len(a), 256):
        rows = slice(start, min(start + 256, len(a)))
        sign_a = np.sign(a[rows, None] - a[None, :]).astype(np.int8)
        sign_b = np.sign(b[rows, None] - b[None, :]).astype(np.int8)
        concordance += int(np.sum(sign_a * sign_b, dtype=np.int64))
        untied_a += int(np.count_nonzero(sign_a))
        untied_b += int(np.count_nonzero(sign_b))
    if not untied_a or not untied_b:
        return float("nan")
    return float(concordance / np.sqrt(float(untied_a) * float(untied_b)))
