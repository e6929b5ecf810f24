"""Everything that an ONNX file holds, however deep: nodes and stored tensors of graphs, branches
and functions."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

import onnx
import onnx.inliner
from onnx import AttributeProto, GraphProto, ModelProto, NodeProto, TensorProto

from profilers.errors import InputError

STANDARD = ("", "ai.onnx")
MOST_NODES = 1_000_000
"""Nodes after every function has taken the place of its calls; functions that call functions
grow without end."""


def subgraphs(node: NodeProto) -> Iterator[GraphProto]:
    """The branches or the body of one node."""
    for attribute in node.attribute:
        if attribute.type == AttributeProto.GRAPH:
            yield attribute.g
        yield from attribute.graphs


def nodes(found: Iterable[NodeProto]) -> Iterator[NodeProto]:
    """All nodes, those of branches and bodies too."""
    for node in found:
        yield node
        for graph in subgraphs(node):
            yield from nodes(graph.node)


def all_nodes(model: ModelProto) -> Iterator[NodeProto]:
    """All nodes of the graph and of the model's own functions."""
    yield from nodes(model.graph.node)
    for function in model.functions:
        yield from nodes(function.node)


def tensors(model: ModelProto) -> Iterator[TensorProto]:
    """All stored tensors: initializers and attributes, dense and sparse, wherever they stand."""
    yield from _initializers(model.graph)
    for node in all_nodes(model):
        for attribute in node.attribute:
            # What the type does not announce is still read by others: look at every field.
            yield attribute.t
            yield from attribute.tensors
            for sparse in (attribute.sparse_tensor, *attribute.sparse_tensors):
                yield from (sparse.values, sparse.indices)
        for graph in subgraphs(node):
            yield from _initializers(graph)


def _initializers(graph: GraphProto) -> Iterator[TensorProto]:
    yield from graph.initializer
    for sparse in graph.sparse_initializer:
        yield from (sparse.values, sparse.indices)


def check_calls(model: ModelProto) -> None:
    """Raise InputError where a function calls itself, or where calls written out are more than a
    million nodes."""
    bodies = {(function.domain, function.name): function.node for function in model.functions}
    sizes: dict[tuple[str, str], int | None] = {}

    def size(found: Iterable[NodeProto]) -> int:
        total = 0
        for node in nodes(found):
            name = (node.domain, node.op_type)
            if name in bodies and name not in sizes:
                sizes[name] = None
                sizes[name] = size(bodies[name])
            known = sizes.get(name, 1)
            if known is None:
                raise InputError(f"function '{node.op_type}' calls itself")
            total += known
        return total

    if model.functions and size(model.graph.node) > MOST_NODES:
        raise InputError(
            f"its functions are more than {MOST_NODES:,} nodes when they are written out"
        )


def inlined(model: ModelProto) -> ModelProto:
    """The model with the bodies of its own functions in the place of their calls; the argument
    stays as it is."""
    return onnx.inliner.inline_local_functions(model) if model.functions else model
