"""Amounts in few characters, in the forms in which they are typed: 40k, 1.5M, 200KiB, 2ms."""

from __future__ import annotations

from hwnas.costs.amounts import COUNTS, SCALES

WORDS = {"macs": "MACs", "params": "parameters", "flops": "FLOPs"}
"""What costs are called in a sentence, where that is not their name."""
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
    if SCALES.get(unit) is not COUNTS:
        return f"{value:,.3g}{unit}" if value < 1e3 else f"{value:,.0f}{unit}"
    for size, letter in _STEPS:
        if value >= size:
            return f"{value / size:.3g}{letter}"
    return f"{value:,.3g}"


def exact_amount(value: float, unit: str) -> str:
    """The same for a limit that somebody typed: nothing is rounded, and a count that has no short
    form is written out.

    >>> exact_amount(40_000, "parameters"), exact_amount(41_234, "parameters")
    ('40k', '41,234')
    >>> exact_amount(0.1953125, "MiB"), exact_amount(0.5, "ms")
    ('200KiB', '0.5 ms')
    """
    if unit == "MiB" and 0 < value < 1 and value * 1024 == float(f"{value * 1024:.5g}"):
        return f"{value * 1024:.5g}KiB"
    if SCALES.get(unit) is COUNTS:
        for size, letter in _STEPS:
            text = f"{value / size:.3g}"
            if value >= size and float(text) * size == value:
                return f"{text}{letter}"
    text = f"{value:,.7g}" if value < 1e6 else f"{value:,.0f}"
    return text if SCALES.get(unit) is COUNTS or not unit else f"{text} {unit}"
