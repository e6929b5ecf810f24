"""The memory that an ONNX graph asks for, from its sizes alone: stored numbers, and the largest set
of maps that are alive at once.

Nodes run in their written order. A map lives from the node that writes it to the last that reads
it. What works element by element writes into its input where nothing reads that any more. A runtime
takes more than that: its own code, padded layouts, buffers that it keeps.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from pathlib import Path

import onnx
from onnx import TensorProto

from profilers.onnx_check import check_onnx
from profilers.onnx_shapes import sized

_RENAMED = frozenset(("Dropout", "Flatten", "Identity", "Reshape", "Squeeze", "Unsqueeze"))
_SPREAD = frozenset(("Concat", "Conv", "ConvTranspose", "Gemm", "MatMul", "Transpose"))
"""Outputs that can't lie where an input of the same size lay."""
BYTES = {
    TensorProto.DOUBLE: 8,
    TensorProto.INT64: 8,
    TensorProto.FLOAT16: 2,
    TensorProto.BFLOAT16: 2,
    TensorProto.INT8: 1,
    TensorProto.UINT8: 1,
    TensorProto.BOOL: 1,
}
"""Of one number; 4 where it does not stand here."""


def onnx_memory_bytes(
    path: Path | str, shapes: Mapping[str, Sequence[int]] | None = None, batch: int | None = 1
) -> int:
    """Bytes of weights and of the maps alive at once, at the given input sizes.

    Raises InputError for a file that ``check_onnx`` refuses.
    """
    checked = check_onnx(path, shapes, batch)
    model = onnx.load(str(checked.path), load_external_data=False)
    model, known = sized(model, checked.shapes)
    graph = model.graph
    weights = {
        tensor.name: math.prod(tensor.dims) * BYTES.get(tensor.data_type, 4)
        for tensor in graph.initializer
    }
    kinds = {
        value.name: value.type.tensor_type.elem_type
        for value in (*graph.input, *graph.value_info, *graph.output)
    }
    same: dict[str, str] = {}  # what a renaming node writes is what it reads

    def owner(name: str) -> str:
        while name in same:
            name = same[name]
        return name

    for node in graph.node:
        if node.op_type in _RENAMED and node.input[0]:
            same[node.output[0]] = node.input[0]
    last: dict[str, int] = {owner(value.name): len(graph.node) for value in graph.output}
    for place, node in enumerate(graph.node):
        for name in node.input:
            last[owner(name)] = max(last.get(owner(name), 0), place)

    def size(name: str) -> int:
        return math.prod(known.get(name, (0,))) * BYTES.get(kinds.get(name, TensorProto.FLOAT), 4)

    alive = {value.name: size(value.name) for value in graph.input if value.name not in weights}
    peak = sum(alive.values())
    for place, node in enumerate(graph.node):
        if node.op_type in _RENAMED:
            continue
        ending = {one for one in map(owner, node.input) if one in alive and last[one] == place}
        written = [name for name in node.output if name]
        reused = 0
        if node.op_type not in _SPREAD and len(written) == 1:
            reused = max(
                (alive[one] for one in ending if alive[one] == size(written[0])), default=0
            )
        peak = max(peak, sum(alive.values()) + sum(map(size, written)) - reused)
        alive = {name: used for name, used in alive.items() if name not in ending}
        alive |= {name: size(name) for name in written if last.get(name, -1) >= place}
    return int(peak + sum(weights.values()))
