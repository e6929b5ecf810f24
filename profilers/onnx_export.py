"""Write a torch module as an ONNX file for measuring: fixed shapes, weights inside, nothing
verified.

By the TorchScript path, which takes 2 s for a 20-cell network where the newer one takes 20. For
files that are kept, with dynamic batch and numerical checks, see the export of finished models; a
latency needs none of that.
"""

from __future__ import annotations

import copy
import warnings
from collections.abc import Sequence
from pathlib import Path

import torch
from torch import nn

from profilers.preserve import example_input, left_as_found

OPSET = 17


def export_onnx(module: nn.Module, input_shape: Sequence[int], path: Path | str) -> Path:
    """Export a copy of `module`, in inference mode, for an input of `input_shape` (batch included).

    The input is named x, the output y. The module is left as found.
    """
    file = Path(path)
    with left_as_found(module):
        duplicate = copy.deepcopy(module).to("cpu")
        for parameter in duplicate.parameters():
            parameter.requires_grad_(False)
        with warnings.catch_warnings():
            # The exporter warns that it is the old one; that it is quick is why it is used here.
            warnings.simplefilter("ignore")
            torch.onnx.export(
                duplicate,
                (example_input(duplicate, tuple(input_shape)),),
                str(file),
                input_names=["x"],
                output_names=["y"],
                opset_version=OPSET,
                dynamo=False,
            )
    return file
