"""Amounts in few characters, in the forms in which they are typed: 40k, 1.5M, 200KiB, 2ms."""

from __future__ import annotations

WORDS = {"macs": "MACs", "params": "parameters", "flops": "FLOPs"}
"""What costs are called in a sentence, where that is not their name."""
COUNTS = ("parameters", "MAC", "FLOP")
_STEPS = ((1e9, "G"), (1e6, "M"), (1e3, "k"))


def cost_word(name: str) -> str:
    """What a cost is called in a sentence."""
    return WORDS.get(name, name)


def short_amount(value: float, unit: str) -> str:
    """A value of a cost in its unit, to three digits.

    >>> short_amount(40_000, "parameters"), short_amount(0.1953125, "MiB"), short_amount(2.5, "ms")
    ('40k', '200KiB', '2.5ms')
    """
    if unit == "MiB" and 0 < value < 1:
        return f"{value * 1024:.3g}KiB"
    if unit not in COUNTS:
        return f"{value:,.4g}{unit}" if value < 1e4 else f"{value:,.0f}{unit}"
    for size, letter in _STEPS:
        if value >= size:
            return f"{value / size:.3g}{letter}"
    return f"{value:,.3g}"
