"""One image file: opened, checked and decoded into bytes."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from PIL import Image
from torch import Tensor

from profilers.errors import InputError

# A file that claims more pixels is an attack or a mistake (PIL's own limit only warns).
_LARGEST_PIXELS = 100_000_000


def read_image(path: str, image: tuple[int, int, int]) -> Tensor:
    """Read one file as uint8 (C, H, W) of the size `image`, or raise `InputError` that names it."""
    channels, side, _ = image
    try:
        with Image.open(path) as file:
            if file.width * file.height > _LARGEST_PIXELS:
                raise InputError(f"image {path}: {file.width} x {file.height} pixels, too large to be read")
            picture = file.convert("L" if channels == 1 else "RGB")
    except InputError:
        raise
    except Exception as error:  # PIL raises whatever its decoders raise on damaged bytes.
        raise InputError(f"image {path}: cannot be read ({error})") from error
    pixels = np.asarray(_centre(picture, side))
    return torch.from_numpy(np.array(pixels[None] if channels == 1 else pixels.transpose(2, 0, 1)))


def probe(name: str) -> tuple[str, int]:
    """Return mode and shorter side as the header states them."""
    try:
        with Image.open(name) as file:
            return file.mode, min(file.size)
    except Exception as error:  # As in `read_image`.
        raise InputError(f"image {name}: cannot be read ({error})") from error


def _centre(picture: Any, side: int) -> Any:
    """Resize the shorter side to `side` and cut out the middle."""
    width, height = picture.size
    if (width, height) == (side, side):
        return picture
    scale = side / min(width, height)
    size = (max(side, round(width * scale)), max(side, round(height * scale)))
    picture = picture.resize(size, Image.Resampling.BILINEAR)
    left, top = (size[0] - side) // 2, (size[1] - side) // 2
    return picture.crop((left, top, left + side, top + side))
