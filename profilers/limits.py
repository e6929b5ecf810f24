"""How large the numbers may be that people and files give: no more than any machine or network has.

A number without a limit fills the memory or starts threads until the system gives up, in a place
that cannot name it.
"""

from __future__ import annotations

from collections.abc import Mapping

from profilers.errors import InputError

MOST_THREADS = 1_024
MOST_BATCH = 65_536
MOST_CHANNELS = 4_096
MOST_CELLS = 1_000
MOST_CLASSES = 1_000_000
MOST_PROCESSES = 256
MOST_SECONDS = 604_800.0
"""A week, of one measurement or of one calibration."""
MOST_NUMBERS = 2**30
"""Of one input: 4 GiB in float32."""

LIMITS: Mapping[str, tuple[float, float]] = {
    "threads": (1, MOST_THREADS),
    "batch": (1, MOST_BATCH),
    "channels": (1, MOST_CHANNELS),
    "cells": (1, MOST_CELLS),
    "classes": (1, MOST_CLASSES),
    "processes": (1, MOST_PROCESSES),
    "limit": (0.01, MOST_SECONDS),
    "budget": (0.001, MOST_SECONDS),
}


def check_numbers(prefix: str = "", **given: float | None) -> None:
    """Raise InputError for a number outside of its range in `LIMITS`; None is a number that was
    not given."""
    for name, value in given.items():
        low, high = LIMITS[name]
        if value is not None and not low <= value <= high:
            raise InputError(
                f"{prefix}{name} must be within {low:,g}..{high:,g}, not {str(value)[:40]}"
            )


def check_input(name: str, sizes: tuple[int, ...]) -> None:
    """Raise InputError for an input of more numbers than a measurement can hold."""
    numbers = 1
    for size in sizes:
        numbers *= size
    if numbers > MOST_NUMBERS:
        raise InputError(f"{name}: an input of {numbers:,} numbers, of at most {MOST_NUMBERS:,}")
