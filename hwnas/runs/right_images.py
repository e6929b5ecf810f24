"""Which test images a network got right, as a short text: so that two networks can be compared
image by image, after both are gone."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

Bools = NDArray[np.bool_]


def packed(right: Bools) -> str:
    """Bits (images,) in the order of the test images, eight to two hexadecimal digits, the last
    ones filled with zeros.

    >>> packed(np.array([1, 0, 0, 0, 0, 0, 0, 1, 1], dtype=bool))
    '8180'
    """
    return np.packbits(right).tobytes().hex()


def unpacked(text: str, images: int) -> Bools:
    """The bits that ``packed`` wrote. Raises ValueError where the text is not one of so many
    images."""
    data = np.frombuffer(bytes.fromhex(text), dtype=np.uint8)
    if len(data) != (images + 7) // 8:
        raise ValueError(f"right: {len(data)} bytes do not hold {images} images")
    bits = np.unpackbits(data).astype(bool)
    if bits[images:].any():
        raise ValueError(f"right: more than {images} images")
    return bits[:images]
