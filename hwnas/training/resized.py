"""Images in memory at another side: the middle square of each, made smaller or larger."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor

from profilers.errors import InputError

SMALLEST_SIDE = 8
"""Pixels. A cell-based network halves height and width twice."""
_AT_ONCE = 1 << 24
"""Pixel values that are held as float32 at a time."""


def resized(images: Tensor, side: int | None, name: str) -> Tensor:
    """Return uint8 images (n, c, h, w) as (n, c, side, side); None leaves them as they are.

    Of images that are not square the middle square is taken, as of pictures in a folder. A side
    that goes into it a whole number of times takes the mean of the pixels; any other is
    interpolated, bilinear with antialias, as Pillow does. Raises InputError, which begins with
    `name`, for a side that no network takes.
    """
    if side is None:
        return images
    if side < SMALLEST_SIDE:
        raise InputError(f"{name}: image_size {side} is smaller than {SMALLEST_SIDE}")
    shorter = min(images.shape[2:])
    top, left = ((length - shorter) // 2 for length in images.shape[2:])
    square = images[:, :, top : top + shorter, left : left + shorter]
    if shorter == side:
        return square.contiguous()
    several = max(1, _AT_ONCE // (square.shape[1] * max(shorter, side) ** 2))
    return torch.cat([_scaled(part, side) for part in torch.split(square, several)])


def _scaled(square: Tensor, side: int) -> Tensor:
    pixels = square.float()
    if square.shape[2] % side == 0:
        scaled = F.avg_pool2d(pixels, square.shape[2] // side)
    else:
        size = (side, side)
        scaled = F.interpolate(pixels, size, mode="bilinear", antialias=True, align_corners=False)
    return scaled.round().clamp(0, 255).to(torch.uint8)
