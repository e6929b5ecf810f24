"""Look at an ONNX file before anything runs it: corrupt, unknown operators, data elsewhere, shapes
left open.

Every finding is an `InputError` of one line. Nothing outside the file's own folder is ever opened.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import onnx
from onnx import ModelProto, TensorProto

from profilers.errors import InputError, nearest
from profilers.limited import check_model_file, why_no_file
from profilers.limits import check_input
from profilers.onnx_inputs import element_type, input_sizes
from profilers.onnx_params import Params, count_params
from profilers.onnx_walk import all_nodes, tensors

# ONNX Runtime's own operators, which the onnx package cannot know.
RUNTIME_DOMAINS = ("com.microsoft", "com.microsoft.nchwc", "ai.onnx.contrib")


@dataclass(frozen=True, kw_only=True)
class OnnxModel:
    """A file that passed: its path, its inputs' sizes in order, nodes, parameters, opset, input
    type.

    `tflite`: the same network as LiteRT reads it, where there is one; `tflite_s`: the seconds that
    writing it took.
    """

    path: Path
    inputs: tuple[tuple[str, tuple[int, ...]], ...]
    nodes: int
    params: int
    opset: int
    dtype: str
    tflite: Path | None = None
    tflite_s: float = 0.0

    @property
    def shapes(self) -> dict[str, list[int]]:
        """Input name -> sizes."""
        return {name: list(sizes) for name, sizes in self.inputs}


def check_onnx(
    path: Path | str, shapes: Mapping[str, Sequence[int]] | None = None, batch: int | None = 1
) -> OnnxModel:
    """Check one file.

    `shapes` gives sizes to inputs by name, `batch` to a first dimension left open.

    Raises InputError when the file is absent or corrupt, has unknown operators, keeps data outside
    its folder or leaves a size open that neither `shapes` nor `batch` gives.
    """
    try:
        return _check(Path(path), shapes or {}, batch)
    except InputError as error:
        raise InputError(one_line(error)) from None
    except Exception as error:
        # A damaged file surprises the parser's own objects too, with bytes in the place of texts,
        # say.
        raise InputError(f"{path}: not a valid ONNX model: {one_line(error)}") from None


def _check(file: Path, shapes: Mapping[str, Sequence[int]], batch: int | None) -> OnnxModel:
    model = read(file)
    folder = file.resolve().parent
    for tensor in tensors(model):
        check_location(file, folder, tensor)
    check_operators(file, model)
    check_form(file, model)
    weights = {tensor.name for tensor in model.graph.initializer}
    arguments = [argument for argument in model.graph.input if argument.name not in weights]
    for name in shapes:
        if name not in {argument.name for argument in arguments}:
            raise InputError(
                f"{file}: no input '{name}'{nearest(name, [a.name for a in arguments])}"
            )
    inputs = tuple((a.name, input_sizes(file, a, shapes, batch)) for a in arguments)
    for name, sizes in inputs:
        check_input(f"{file}: input '{name}'", sizes)
    if batch and batch > 1 and not any(sizes[:1] == (batch,) for _, sizes in inputs):
        raise InputError(
            f"{file}: its inputs have a fixed batch, so a batch of {batch} is not possible"
        )
    return OnnxModel(
        path=file,
        inputs=inputs,
        nodes=len(model.graph.node),
        params=params_of(file, model).total,
        opset=next(
            (opset.version for opset in model.opset_import if opset.domain in ("", "ai.onnx")), 0
        ),
        dtype=element_type(arguments[0]) if arguments else "",
    )


def read(file: Path) -> ModelProto:
    """Parse the file alone, without data that it refers to."""
    check_model_file(file, "ONNX")
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
            f"{file}: tensor '{tensor.name}' keeps its data outside the model's folder:"
            f" '{location}'"
        )
    wrong = why_no_file(target)
    if wrong is not None:
        raise InputError(
            f"{file}: tensor '{tensor.name}' keeps its data in '{location}', which is"
            f" {'not there' if wrong == 'not found' else wrong}"
        )


def check_operators(file: Path, model: ModelProto) -> None:
    """Every operator must be one that ONNX or ONNX Runtime defines, or a function of the model
    itself."""
    own = {(function.domain, function.name) for function in model.functions}
    standard = {schema.name for schema in onnx.defs.get_all_schemas()}
    for node in all_nodes(model):
        if (node.domain, node.op_type) in own or node.domain in RUNTIME_DOMAINS:
            continue
        if node.domain in ("", "ai.onnx"):
            if node.op_type not in standard:
                raise InputError(
                    f"{file}: unknown operator '{node.op_type}'{closest(node.op_type, standard)}"
                )
        elif not node.domain.startswith("ai.onnx."):
            raise InputError(
                f"{file}: unknown operator '{node.op_type}' of the domain '{node.domain}'"
            )


def check_form(file: Path, model: ModelProto) -> None:
    """ONNX's own checker, but for what it asks beyond the standard: outputs, and inputs, need no
    shape.

    Raises the checker's error.
    """
    values = [*model.graph.input, *model.graph.output]
    if all(_is_whole(value) for value in values):
        onnx.checker.check_model(str(file), full_check=False)
        return
    filled = ModelProto()
    filled.CopyFrom(model)
    for value in (*filled.graph.input, *filled.graph.output):
        if not value.type.WhichOneof("value"):
            value.type.tensor_type.elem_type = TensorProto.FLOAT
        if value.type.HasField("tensor_type"):
            value.type.tensor_type.shape.SetInParent()
    # A model in memory has no folder to find its data in, so what lies elsewhere (and was looked
    # at) becomes an input.
    outside = [one for one in filled.graph.initializer if one.data_location == TensorProto.EXTERNAL]
    inside = [one for one in filled.graph.initializer if one.data_location != TensorProto.EXTERNAL]
    del filled.graph.initializer[:]
    filled.graph.initializer.extend(inside)
    names = {argument.name for argument in filled.graph.input}
    filled.graph.input.extend(
        onnx.helper.make_tensor_value_info(one.name, one.data_type, list(one.dims))
        for one in outside
        if one.name not in names
    )
    onnx.checker.check_model(filled, full_check=False)


def _is_whole(value: onnx.ValueInfoProto) -> bool:
    """Whether the checker asks for no more than stands there."""
    kind = value.type.WhichOneof("value")
    return bool(kind) and (kind != "tensor_type" or value.type.tensor_type.HasField("shape"))


def params_of(file: Path, model: ModelProto) -> Params:
    """The model's parameters. Raises InputError that names the file."""
    try:
        return count_params(model)
    except InputError as error:
        raise InputError(f"{file}: {error}") from None


def closest(word: str, choices: set[str]) -> str:
    """The hint of `nearest` without its list: there are two hundred operators."""
    hint = nearest(word, sorted(choices)).split(" (choices:")[0]
    return hint


def one_line(error: Exception) -> str:
    """The first line that says something, at most 300 characters, without control characters."""
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    text = lines[0] if lines else type(error).__name__
    return "".join(letter if letter.isprintable() else "?" for letter in text)[:300]
