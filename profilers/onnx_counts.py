"""Parameters and MACs of an ONNX graph, by the same rules as `counts.py` has for torch modules."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import onnx
from onnx import GraphProto, NodeProto, TensorProto, helper

from profilers import onnx_rules
from profilers.errors import InputError
from profilers.onnx_check import check_onnx, params_of
from profilers.onnx_shapes import Shapes, shapes_of, sized
from profilers.onnx_walk import subgraphs

MOST_MACS = 2**63
"""More than this no file means: sizes of 2^62 are not those of a network."""


@dataclass(frozen=True, kw_only=True)
class OnnxCounts:
    """Totals of one run.

    `macs` is what the dearer branch of every If takes, `fewest_macs` what the cheaper one takes.
    `uncounted` names operators that compute but have no rule or no known shape, `uncounted_params`
    those whose stored numbers may be parameters: the totals leave both out.
    """

    params: int
    macs: int
    uncounted: tuple[str, ...]
    shape: tuple[int, ...]
    fewest_macs: int
    uncounted_params: tuple[str, ...] = ()


def count_onnx(
    path: Path | str, shapes: Mapping[str, Sequence[int]] | None = None, batch: int | None = 1
) -> OnnxCounts:
    """Count one file at the given input sizes.

    Raises InputError for a file that `check_onnx` refuses.
    """
    checked = check_onnx(path, shapes, batch)
    model = onnx.load(str(checked.path), load_external_data=False)
    params = params_of(checked.path, model)
    model, known = sized(model, checked.shapes)
    macs = _graph_macs(model.graph, known)
    if macs.most > MOST_MACS:
        raise InputError(f"{path}: more than 2^63 MACs, so its sizes are not those of a network")
    shape = checked.inputs[0][1] if checked.inputs else ()
    return OnnxCounts(
        params=params.total,
        macs=macs.most,
        uncounted=tuple(macs.uncounted),
        shape=shape,
        fewest_macs=macs.fewest,
        uncounted_params=params.unknown,
    )


@dataclass(kw_only=True)
class _Macs:
    """MACs with the cheaper and the dearer branches, and the operators that are left out."""

    fewest: int = 0
    most: int = 0
    uncounted: dict[str, None] = field(default_factory=dict)

    def add(self, other: _Macs, times: int = 1) -> None:
        """What is run after this, so many times."""
        self.fewest += times * other.fewest
        self.most += times * other.most
        self.uncounted |= other.uncounted

    @property
    def is_nothing(self) -> bool:
        """Whether nothing is computed that counts."""
        return not self.most and not self.uncounted


def _graph_macs(graph: GraphProto, known: Shapes) -> _Macs:
    """A graph, in which the sizes of the graphs around it are known too."""
    total = _Macs()
    for node in graph.node:
        if onnx_rules.is_standard(node) and node.op_type in onnx_rules.CONTROL:
            total.add(_control_macs(node, graph, known))
            continue
        macs = node_macs(node, known)
        if macs is None:
            total.uncounted[node.op_type] = None
        else:
            total.add(_Macs(fewest=macs, most=macs))
    return total


def _control_macs(node: NodeProto, graph: GraphProto, known: Shapes) -> _Macs:
    """If: between its branches.

    Loop and Scan: their body as often as it runs, named where that is not known.
    """
    bodies = [_graph_macs(inner, known | shapes_of(inner)) for inner in subgraphs(node)]
    total = _Macs()
    for body in bodies:
        total.uncounted |= body.uncounted
    if node.op_type == "If":
        total.fewest = min((body.fewest for body in bodies), default=0)
        total.most = max((body.most for body in bodies), default=0)
        return total
    if all(body.is_nothing for body in bodies):
        return total
    times = _rounds(node, graph, known)
    if times is None:
        return _Macs(uncounted={node.op_type: None, **total.uncounted})
    for body in bodies:
        total.add(body, times)
    return total


def _rounds(node: NodeProto, graph: GraphProto, known: Shapes) -> int | None:
    """How often the body of a Loop or a Scan runs, None where only running it tells."""
    body = next(iter(subgraphs(node)))
    if node.op_type == "Scan":
        flags = {attribute.name: attribute for attribute in node.attribute}
        count = flags["num_scan_inputs"].i
        axes = list(flags["scan_input_axes"].ints) if "scan_input_axes" in flags else [0] * count
        scanned = known.get(node.input[len(node.input) - count], ())
        return (scanned[axes[0]] or None) if -len(scanned) <= axes[0] < len(scanned) else None
    trips, condition = (*node.input, "", "")[:2]
    goes_on = {body.input[1].name, *_constants(body, True)}
    for inner in body.node:
        if inner.op_type == "Identity" and inner.input[0] in goes_on:
            goes_on |= set(inner.output)
    if body.output[0].name not in goes_on or not (
        condition == "" or condition in _constants(graph, True)
    ):
        return None
    return _scalar(graph, trips)


def _constants(graph: GraphProto, value: bool) -> set[str]:
    """Names of the stored truths of one graph that have this value."""
    stored = [(tensor.name, tensor) for tensor in graph.initializer if not tensor.external_data]
    stored += [
        (n.output[0], n.attribute[0].t)
        for n in graph.node
        if n.op_type == "Constant" and n.attribute
    ]
    truths = [(name, tensor) for name, tensor in stored if tensor.data_type == TensorProto.BOOL]
    return {name for name, tensor in truths if np.all(onnx.numpy_helper.to_array(tensor)) == value}


def _scalar(graph: GraphProto, name: str) -> int | None:
    """A stored whole number, None where there is none of that name."""
    for tensor in graph.initializer:
        if tensor.name == name and math.prod(tensor.dims) == 1 and not tensor.external_data:
            return int(onnx.numpy_helper.to_array(tensor).reshape(()))
    return None


def node_macs(node: NodeProto, known: Shapes) -> int | None:
    """MACs of one node: 0 for what is known not to multiply and accumulate, None for what is not
    known."""
    kind = node.op_type
    if onnx_rules.is_free(node):
        return 0
    if not onnx_rules.is_ruled(node) or not (
        kind in onnx_rules.CONVOLUTIONS or kind in onnx_rules.PRODUCTS
    ):
        return None
    first, second = onnx_rules.CONVOLUTIONS.get(kind) or onnx_rules.PRODUCTS[kind]
    a, b, output = (
        known.get(name) for name in (node.input[first], node.input[second], node.output[0])
    )
    spread = a if kind == "ConvTranspose" else output
    if not a or not b or spread is None or 0 in (*a, *b, *spread):
        return None
    if kind in onnx_rules.CONVOLUTIONS:
        # Conv weights are (out, in / groups, kernel...), ConvTranspose's (in, out / groups,
        # kernel...).
        return math.prod(spread) * math.prod(b[1:])
    flags = {attribute.name: helper.get_attribute_value(attribute) for attribute in node.attribute}
    inner = a[-2] if flags.get("transA") and len(a) > 1 else a[-1]
    return math.prod(spread) * inner
