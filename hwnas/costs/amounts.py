"""Amounts as people write them: "2ms", "200KiB", "40k", as numbers in the unit of a metric."""

from __future__ import annotations

import math
import re
from decimal import Decimal

from profilers.errors import InputError

_LONGEST_AMOUNT = 40
COUNTS = {"": 1.0, "k": 1e3, "K": 1e3, "M": 1e6, "G": 1e9, "B": 1e9}
SCALES = {  # of each unit that a metric may have: what a user may write, in multiples of it
    "parameters": COUNTS,
    "MAC": COUNTS,
    "FLOP": COUNTS,
    "ms": {"ns": 1e-6, "us": 1e-3, "µs": 1e-3, "ms": 1.0, "s": 1e3},
    "MiB": {
        "KiB": 2.0**-10,
        "MiB": 1.0,
        "GiB": 2.0**10,
        "kB": 1e3 / 2**20,
        "MB": 1e6 / 2**20,
        "GB": 1e9 / 2**20,
    },
    "mJ": {"uJ": 1e-3, "µJ": 1e-3, "mJ": 1.0, "J": 1e3},
}


def parse_quantity(text: str, unit: str, key: str = "target-value") -> float:
    """A positive amount such as "1.5M", "2 ms" or "500k" as a number of `unit` (a key of SCALES).

    A bare number is taken only where the unit is a count: "2" of milliseconds is refused, as it may
    mean seconds. Raises InputError naming `key`.
    """
    scales = SCALES.get(unit, {**COUNTS, unit: 1.0})
    units = f"(units: {', '.join(suffix for suffix in scales if suffix)})"
    # Short before the expression sees it: on long rows of digits it would try every way to part
    # them.
    short = text if len(text) <= _LONGEST_AMOUNT else ""
    found = re.fullmatch(r"\s*(\d*\.?\d+(?:[eE][+-]?\d+)?)\s*([^\W\d_]*)\s*", short)
    if found is None:
        raise InputError(f"{key}: {text[:80]!r} is not an amount of {unit} {units}")
    suffix = found.group(2)
    if suffix not in scales:
        problem = (
            f"is in {suffix!r}, not in {unit}"
            if suffix
            else f"has no unit, write {text.strip()}{unit}"
        )
        raise InputError(f"{key}: {text!r} {problem} {units}")
    value = float(found.group(1))
    if math.isfinite(value) and value > 0:  # decimals do not reach as far as an exponent may say
        # In decimals: 2.3k are 2300, where floats make it a little less.
        value = float(Decimal(found.group(1)) * Decimal(repr(scales[suffix])))
    if not (math.isfinite(value) and value > 0):
        raise InputError(f"{key}: {text!r} must be above 0 {unit}")
    return value
