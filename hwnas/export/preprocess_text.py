"""The text of preprocess.py: the rule of hwnas.export.usage as a program that needs Pillow and
numpy alone."""

from __future__ import annotations

PREPROCESS = '''"""From a photo to what the network takes, and from what it gives to classes.

Written by hwnas beside exported files; needs Pillow and numpy. The numbers stand in the JSON beside
each file.
"""

import json
from pathlib import Path

import numpy as np
from PIL import Image

TURNS = {2: 0, 3: 3, 4: 1, 5: 5, 6: 4, 7: 6, 8: 2}  # EXIF orientation -> PIL.Image.Transpose
TRANSPARENT = ("LA", "La", "PA", "RGBA", "RGBa")


def load_usage(file):
    """What the JSON beside an exported file says."""
    path = Path(__file__).resolve().parent / f"{file}.json"
    return json.loads(path.read_text(encoding="utf-8"))


def image_array(path, usage):
    """What goes into the network for one photo: a batch of one."""
    taken, values = usage["input"], pixels(path, usage)
    if usage["photo"]["average"]:
        values = averaged(values, usage["photo"]["average"]["side"])
    if taken["type"] == "uint8":
        values = np.rint(values).astype(np.uint8)
    else:
        values = ((values / 255 - taken["mean"]) / taken["std"]).astype(np.float32)
    if taken["layout"] == "NCHW":
        values = values.transpose(2, 0, 1)
    return np.ascontiguousarray(values[None])


def best(values, usage, top=5):
    """(class, probability) of the likeliest classes, from what the network gave for one photo."""
    shares = np.asarray(values, np.float64).reshape(-1)
    if not usage["output"]["softmax_inside"]:
        shares = np.exp(shares - shares.max())
        shares /= shares.sum()
    return [(usage["classes"][i], float(shares[i])) for i in np.argsort(-shares)[:top]]


def pixels(path, usage):
    """A photo as uint8 (height, width, channels): upright, its middle square, resized, cut out."""
    rule = usage["photo"]
    with Image.open(path, formats=rule["formats"]) as file:
        least = rule["jpeg"]["decoded_smaller_to_sides_of_at_least"]
        file.draft(None, (least, least))  # a JPEG is decoded smaller; others are not
        picture = eight_bits(file)
        try:
            turn = TURNS.get(file.getexif().get(274))
        except Exception:  # damaged EXIF data
            turn = None
    picture = picture if turn is None else picture.transpose(turn)
    picture = picture.convert("L" if usage["input"]["colour"] == "grey" else "RGB")
    side, shorter = rule["resize"]["side"], min(picture.size)
    left, top = ((length - shorter) // 2 for length in picture.size)
    box = (left, top, left + shorter, top + shorter)
    if shorter == side:
        picture = picture.crop(box)
    else:
        gap = rule["resize"]["reducing_gap"]
        picture = picture.resize((side, side), Image.Resampling.BILINEAR, box, reducing_gap=gap)
    crop = rule["crop"]
    rows = slice(crop["top"], crop["top"] + crop["side"])
    columns = slice(crop["left"], crop["left"] + crop["side"])
    return np.asarray(picture).reshape(side, side, -1)[rows, columns]


def eight_bits(file):
    """An opened image with 8 bits a channel: 16 keep the upper eight, transparent is white."""
    if file.mode == "I" and file.format not in ("PNG", "PPM"):
        raise ValueError(f"mode I of {file.format}: whole numbers whose range is not known")
    if file.mode.startswith("I"):
        values, tags = np.asarray(file), getattr(file, "tag_v2", {})
        bits = int(tags.get(258, (16,))[0])
        if tags.get(262) == 0:  # a TIFF whose white is zero
            values = 2**bits - 1 - values
        upper = (values >> (bits - 8)).astype(np.uint8)
        if isinstance(file.info.get("transparency"), int):
            upper[values == file.info["transparency"]] = 255
        return Image.fromarray(upper)
    if file.mode == "F":
        values = np.asarray(file)
        if not (values.min() >= 0 and values.max() <= 1):
            raise ValueError("mode F: floating point beyond 0..1, whose range is not known")
        return Image.fromarray(np.round(values * 255).astype(np.uint8))
    of_palette = file.mode == "P" and file.palette is not None and file.palette.mode.endswith("A")
    if file.mode in TRANSPARENT or "transparency" in file.info or of_palette:
        shown = file if file.mode == "RGBA" else file.convert("RGBA")
        page = Image.new("RGB", file.size, "white")
        page.paste(shown, mask=shown.getchannel("A"))
        return page
    return file.convert("RGB")


def averaged(values, side):
    """Adaptive average pooling: each new pixel is the mean of all that it covers."""
    length = len(values)
    share = np.zeros((side, length))
    for i in range(side):
        start, end = i * length // side, -(-(i + 1) * length // side)
        share[i, start:end] = 1 / (end - start)
    return np.einsum("ih,hwc,jw->ijc", share, values, share, optimize=True)
'''
