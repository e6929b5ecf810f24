"""Networks in their precisions, as an export would leave them, without the export."""

from __future__ import annotations

from typing import Any

import numpy as np

from hwnas.runs.directory import Run
from hwnas.runs.precision_record import VALIDATION, PrecisionPoint
from hwnas.runs.right_images import packed
from hwnas.runs.training_record import read_records, training_mark
from hwnas.runs.values import Accuracy, Cost

IMAGES = 100
FORMATS = {
    "onnx": ("fp32", "onnxruntime"),
    "int8": ("int8", "onnxruntime"),
    "openvino": ("fp32", "openvino"),
    "openvino-fp16": ("fp16", "openvino"),
}


def point(
    run: Run,
    network: str,
    format: str = "onnx",
    right: int = 90,
    ms: float | None = 1.0,
    off: float = 0.01,
    size: int = 1000,
    **more: Any,
) -> PrecisionPoint:
    """A point that is right on the first ``right`` of 100 images, and takes ``ms``, known to
    ``off``."""
    (record,) = (one for one in read_records(run) if one.name == network)
    precision, runtime = FORMATS[format]
    said: dict[str, Any] = {
        "network": network,
        "format": format,
        "precision": precision,
        "runtime": runtime,
        "accuracy": Accuracy(value=right / IMAGES, provenance=VALIDATION),
        "images": IMAGES,
        "right": packed(np.arange(IMAGES) < right),
        "trained_on": False,
        "size": size,
        "measured": "2026-01-01T00:00:00+00:00",
        "training": training_mark(record),
    }
    if ms is not None:
        said["latency"] = Cost(
            value=ms, unit="ms", provenance="measured", low=ms - off, high=ms + off
        )
    return PrecisionPoint(**{**said, **more})
