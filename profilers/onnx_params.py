"""Which stored numbers of an ONNX file are parameters, wherever they stand and whatever their type
is.

A stored tensor (initializer, Constant node, in branches too) is a parameter where computing takes
it as data: through Reshape, Cast, DequantizeLinear and their like it stays what it is. Not
parameters: scales and zero points, running statistics of BatchNorm (torch keeps them as buffers),
sizes, axes, limits, and the scalars of a formula (x * 0.5).
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from onnx import AttributeProto, FunctionProto, GraphProto, ModelProto, NodeProto, TensorProto

from profilers import onnx_rules
from profilers.onnx_walk import check_calls, subgraphs

Place = tuple[str | int, ...]
Attributes = Mapping[str, tuple[Place, AttributeProto]]

# Types that are data in any operator; the longer integers are sizes and positions but where WEIGHTS
# says otherwise.
_DATA = frozenset(
    number
    for name, number in TensorProto.DataType.items()
    if name.startswith(
        ("FLOAT", "BFLOAT", "DOUBLE", "INT8", "UINT8", "INT4", "UINT4", "INT2", "UINT2")
    )
    or name in ("INT16", "UINT16", "COMPLEX64", "COMPLEX128")
)


@dataclass(frozen=True, kw_only=True)
class Params:
    """How many parameters; `unknown` names operators that hold or take stored numbers and have
    no rule."""

    total: int
    unknown: tuple[str, ...]


@dataclass(frozen=True, kw_only=True)
class _Value:
    """What a name stands for: the stored tensors that it is made of, and whether it is data now."""

    stored: frozenset[int] = frozenset()
    data: bool = False
    scalar: bool = False
    scale: bool = False


@dataclass(kw_only=True)
class _Found:
    """Sizes of the stored tensors by place, which of them are parameters, and the model's own
    functions.

    A place inside a function is the same at every call, so what is shared counts once.
    """

    functions: Mapping[tuple[str, str], FunctionProto]
    places: dict[Place, int] = field(default_factory=dict)
    sizes: list[int] = field(default_factory=list)
    params: set[int] = field(default_factory=set)
    unknown: dict[str, None] = field(default_factory=dict)

    def add(self, place: Place, dims: Sequence[int], kind: int) -> _Value:
        """One stored tensor."""
        number = self.places.setdefault(place, len(self.sizes))
        if number == len(self.sizes):
            self.sizes.append(math.prod(dims))
        return _Value(stored=frozenset([number]), data=kind in _DATA, scalar=not dims)


ACTIVATION = _Value()


def count_params(model: ModelProto) -> Params:
    """Count the parameters of a model, those of its own functions included.

    Raises InputError as `check_calls` does.
    """
    check_calls(model)
    found = _Found(
        functions={(function.domain, function.name): function for function in model.functions}
    )
    _graph(model.graph, {}, found, (), {})
    return Params(
        total=sum(found.sizes[number] for number in found.params), unknown=tuple(found.unknown)
    )


def _graph(
    graph: GraphProto, outer: Mapping[str, _Value], found: _Found, place: Place, given: Attributes
) -> dict[str, _Value]:
    """Look at all nodes of a graph, in which the names of the graphs around it are known;
    returns all names."""
    values = dict(outer)
    for tensor in graph.initializer:
        values[tensor.name] = found.add((*place, tensor.name), tensor.dims, tensor.data_type)
    for sparse in graph.sparse_initializer:
        name = sparse.values.name
        values[name] = found.add((*place, name), sparse.dims, sparse.values.data_type)
    return _nodes(graph.node, values, found, place, given)


def _nodes(
    nodes: Iterable[NodeProto],
    values: dict[str, _Value],
    found: _Found,
    place: Place,
    given: Attributes,
) -> dict[str, _Value]:
    for number, node in enumerate(nodes):
        made = _node(node, values, found, (*place, number), given)
        for name, value in zip(node.output, made, strict=False):
            values[name] = value
    return values


def _node(
    node: NodeProto, values: Mapping[str, _Value], found: _Found, place: Place, given: Attributes
) -> list[_Value]:
    """What the outputs of a node stand for; marks the inputs that are parameters."""
    inputs = [values.get(name, ACTIVATION) for name in node.input]
    blank = [ACTIVATION] * len(node.output)
    function = found.functions.get((node.domain, node.op_type))
    if function is not None:
        return _call(node, function, inputs=inputs, found=found, place=place, given=given)
    if onnx_rules.is_standard(node):
        if node.op_type == "Constant":
            return [_constant(node, found, place, given)]
        if node.op_type in onnx_rules.CONTROL:
            return _control(node, inputs, values=values, found=found, place=place, given=given)
        if node.op_type in onnx_rules.CARRIERS and _carries(node, inputs):
            return [_carried(node, inputs)] * len(node.output)
        if node.op_type == "DynamicQuantizeLinear":
            return [ACTIVATION, *[_Value(scale=True)] * 2]
        if node.op_type in ("Mul", "Div") and any(value.scale for value in inputs):
            # The scale of a product: an activation's times a stored one.
            return [_Value(scale=True) if all(v.scale or v.stored for v in inputs) else ACTIVATION]
    elif not onnx_rules.is_ruled(node):
        if any(value.stored for value in inputs) or _holds_numbers(node):
            found.unknown[node.op_type] = None
        return blank
    for position, value in enumerate(inputs):
        if _is_parameter(node, position, value):
            found.params |= value.stored
    for number, graph in enumerate(subgraphs(node)):
        inside = {**values, **{argument.name: ACTIVATION for argument in graph.input}}
        _graph(graph, inside, found, (*place, number), given)
    return blank


def _call(
    node: NodeProto,
    function: FunctionProto,
    inputs: Sequence[_Value],
    found: _Found,
    place: Place,
    given: Attributes,
) -> list[_Value]:
    """A call of one of the model's own functions."""
    arguments = _resolved(node, place, given)
    defaults = {
        one.name: ((function.domain, function.name, one.name), one)
        for one in function.attribute_proto
    }
    values = dict(zip(function.input, inputs, strict=False))
    inside = {**defaults, **arguments}
    after = _nodes(function.node, values, found, (function.domain, function.name), inside)
    return [after.get(name, ACTIVATION) for name in function.output]


