"""How an exported file is used, as plain values for JSON: from a photo to what goes in, and what
comes out.

The rule is that of hwnas.training.picture and hwnas.training.pixels, number for number. Whoever
follows it gets the classes that hwnas gets. preprocess.py, written beside every exported file, is
the same rule as a program.
"""

from __future__ import annotations

from typing import Any

from hwnas.export.interface import Interface
from hwnas.space.build import own_image
from hwnas.space.graph import IMAGE
from hwnas.space.task import Task
from hwnas.training.picture import FORMATS, JPEG_MARGIN
from hwnas.training.pixels import REDUCING_GAP
from hwnas.training.weights import Weights

SCHEMA = 1
"""Of the JSON; a larger number means that a reader of this one would misread it."""
METADATA = "usage"
"""The name under which ONNX files hold it."""
COLOURS = {1: "grey", 3: "RGB"}


def usage(weights: Weights, interface: Interface) -> dict[str, Any]:
    """What goes into a file of the network and what comes out; see docs/export.md for the keys."""
    channels, height, width = own_image(weights.architecture, _task(weights))
    last = interface.channels_last
    shape = [height, width, channels] if last else [channels, height, width]
    return {
        "schema": SCHEMA,
        "classes": list(weights.classes),
        "input": {
            "name": IMAGE,
            "type": "uint8" if interface.raw else "float32",
            "layout": "NHWC" if last else "NCHW",
            "shape": [None, *shape],
            "colour": COLOURS.get(channels),
            "values": "pixel, 0 to 255" if interface.raw else "(pixel / 255 - mean) / std",
            "normalised_inside": interface.raw,
            "mean": list(weights.mean),
            "std": list(weights.std),
        },
        "photo": photo_rule(weights),
        "output": {
            "name": interface.output,
            "shape": [None, len(weights.classes)],
            "softmax_inside": interface.softmax,
        },
    }


def photo_rule(weights: Weights) -> dict[str, Any] | None:
    """How a photo becomes pixels of the network; None where its images are neither grey nor RGB, or
    not square."""
    channels, height, width = weights.image
    if channels not in COLOURS or height != width:
        return None
    side = round(height / weights.crop)
    own = own_image(weights.architecture, _task(weights))[1]
    offset = (side - height) // 2
    return {
        "formats": list(FORMATS),
        "pages": "the first page or frame",
        "jpeg": {"decoded_smaller_to_sides_of_at_least": JPEG_MARGIN * side},
        "sixteen_bits": "the upper eight bits",
        "floating_point": "0..1 times 255, rounded",
        "transparent": "laid on white",
        "orientation": "turned upright as EXIF says",
        "square": "the middle square of the shorter side",
        "resize": {
            "side": side,
            "filter": "bilinear",
            "antialias": True,
            "reducing_gap": REDUCING_GAP,
            "unless": "the shorter side is that already",
        },
        "crop": {"side": height, "left": offset, "top": offset},
        "average": None if own == height else {"side": own, "rule": "adaptive average pooling"},
    }


def _task(weights: Weights) -> Task:
    return Task(classes=len(weights.classes), image=weights.image)
