"""Texts of options, read: one of several words, a time, the size of an image, the shape of an
input."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any

from profilers.errors import InputError, nearest
from profilers.limits import check_input

LARGEST_SIDE = 4096
_WHOLE = re.compile(r"[0-9]{1,12}")


def image_size(text: str) -> tuple[int, int, int]:
    """SIDE, CHANNELSxHEIGHTxWIDTH or channels,height,width, or InputError."""
    # Not both signs in one text: 3x32,32 is a slip.
    parts = [part.strip() for part in text.lower().split("," if "," in text else "x")]
    if len(parts) in (1, 3) and all(_WHOLE.fullmatch(part) and int(part) for part in parts):
        numbers = [int(part) for part in parts]
        if max(numbers) > LARGEST_SIDE:
            raise InputError(
                f"--image {text[:40]}: at most {LARGEST_SIDE} pixels a side, and as many channels"
            )
        sizes = (
            (3, numbers[0], numbers[0])
            if len(numbers) == 1
            else (numbers[0], numbers[1], numbers[2])
        )
        check_input("--image", sizes)
        return sizes
    raise InputError(
        "--image: expected SIDE, CHANNELSxHEIGHTxWIDTH or channels,height,width, such as 32,"
        f" 3x32x32 or 3,32,32, not {text[:40]!r}"
    )


def input_shape(text: str) -> tuple[str, tuple[int, ...]]:
    """NAME=1,3,32,32, or InputError."""
    name, equals, sizes = text.rpartition("=")
    parts = sizes.split(",")
    if not equals or not name or not all(_WHOLE.fullmatch(part.strip()) for part in parts):
        raise InputError(f"--shape: expected NAME=1,3,32,32, not {text[:60]!r}")
    return name, tuple(int(part) for part in parts)


TIMES = {"s": 1.0, "m": 60.0, "min": 60.0, "h": 3600.0, "d": 86400.0}


def seconds_of(option: str, text: str) -> float:
    """``2h`` -> 7200, or InputError."""
    parts = re.fullmatch(r"([0-9]{1,9}(?:\.[0-9]{1,9})?)\s*([a-z]+)", text.strip())
    if parts is None or parts[2] not in TIMES or not float(parts[1]):
        raise InputError(f"{option}: expected a time such as 90s, 30m, 2h or 1d, not {text[:40]!r}")
    return float(parts[1]) * TIMES[parts[2]]


def one_of(option: str, value: Any, choices: Sequence[Any]) -> Any:
    """The value, or InputError with the nearest choice."""
    if value in choices:
        return value
    names = [choice for choice in choices if choice is not None]
    raise InputError(f"{option}: unknown value {str(value)[:40]!r}{nearest(str(value), names)}")
