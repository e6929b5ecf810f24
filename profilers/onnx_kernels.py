"""The nodes of an ONNX graph as the kernels that a roofline prices, for devices that are not here.

One node is one kernel, as a compiled graph runs it: a runtime that fuses an activation into the
convolution before it saves a pass that is priced here. Nodes that only rename, cut or store cost
nothing. What has no known size, and what runs graphs of its own (If, Loop, Scan), is named and
left out.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import onnx
from onnx import NodeProto, helper

from profilers import onnx_rules
from profilers.onnx_check import check_onnx
from profilers.onnx_counts import node_macs
from profilers.onnx_shapes import Shapes, sized
from profilers.roofline import Kernel

_NOTHING = frozenset(
    (
        *("Constant", "ConstantOfShape", "Dropout", "Flatten", "Identity", "Reshape", "Shape"),
        *("Size", "Squeeze", "Unsqueeze", "Range"),
    )
)
"""They move no numbers in a compiled graph."""
_POOLS = ("AveragePool", "GlobalAveragePool", "GlobalMaxPool", "LpPool", "MaxPool", "ReduceMean")
_QUANTISED = (
    "QLinear",
    "QuantizeLinear",
    "DequantizeLinear",
    "Integer",
    "QGemm",
    "DynamicQuantize",
)


@dataclass(frozen=True, kw_only=True)
class NodeKernel:
    """One node: its name, its operator, and the kernel that it runs."""

    name: str
    kind: str
    kernel: Kernel


@dataclass(frozen=True, kw_only=True)
class OnnxKernels:
    """What a graph runs, in order. ``unpriced``: operators that are left out.

    ``is_quantised``: it holds operators of whole numbers, which are priced as floats.
    """

    nodes: tuple[NodeKernel, ...]
    unpriced: tuple[str, ...]
    is_quantised: bool


def onnx_kernels(
    path: Path | str, shapes: Mapping[str, Sequence[int]] | None = None, batch: int | None = 1
) -> OnnxKernels:
    """The kernels of one file at the given input sizes.

    Raises InputError for a file that ``check_onnx`` refuses.
    """
    checked = check_onnx(path, shapes, batch)
    model = onnx.load(str(checked.path), load_external_data=False)
    is_quantised = any(word in node.op_type for node in model.graph.node for word in _QUANTISED)
    model, known = sized(model, checked.shapes)
    stored = {tensor.name for tensor in model.graph.initializer}
    found: list[NodeKernel] = []
    unpriced: dict[str, None] = {}
    for node in model.graph.node:
        if all(name in stored or not name for name in node.input):
            stored |= set(node.output)  # worked out once, when the file is loaded
        elif node.op_type not in _NOTHING:
            kernel = _kernel(node, known)
            if kernel is None:
                unpriced[node.op_type] = None
            else:
                name = node.name or node.output[0]
                found.append(NodeKernel(name=name, kind=node.op_type, kernel=kernel))
    return OnnxKernels(nodes=tuple(found), unpriced=tuple(unpriced), is_quantised=is_quantised)


def _kernel(node: NodeProto, known: Shapes) -> Kernel | None:
    """What one node runs; None where its sizes are not known."""
    kind = node.op_type
    out = known.get(node.output[0])
    if kind in onnx_rules.CONTROL or not out or 0 in out:
        return None
    inputs = [known.get(name) or () for name in node.input if name]
    reads = sum(math.prod(sizes) for sizes in inputs if sizes)
    channels = out[1] if len(out) > 2 else out[-1]
    plain = Kernel(
        kind="elementwise",
        macs=0,
        reads=reads,
        writes=math.prod(out),
        outputs=math.prod(out) // channels,
        channels=channels,
    )
    if kind in onnx_rules.CONVOLUTIONS or kind in onnx_rules.PRODUCTS:
        macs = node_macs(node, known)
        if macs is None:
            return None
        if kind in onnx_rules.PRODUCTS:
            return replace(plain, kind="linear", macs=macs)
        return _convolution(node, known, replace(plain, kind="conv", macs=macs))
    if kind in _POOLS:
        return replace(plain, kind="pool", window=math.prod(_numbers(node, "kernel_shape") or [1]))
    if kind == "BatchNormalization":
        return replace(plain, kind="batch_norm")
    return replace(plain, kind="concat") if kind == "Concat" else plain


def _convolution(node: NodeProto, known: Shapes, plain: Kernel) -> Kernel:
    first, second = onnx_rules.CONVOLUTIONS[node.op_type]
    image, weights = known[node.input[first]], known[node.input[second]]
    groups = int(next(iter(_numbers(node, "group")), 1))
    if groups == image[1] > 1:
        # Each output loads its window of the one channel that it reads.
        window = math.prod(weights[2:])
        return replace(plain, kind="depthwise", reads=math.prod(image), window=window)
    return replace(plain, groups=groups)


def _numbers(node: NodeProto, name: str) -> list[int]:
    """A whole number or several that an attribute holds; none where it is not there."""
    for attribute in node.attribute:
        if attribute.name == name:
            value = helper.get_attribute_value(attribute)
            return [value] if isinstance(value, int) else [int(one) for one in value]
    return []
