"""A .tflite file run by LiteRT's interpreter, on images as the other files take them."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any, Literal

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

Kernels = Literal["default", "builtin", "reference"]
"""default: XNNPACK where it can, as a user's program gets it. builtin: without XNNPACK. reference:
the plain ones, which say what a file means."""
_RESOLVERS = {
    "default": "AUTO",
    "builtin": "BUILTIN_WITHOUT_DEFAULT_DELEGATES",
    "reference": "BUILTIN_REF",
}


def interpreter(
    content: bytes, kernels: Kernels = "default", threads: int = 1, keep: bool = False
) -> Any:
    """A file ready to be given tensors. `keep`: intermediate ones can be read."""
    from ai_edge_litert.interpreter import Interpreter, OpResolverType

    return Interpreter(
        model_content=content,
        num_threads=threads,
        experimental_op_resolver_type=getattr(OpResolverType, _RESOLVERS[kernels]),
        experimental_preserve_all_tensors=keep,
    )


def runs(ready: Any, inputs: Sequence[Tensor]) -> Iterator[NDArray[Any]]:
    """What comes out of each batch of images (n, channels, height, width), as real numbers.

    Real images are stored as the file's input stores them.
    """
    (given,), (taken,) = ready.get_input_details(), ready.get_output_details()
    for batch in inputs:
        images = batch.permute(0, 2, 3, 1).contiguous().numpy()
        if tuple(given["shape"]) != images.shape:
            ready.resize_tensor_input(given["index"], images.shape)
            ready.allocate_tensors()
            given = ready.get_input_details()[0]
        scale, zero = given["quantization"]
        if scale and images.dtype == np.float32:
            ends = np.iinfo(given["dtype"])
            images = np.clip(np.rint(images / np.float32(scale)) + zero, ends.min, ends.max)
        ready.set_tensor(given["index"], images.astype(given["dtype"]))
        ready.invoke()
        found = ready.get_tensor(taken["index"])
        scale, zero = taken["quantization"]
        yield (found.astype(np.float32) - zero) * np.float32(scale) if scale else found


def tflite_logits(
    content: bytes, inputs: Sequence[Tensor], kernels: Kernels = "default", threads: int = 1
) -> Tensor:
    """The logits of all batches, (images, classes) float32."""
    ready = interpreter(content, kernels, threads)
    ready.allocate_tensors()
    return torch.from_numpy(np.concatenate(list(runs(ready, inputs))))