def _resolved(node: NodeProto, place: Place, given: Attributes) -> Attributes:
    """The attributes of a node by name, with their places; those that refer to a function's own
    are looked up."""
    found = {}
    for attribute in node.attribute:
        if not attribute.ref_attr_name:
            found[attribute.name] = ((*place, attribute.name), attribute)
        elif attribute.ref_attr_name in given:
            found[attribute.name] = given[attribute.ref_attr_name]
    return found


def _is_parameter(node: NodeProto, position: int, value: _Value) -> bool:
    if onnx_rules.is_setting(node, position):
        return False
    if position in onnx_rules.WEIGHTS.get(node.op_type, ()) or node.op_type == "Einsum":
        return True
    return value.data and not value.scalar


def _carries(node: NodeProto, inputs: Sequence[_Value]) -> bool:
    """Whether what comes out is nothing but stored tensors, or a scale, in another form."""
    if node.op_type == "Concat":
        return all(value.stored for value in inputs)
    if node.op_type == "Gather":
        return bool(inputs[0].stored) and bool(inputs[1].stored)
    return bool(inputs) and (bool(inputs[0].stored) or inputs[0].scale)


def _carried(node: NodeProto, inputs: Sequence[_Value]) -> _Value:
    if node.op_type == "Concat":
        return _union(inputs, False)
    first = inputs[0]
    data = first.data or node.op_type == "DequantizeLinear"
    return _Value(stored=first.stored, data=data, scalar=first.scalar, scale=first.scale)


def _constant(node: NodeProto, found: _Found, place: Place, given: Attributes) -> _Value:
    for attribute in node.attribute:
        refers = attribute.ref_attr_name
        if refers and refers not in given:
            continue
        # What a call hands in belongs to the call, not to the function.
        at, one = given[refers] if refers else (place, attribute)
        if attribute.name == "value":
            return found.add(at, one.t.dims, one.t.data_type)
        if attribute.name == "sparse_value":
            # As many as the tensor has places, zeros included: stored densely the same network has
            # them.
            return found.add(at, one.sparse_tensor.dims, one.sparse_tensor.values.data_type)
        if attribute.name in ("value_float", "value_floats"):
            dims = () if attribute.name == "value_float" else (len(one.floats),)
            return found.add(at, dims, TensorProto.FLOAT)
        if attribute.name in ("value_int", "value_ints"):
            dims = () if attribute.name == "value_int" else (len(one.ints),)
            return found.add(at, dims, TensorProto.INT64)
    return ACTIVATION


def _control(
    node: NodeProto,
    inputs: Sequence[_Value],
    values: Mapping[str, _Value],
    found: _Found,
    place: Place,
    given: Attributes,
) -> list[_Value]:
    """If, Loop, Scan: what goes in is what it was outside, what a branch hands back is what it
    was inside."""
    handed: list[list[_Value]] = [[] for _ in node.output]
    for number, graph in enumerate(subgraphs(node)):
        inside = {**values, **{argument.name: ACTIVATION for argument in graph.input}}
        # A Loop takes trip count, condition, states; its body takes iteration, condition, states.
        inside |= {
            argument.name: value for argument, value in zip(graph.input, inputs, strict=False)
        }
        after = _graph(graph, inside, found, (*place, number), given)
        results = graph.output[1:] if node.op_type == "Loop" else graph.output
        for several, result in zip(handed, results, strict=False):
            several.append(after.get(result.name, ACTIVATION))
    return [_union(several, all(value.scalar for value in several)) for several in handed]


def _union(values: Sequence[_Value], scalar: bool) -> _Value:
    stored = frozenset[int]().union(*(value.stored for value in values))
    return _Value(
        stored=stored, data=any(value.data for value in values), scalar=bool(values) and scalar
    )


def _holds_numbers(node: NodeProto) -> bool:
    """Whether attributes hold tables of numbers, as the classical models of ai.onnx.ml do."""
    return any(len(attribute.floats) > 1 or attribute.HasField("t") for attribute in node.attribute)
