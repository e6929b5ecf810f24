"""Look at an ONNX file before anything runs it: corrupt, unknown operators, data elsewhere, shapes left open.

Every finding is an `InputError` of one line. Nothing outside the file's own folder is ever opened.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import onnx
from onnx import AttributeProto, GraphProto, ModelProto, TensorProto

from profilers.errors import InputError, nearest
from profilers.limits import check_input

MOST_BYTES = 2**31
# ONNX Runtime's own operators, which the onnx package cannot know.
RUNTIME_DOMAINS = ("com.microsoft", "com.microsoft.nchwc", "ai.onnx.contrib")


@dataclass(frozen=True)
class OnnxModel:
    """A file that passed: its path, its inputs' sizes in order, nodes, parameters, opset, input type."""

    path: Path
    inputs: tuple[tuple[str, tuple[int, ...]], ...]
    nodes: int
    params: int
    opset: int
    dtype: str

    @property
    def shapes(self) -> dict[str, list[int]]:
        """Input name -> sizes."""
        return {name: list(sizes) for name, sizes in self.inputs}


def check_onnx(
    path: Path | str, shapes: Mapping[str, Sequence[int]] | None = None, batch: int | None = 1
) -> OnnxModel:
    """Check one file. `shapes` gives sizes to inputs by name, `batch` to a first dimension left open.

    Raises InputError when the file is absent or corrupt, has unknown operators, keeps data outside its folder
    or leaves a size open that neither `shapes` nor `batch` gives.
    """
    try:
        return _check(Path(path), shapes or {}, batch)
    except InputError as error:
        raise InputError(one_line(error)) from None
    except Exception as error:
        # A damaged file surprises the parser's own objects too, with bytes in the place of texts, say.
        raise InputError(f"{path}: not a valid ONNX model: {one_line(error)}") from None


def _check(file: Path, shapes: Mapping[str, Sequence[int]], batch: int | None) -> OnnxModel:
    model = read(file)
    folder = file.resolve().parent
    for tensor in tensors(model.graph):
        check_location(file, folder, tensor)
    check_operators(file, model)
    onnx.checker.check_model(str(file), full_check=False)
    weights = {tensor.name for tensor in model.graph.initializer}
    arguments = [argument for argument in model.graph.input if argument.name not in weights]
    for name in shapes:
        if name not in {argument.name for argument in arguments}:
            raise InputError(f"{file}: no input '{name}'{nearest(name, [a.name for a in arguments])}")
    inputs = tuple((a.name, input_sizes(file, a, shapes, batch)) for a in arguments)
    for name, sizes in inputs:
        check_input(f"{file}: input '{name}'", sizes)
    if batch and batch > 1 and not any(sizes[:1] == (batch,) for _, sizes in inputs):
        raise InputError(f"{file}: its inputs have a fixed batch, so a batch of {batch} is not possible")
    return OnnxModel(
        path=file,
        inputs=inputs,
        nodes=len(model.graph.node),
        params=sum(number(tensor) for tensor in model.graph.initializer if tensor.data_type in FLOATS),
        opset=next((opset.version for opset in model.opset_import if opset.domain in ("", "ai.onnx")), 0),
        dtype=element_type(arguments[0]) if arguments else "",
    )


FLOATS = (TensorProto.FLOAT, TensorProto.FLOAT16, TensorProto.BFLOAT16, TensorProto.DOUBLE, TensorProto.INT8)


def read(file: Path) -> ModelProto:
    """Parse the file alone, without data that it refers to."""
    if not file.is_file():
        raise InputError(f"{file}: no such file")
    if file.stat().st_size > MOST_BYTES:
        raise InputError(f"{file}: larger than 2 GiB, which ONNX does not allow")
    try:
        model = onnx.load(str(file), load_external_data=False)
    except Exception:
        raise InputError(f"{file}: not a readable ONNX file (corrupt or another format)") from None
    if not model.graph.node and not model.graph.output:
        raise InputError(f"{file}: not a readable ONNX file (it holds no graph)")
    return model


