"""LiteRT as a measurement needs it: explicit threads, XNNPACK as every program gets it by itself.

It needs ai_edge_litert and numpy only: this file travels to remote hosts together with `worker.py`.
Maps in a .tflite file are (batch, height, width, channels); inputs and outputs here are (batch,
channels, height, width), as in the other runtimes.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import ai_edge_litert
import numpy as np
from ai_edge_litert.interpreter import Interpreter, OpResolverType

from profilers.opened import Opened, random_inputs


def opened(model: dict[str, Any], request: dict[str, Any]) -> Opened:
    """One file with exactly the requested threads; an int8 one takes and gives real numbers here,
    as `infer` stores and reads them."""
    ready = Interpreter(model_path=model["path"], num_threads=int(request.get("threads", 1)))
    details = ready.get_input_details()
    for one, (batch, channels, *size) in zip(
        details, (model.get("shapes") or {}).values(), strict=True
    ):
        ready.resize_tensor_input(one["index"], [batch, *size, channels])
    ready.allocate_tensors()
    shapes = [_channels_first(one["shape"]) for one in ready.get_input_details()]
    # What a file stores with a scale is given as the real number that it stands for.
    types = [np.float32 if one["quantization"][0] else one["dtype"] for one in details]
    inputs = random_inputs(int(request.get("seed", 0)), shapes, types)

    def infer(arrays: Sequence[Any]) -> list[Any]:
        outputs = _outputs(ready, arrays)
        _give(ready, inputs)  # `run` goes on with the inputs that were made up
        return outputs

    _give(ready, inputs)
    ready.invoke()
    return Opened(run=ready.invoke, infer=infer, inputs=inputs)


def plain_outputs(path: str, inputs: Sequence[Any]) -> list[Any]:
    """The outputs of a file by the reference kernels, which say what it means.

    `inputs`: (feeds, batch, channels, height, width) for each input; outputs are (feeds, ...).
    """
    resolver = OpResolverType.BUILTIN_REF
    ready = Interpreter(model_path=path, experimental_op_resolver_type=resolver)
    for one, array in zip(ready.get_input_details(), inputs, strict=True):
        _, batch, channels, *size = array.shape
        ready.resize_tensor_input(one["index"], [batch, *size, channels])
    ready.allocate_tensors()
    rows = [_outputs(ready, feed) for feed in zip(*inputs, strict=True)]
    return [np.stack([row[i] for row in rows]).astype(np.float64) for i in range(len(rows[0]))]


def versions() -> dict[str, str]:
    """Version of LiteRT."""
    return {"litert": ai_edge_litert.__version__}


def _outputs(ready: Any, arrays: Sequence[Any]) -> list[Any]:
    _give(ready, arrays)
    ready.invoke()
    return [_read(ready, one) for one in ready.get_output_details()]


def _give(ready: Any, arrays: Sequence[Any]) -> None:
    """Set the inputs, stored as the file stores them."""
    for one, array in zip(ready.get_input_details(), arrays, strict=True):
        values = np.moveaxis(array, 1, -1)
        scale, zero = one["quantization"]
        if scale:
            ends = np.iinfo(one["dtype"])
            values = np.clip(np.rint(values / np.float32(scale)) + zero, ends.min, ends.max)
        ready.set_tensor(one["index"], np.ascontiguousarray(values.astype(one["dtype"])))


def _read(ready: Any, one: dict[str, Any]) -> Any:
    """An output as real numbers, channels first."""
    values = ready.get_tensor(one["index"])
    scale, zero = one["quantization"]
    if scale:
        values = (values.astype(np.float32) - zero) * np.float32(scale)
    return np.moveaxis(values, -1, 1)


def _channels_first(shape: Sequence[int]) -> list[int]:
    batch, *size, channels = (int(number) for number in shape)
    return [batch, channels, *size]
