"""The sizes of an ONNX file's inputs: those that it declares, and those that are given to what
it leaves open."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import onnx
from onnx import ModelProto

from profilers.errors import InputError


def input_sizes(
    file: Path,
    argument: onnx.ValueInfoProto,
    shapes: Mapping[str, Sequence[int]],
    batch: int | None,
) -> tuple[int, ...]:
    """The sizes of one input: those given, else those declared with `batch` for a first one left
    open."""
    if not argument.type.HasField("tensor_type"):
        raise InputError(f"{file}: input '{argument.name}' is not a tensor")
    if not argument.type.tensor_type.HasField("shape"):
        if argument.name in shapes and min(shapes[argument.name], default=0) > 0:
            return tuple(int(size) for size in shapes[argument.name])
        raise InputError(
            f"{file}: input '{argument.name}' has no shape: give its sizes with --shape"
        )
    dimensions = argument.type.tensor_type.shape.dim
    declared = [d.dim_value if d.HasField("dim_value") else d.dim_param or "?" for d in dimensions]
    if argument.name in shapes:
        given = tuple(int(size) for size in shapes[argument.name])
        fits = len(given) == len(declared) and all(
            isinstance(d, str) or d in (g, 0) for d, g in zip(declared, given, strict=False)
        )
        if not fits or min(given, default=1) < 1:
            raise InputError(
                f"{file}: input '{argument.name}' is {shown(declared)}, which {shown(given)} is not"
            )
        return given
    sizes = [batch if i == 0 and batch and not fixed(d) else d for i, d in enumerate(declared)]
    if not all(fixed(size) for size in sizes):
        raise InputError(
            f"{file}: input '{argument.name}' has the dynamic shape {shown(declared)}: give its"
            f" sizes, for example --shape {argument.name}=1,3,32,32"
        )
    return tuple(int(size) for size in sizes)


def image_shapes(
    file: Path, model: ModelProto, channels: int | None, height: int, width: int, batch: int
) -> dict[str, tuple[int, ...]]:
    """The sizes of every input that takes images, by name; `channels` None: as declared, 3 where
    they are open.

    Images are (batch, channels, height, width), or with channels last where the last size is 1, 3
    or 4 and the one in front of the second is open. Raises InputError where no input takes images
    of this size.
    """
    weights = {tensor.name for tensor in model.graph.initializer}
    found, others = dict[str, tuple[int, ...]](), []
    for argument in model.graph.input:
        if argument.name in weights:
            continue
        dimensions = argument.type.tensor_type.shape.dim
        declared = [
            d.dim_value if d.HasField("dim_value") else d.dim_param or "?" for d in dimensions
        ]
        others.append(f"'{argument.name}' is {shown(declared)}")
        if len(declared) != 4:
            continue
        last = declared[3] in (1, 3, 4) and not fixed(declared[1])
        places = (3, 1, 2) if last else (1, 2, 3)
        sizes: dict[int, Any] = {0: batch, places[0]: channels, places[1]: height, places[2]: width}
        if channels is None:
            sizes[places[0]] = declared[places[0]] if fixed(declared[places[0]]) else 3
        if fixed(declared[0]):
            sizes[0] = declared[0]
        wanted = tuple(sizes[position] for position in range(4))
        if all(not fixed(d) or d == w for d, w in zip(declared, wanted, strict=True)):
            found[argument.name] = wanted
    if not found:
        size = f"{channels}x{height}x{width}" if channels else f"{height}x{width}"
        raise InputError(f"{file}: no input takes images of {size} (--image): {', '.join(others)}")
    return found


def fixed(size: object) -> bool:
    """Whether a declared dimension is a positive number."""
    return isinstance(size, int) and size > 0


def shown(sizes: Sequence[object]) -> str:
    """(a, b, c) for a message."""
    return "(" + ", ".join(str(size) for size in sizes) + ")"


def element_type(argument: onnx.ValueInfoProto) -> str:
    """float32, uint8 ... of an input."""
    kind = argument.type.tensor_type.elem_type
    return str(onnx.helper.tensor_dtype_to_np_dtype(kind)) if kind else ""