def check_location(file: Path, folder: Path, tensor: TensorProto) -> None:
    """External data must be a plain file inside the model's folder."""
    if tensor.data_location != TensorProto.EXTERNAL:
        return
    location = next((entry.value for entry in tensor.external_data if entry.key == "location"), "")
    target = (folder / location).resolve()
    if not location or Path(location).is_absolute() or not target.is_relative_to(folder):
        raise InputError(
            f"{file}: tensor '{tensor.name}' keeps its data outside the model's folder: '{location}'"
        )
    if not target.is_file():
        raise InputError(f"{file}: tensor '{tensor.name}' keeps its data in '{location}', which is not there")


def check_operators(file: Path, model: ModelProto) -> None:
    """Every operator must be one that ONNX or ONNX Runtime defines, or a function of the model itself."""
    own = {(function.domain, function.name) for function in model.functions}
    standard = {schema.name for schema in onnx.defs.get_all_schemas()}
    for node in nodes(model.graph):
        if (node.domain, node.op_type) in own or node.domain in RUNTIME_DOMAINS:
            continue
        if node.domain in ("", "ai.onnx"):
            if node.op_type not in standard:
                raise InputError(
                    f"{file}: unknown operator '{node.op_type}'{closest(node.op_type, standard)}"
                )
        elif not node.domain.startswith("ai.onnx."):
            raise InputError(f"{file}: unknown operator '{node.op_type}' of the domain '{node.domain}'")


def closest(word: str, choices: set[str]) -> str:
    """The hint of `nearest` without its list: there are two hundred operators."""
    hint = nearest(word, sorted(choices)).split(" (choices:")[0]
    return hint


def input_sizes(
    file: Path, argument: onnx.ValueInfoProto, shapes: Mapping[str, Sequence[int]], batch: int | None
) -> tuple[int, ...]:
    """The sizes of one input: those given, else those declared with `batch` for a first one left open."""
    if not argument.type.HasField("tensor_type"):
        raise InputError(f"{file}: input '{argument.name}' is not a tensor")
    if not argument.type.tensor_type.HasField("shape"):
        if argument.name in shapes and min(shapes[argument.name], default=0) > 0:
            return tuple(int(size) for size in shapes[argument.name])
        raise InputError(f"{file}: input '{argument.name}' has no shape: give its sizes with --shape")
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
            f"{file}: input '{argument.name}' has the dynamic shape {shown(declared)}: give its sizes, "
            f"for example --shape {argument.name}=1,3,32,32"
        )
    return tuple(int(size) for size in sizes)


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


def number(tensor: TensorProto) -> int:
    """Values in a tensor."""
    count = 1
    for size in tensor.dims:
        count *= size
    return count


def nodes(graph: GraphProto) -> Iterator[onnx.NodeProto]:
    """All nodes, those of subgraphs too."""
    for node in graph.node:
        yield node
        for attribute in node.attribute:
            if attribute.type == AttributeProto.GRAPH:
                yield from nodes(attribute.g)
            for inner in attribute.graphs:
                yield from nodes(inner)


def tensors(graph: GraphProto) -> Iterator[TensorProto]:
    """All stored tensors: initializers and attributes, those of subgraphs too."""
    yield from graph.initializer
    for sparse in graph.sparse_initializer:
        yield from (sparse.values, sparse.indices)
    for node in nodes(graph):
        for attribute in node.attribute:
            if attribute.type == AttributeProto.TENSOR:
                yield attribute.t
            yield from attribute.tensors
            if attribute.type == AttributeProto.GRAPH:
                yield from attribute.g.initializer


def one_line(error: Exception) -> str:
    """The first line that says something, at most 300 characters, without control characters."""
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    text = lines[0] if lines else type(error).__name__
    return "".join(letter if letter.isprintable() else "?" for letter in text)[:300]
