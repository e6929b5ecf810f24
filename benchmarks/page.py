"""What pages of evidence share: tables that a command writes between two markers, and means with
their errors."""

from __future__ import annotations

import math
import statistics
from collections.abc import Sequence


def standard_error(values: Sequence[float]) -> float:
    """Of the mean of such values; not a number with fewer than two."""
    return statistics.stdev(values) / math.sqrt(len(values)) if len(values) > 1 else math.nan


def mean_and_error(values: Sequence[float], digits: int = 1, sign: str = "") -> str:
    """The mean, with its standard error over seeds where there are several."""
    mean = f"{statistics.mean(values):{sign}.{digits}f}"
    return mean if len(values) < 2 else f"{mean} ± {standard_error(values):.{digits}f}"


def filled(page: str, text: str, begin: str, end: str) -> str:
    """The page with ``text`` between its two markers.

    Raises SystemExit where it does not have both, in order.
    """
    before, opened, rest = page.partition(begin)
    _, closed, after = rest.partition(end)
    if not opened or not closed:
        raise SystemExit(f"the page needs the lines {begin} and {end}")
    return f"{before}{begin}\n\n{text}\n\n{end}{after}"
