"""INT8 of exported networks: see `profilers.onnx_int8`."""

from __future__ import annotations

from collections.abc import Sequence

import onnx
from torch import Tensor

from hwnas.export.onnx_nodes import PROBABILITIES
from profilers import onnx_int8


def quantised(model: onnx.ModelProto, inputs: Sequence[Tensor]) -> bytes:
    """``model`` as a QDQ model with the ranges of ``inputs``, batches of calibration images as it
    takes them; never the test images. A softmax stays in float32: in INT8 a probability has 256
    values."""
    given = [x.contiguous().numpy() for x in inputs]
    return onnx_int8.quantised(model, given, in_float=[PROBABILITIES])
