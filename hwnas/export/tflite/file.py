"""A model's values and operators as the bytes of a .tflite file, by the schema that ai-edge-litert
ships."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from hwnas.export.tflite.values import Operator, TfliteModel, Value

IDENTIFIER = b"TFL3"
SCHEMA = 3
ALIGNED = 16
"""Bytes: the schema asks for constants that begin at a multiple of so many."""
SIGNATURE = "serving_default"
METADATA = "hwnas"
"""The name under which a file says what it is, as JSON."""

OPTIONS = {
    "ADD": "AddOptions",
    "AVERAGE_POOL_2D": "Pool2DOptions",
    "CAST": "CastOptions",
    "CONCATENATION": "ConcatenationOptions",
    "CONV_2D": "Conv2DOptions",
    "DEPTHWISE_CONV_2D": "DepthwiseConv2DOptions",
    "FULLY_CONNECTED": "FullyConnectedOptions",
    "HARD_SWISH": "HardSwishOptions",
    "LOGISTIC": "",
    "MAX_POOL_2D": "Pool2DOptions",
    "MEAN": "ReducerOptions",
    "MUL": "MulOptions",
    "PAD": "PadOptions",
    "PADV2": "PadV2Options",
    "QUANTIZE": "QuantizeOptions",
    "RELU": "",
    "RELU6": "",
    "SOFTMAX": "SoftmaxOptions",
    "STRIDED_SLICE": "StridedSliceOptions",
}
"""Every operator that is written -> the table of its options."""
INT8_VERSION = {
    "CONV_2D": 3,
    "DEPTHWISE_CONV_2D": 3,
    "FULLY_CONNECTED": 4,
    "HARD_SWISH": 1,
    "QUANTIZE": 2,
}
"""The operator's version that takes int8: 2 of all others. Old runtimes refuse what they lack."""


class _Constant:
    """A buffer whose bytes begin at a multiple of ALIGNED; the schema's own class neglects that."""

    def __init__(self, schema: Any, data: NDArray[Any] | bytes | None) -> None:
        self.schema = schema
        self.data = data if data is None or isinstance(data, bytes) else data.tobytes()

    def Pack(self, builder: Any) -> int:  # as the schema's classes call it
        """Write the buffer; gives its offset."""
        at = None
        if self.data is not None:
            count = len(self.data)
            builder.StartVector(1, count, ALIGNED)
            head = builder.Head() - count
            builder.head = head
            builder.Bytes[head : head + count] = self.data
            at = builder.EndVector()
        self.schema.BufferStart(builder)
        if at is not None:
            self.schema.BufferAddData(builder, at)
        return int(self.schema.BufferEnd(builder))


def tflite_bytes(model: TfliteModel, metadata: Mapping[str, str] | None = None) -> bytes:
    """The file. Its batch size is left open (a runtime's `resize_tensor_input`), and 1 at first.

    Needs the package ai-edge-litert.
    """
    import flatbuffers
    from ai_edge_litert import schema_py_generated as schema

    names = [name for name, value in model.values.items() if _used(model, value)]
    places = {name: number for number, name in enumerate(names)}
    buffers = [_Constant(schema, None)]  # the first one is empty, for all that is no constant
    tensors = []
    for name in names:
        value = model.values[name]
        tensor = _tensor(schema, value)
        if value.data is not None:
            tensor.buffer = len(buffers)
            buffers.append(_Constant(schema, value.data))
        tensors.append(tensor)
    kinds = list(dict.fromkeys(_versioned(model, step) for step in model.operators))
    graph = schema.SubGraphT()
    graph.name, graph.tensors = "main", tensors
    graph.inputs, graph.outputs = [places[model.input]], [places[model.output]]
    graph.operators = [
        _operator(schema, step, kinds.index(_versioned(model, step)), places)
        for step in model.operators
    ]
    whole = schema.ModelT()
    whole.version, whole.description = SCHEMA, "hwnas"
    whole.operatorCodes = [_code(schema, kind, version) for kind, version in kinds]
    whole.subgraphs = [graph]
    whole.signatureDefs = [_signature(schema, model, places)]
    whole.metadata = []
    for name, text in (metadata or {}).items():
        entry = schema.MetadataT()
        entry.name, entry.buffer = name, len(buffers)
        buffers.append(_Constant(schema, text.encode()))
        whole.metadata.append(entry)
    whole.buffers = buffers
    builder = flatbuffers.Builder(sum(len(one.data or b"") for one in buffers) + 65536)
    builder.Finish(whole.Pack(builder), IDENTIFIER)
    return bytes(builder.Output())


def _used(model: TfliteModel, value: Value) -> bool:
    return value.name in (model.input, model.output) or any(
        value.name == step.output or value.name in step.inputs for step in model.operators
    )


def _tensor(schema: Any, value: Value) -> Any:
    tensor = schema.TensorT()
    tensor.name, tensor.shape, tensor.buffer = value.name, list(value.shape), 0
    tensor.type, tensor.hasRank = getattr(schema.TensorType, value.dtype.upper()), True
    if value.data is None:
        tensor.shapeSignature = [-1, *value.shape[1:]]
    if value.quantisation is not None:
        stored = schema.QuantizationParametersT()
        stored.scale = value.quantisation.scale.astype(np.float32)
        stored.zeroPoint = value.quantisation.zero.astype(np.int64)
        stored.quantizedDimension = value.quantisation.axis
        tensor.quantization = stored
    return tensor


def _operator(schema: Any, step: Operator, code: int, places: Mapping[str, int]) -> Any:
    written = schema.OperatorT()
    written.opcodeIndex = code
    written.inputs = [places[name] for name in step.inputs]
    written.outputs = [places[step.output]]
    table = OPTIONS[step.kind]
    if table:
        options = getattr(schema, f"{table}T")()
        for name, given in step.options.items():
            setattr(options, name, _number(schema, name, given))
        written.builtinOptions = options
        written.builtinOptionsType = getattr(schema.BuiltinOptions, table)
    return written


_WORDS = {
    "padding": "Padding",
    "fusedActivationFunction": "ActivationFunctionType",
    "inDataType": "TensorType",
    "outDataType": "TensorType",
}


def _number(schema: Any, name: str, given: Any) -> Any:
    """An option as the schema stores it: a word of an enumeration by its number."""
    return getattr(getattr(schema, _WORDS[name]), given) if name in _WORDS else given


def _versioned(model: TfliteModel, step: Operator) -> tuple[str, int]:
    """An operator's kind, and the least version of it that can do what is asked."""
    if model.values[step.inputs[0]].dtype == "int8" or step.kind == "QUANTIZE":
        return step.kind, INT8_VERSION.get(step.kind, 2)
    dilated = step.kind == "DEPTHWISE_CONV_2D" and step.options["dilationHFactor"] > 1
    return step.kind, 2 if dilated else 1


def _code(schema: Any, kind: str, version: int) -> Any:
    code = schema.OperatorCodeT()
    code.builtinCode = getattr(schema.BuiltinOperator, kind)
    # Runtimes from before 2020 read this one.
    code.deprecatedBuiltinCode = min(code.builtinCode, 127)
    code.version = version
    return code


def _signature(schema: Any, model: TfliteModel, places: Mapping[str, int]) -> Any:
    found = schema.SignatureDefT()
    found.signatureKey, found.subgraphIndex = SIGNATURE, 0
    found.inputs, found.outputs = [], []
    for side, name in ((found.inputs, model.input), (found.outputs, model.output)):
        entry = schema.TensorMapT()
        entry.name, entry.tensorIndex = name, places[name]
        side.append(entry)
    return found
