"""Pixels of any type as grey or RGB values of 8 bits, by rules that are the same for every
image."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from PIL import Image

from profilers.errors import InputError

REDUCING_GAP = 4.0
"""A picture that is much larger is first made smaller by whole steps, to no less than so many times
the side that is wanted: PIL's option of that name."""
_GREY = frozenset({"1", "L", "LA", "La", "I", "F"})


class Unreadable(InputError):
    """An image file that can't be used; the line names it. `--skip-broken` goes on without it."""


def is_grey(file: Any) -> bool:
    """Whether an opened image has one channel beside its transparency."""
    if file.mode in _GREY or file.mode.startswith("I;16"):
        return True
    if file.mode != "P" or file.palette is None or file.palette.mode != "RGB":
        return False
    # A palette of grey values alone, as editors write it: its colours have three equal parts.
    colours = file.palette.palette
    return bool(colours) and colours[::3] == colours[1::3] == colours[2::3]


def _bits(file: Any) -> int:
    """Bits of a pixel where that is sure: PIL opens 16-bit PNG and PGM files as 32-bit integers,
    too."""
    if file.mode.startswith("I;16"):
        return int(file.tag_v2.get(258, (16,))[0]) if file.format == "TIFF" else 16
    if file.mode == "I":
        return 16 if file.format in ("PNG", "PPM") else 0
    return 0 if file.mode == "F" else 8


def is_transparent(file: Any) -> bool:
    """Whether pixels of an opened image may be transparent."""
    alpha = file.mode in ("LA", "La", "PA", "RGBA", "RGBa") or "transparency" in file.info
    return alpha or (
        file.mode == "P" and file.palette is not None and file.palette.mode.endswith("A")
    )


def eight_bits(file: Any, path: str) -> Image.Image:
    """Return an opened image as "L" or "RGB" without transparency; raise `Unreadable` where that is
    not sure.

    16 bits keep the upper eight, floating point in 0..1 is multiplied by 255, transparent pixels
    are laid on white. The rule is the same for every image, whatever its values.
    """
    if file.mode.startswith("I;16") or file.mode == "I":
        return Image.fromarray(_upper_bits(file, path))
    if file.mode == "F":
        return Image.fromarray(_from_unit(np.asarray(file), path))
    if is_transparent(file):
        opaque = file if file.mode == "RGBA" else file.convert("RGBA")
        page = Image.new("RGB", file.size, "white")
        page.paste(opaque, mask=opaque.getchannel("A"))
        return page.convert("L") if is_grey(file) else page
    wanted = "L" if is_grey(file) else "RGB"
    # The pixels outlive the file that they came from.
    picture: Image.Image = file if file.mode == wanted else file.convert(wanted)
    return picture


def _upper_bits(file: Any, path: str) -> np.ndarray[Any, Any]:
    bits = _bits(file)
    if not 8 <= bits <= 16:
        raise Unreadable(
            f"image {path}: mode {file.mode} ({file.format}, whole numbers whose range is not"
            " known); save it with 8 or 16 bits without a sign"
        )
    values = np.asarray(file)
    if file.format == "TIFF" and file.tag_v2.get(262) == 0:  # white is zero
        values = 2**bits - 1 - values
    upper = (values >> (bits - 8)).astype(np.uint8)
    see_through = file.info.get("transparency")
    if isinstance(see_through, int):
        upper[values == see_through] = 255
    return upper


def _from_unit(values: np.ndarray[Any, Any], path: str) -> np.ndarray[Any, Any]:
    low, high = float(values.min()), float(values.max())
    if not (low >= 0 and high <= 1):  # also where there is NaN
        raise Unreadable(
            f"image {path}: mode F (floating point) with values from {low:g} to {high:g}; only 0..1"
            " is read, because another range is not known"
        )
    return np.round(values * 255).astype(np.uint8)


def middle(picture: Image.Image, side: int) -> Image.Image:
    """Cut out the middle square and resize it to `side`."""
    width, height = picture.size
    shorter = min(width, height)
    left, top = (width - shorter) // 2, (height - shorter) // 2
    box = (left, top, left + shorter, top + shorter)
    if shorter == side:
        return picture.crop(box)
    return picture.resize((side, side), Image.Resampling.BILINEAR, box, reducing_gap=REDUCING_GAP)


def rectangle(
    picture: Image.Image, side: int, cut: tuple[float, float, float, float]
) -> Image.Image:
    """Resize a rectangle of the picture to `side` x `side`; `cut`: a column of
    hwnas.training.augment.rectangles.

    What would be wider or higher than the picture is as wide or high as it is.
    """
    root, stretch, x, y = cut
    mean = root * math.sqrt(picture.width * picture.height)
    width, height = (
        min(float(whole), max(1.0, wanted))
        for whole, wanted in (
            (picture.width, mean * stretch),
            (picture.height, mean / stretch),
        )
    )
    left, top = x * (picture.width - width), y * (picture.height - height)
    # The sum may round to a bit more than there is.
    box = (left, top, min(left + width, picture.width), min(top + height, picture.height))
    return picture.resize((side, side), Image.Resampling.BILINEAR, box, reducing_gap=REDUCING_GAP)
