"""What is typed for an export, as values."""

from __future__ import annotations

from hwnas.cli.values import image_size
from profilers.errors import InputError, nearest


def formats_of(text: str) -> tuple[str, ...]:
    """``onnx,int8`` -> its names. Raises InputError with the nearest known one."""
    from hwnas.export.formats import FORMATS

    names = [part.strip() for part in text.split(",") if part.strip()]
    for name in names:
        if name not in FORMATS:
            raise InputError(f"formats: unknown {name!r}{nearest(name, FORMATS.names())}")
    if not names:
        raise InputError(f"formats: none given (choices: {', '.join(FORMATS.names())})")
    # Ours in their own order, then what others announce.
    return tuple(dict.fromkeys([known for known in FORMATS if known in names] + names))


def image_of(text: str) -> tuple[int, int, int]:
    """``3x32x32`` -> (channels, height, width). Raises InputError for what no network takes."""
    channels, height, width = image_size(text)
    if not (1 <= channels <= 16 and min(height, width) >= 8 and max(height, width) <= 4096):
        raise InputError(
            f"--image: expected 1..16 channels and sides of 8..4096 pixels, not {text[:40]}"
        )
    return channels, height, width
