"""ONNX to ncnn's two files, by pnnx: batch 1, float32 images.

pnnx is a program of its own; it runs with a time limit and takes about half a second.
"""

from __future__ import annotations

import importlib.util
import platform
import shutil
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path

import onnx
from onnx import ModelProto

from profilers.bounded import MIB, run_bounded
from profilers.errors import InputError

LIMIT_S = 120.0


class NotConverted(RuntimeError):
    """pnnx gave no files, or such as ncnn can't read."""


def convert(
    model: ModelProto, shapes: Mapping[str, Sequence[int]], *, fp16: bool = False
) -> tuple[bytes, bytes]:
    """The contents of the .param and the .bin file; `shapes` of the inputs, batch included.

    `fp16` stores the weights in half precision. Raises InputError for inputs that ncnn has not,
    NotConverted where pnnx fails.
    """
    for name, sizes in shapes.items():
        if sizes[0] != 1:
            raise InputError(f"ncnn runs one image at a time: input '{name}' has {sizes[0]}")
    for one in model.graph.input:
        kind = one.type.tensor_type.elem_type
        if one.name in shapes and kind != onnx.TensorProto.FLOAT:
            given = onnx.helper.tensor_dtype_to_np_dtype(kind)
            raise InputError(f"ncnn takes float32: input '{one.name}' is {given}")
    with tempfile.TemporaryDirectory(prefix="hwnas-") as folder:
        source = Path(folder) / "model.onnx"
        onnx.save_model(explicit(model), str(source))
        words = ",".join(f"[{','.join(map(str, sizes))}]" for sizes in shapes.values())
        # What else it writes lies beside the model: nothing of it is wanted.
        done = run_bounded(
            [program(), str(source), f"inputshape={words}", f"fp16={int(fp16)}"],
            b"",
            LIMIT_S,
            16 * MIB,
            own_session=True,
        )
        files = [source.with_suffix(f".ncnn{suffix}") for suffix in (".param", ".bin")]
        if done.how != "ended" or done.returncode or not all(file.is_file() for file in files):
            last = (done.errors.decode("utf-8", "replace").strip().splitlines() or [done.how])[-1]
            raise NotConverted(f"pnnx could not convert it: {last[:200]}")
        return files[0].read_bytes(), files[1].read_bytes()


def explicit(model: ModelProto) -> ModelProto:
    """A copy that says what ONNX leaves to a default and pnnx needs: the mode of a Pad."""
    copied = ModelProto()
    copied.CopyFrom(model)
    for node in copied.graph.node:
        if node.op_type == "Pad" and all(one.name != "mode" for one in node.attribute):
            node.attribute.append(onnx.helper.make_attribute("mode", "constant"))
    return copied


def program() -> str:
    """The pnnx that its package brings. Raises InputError where it is not installed.

    The package itself is not imported: that would import torch.
    """
    found = importlib.util.find_spec("pnnx")
    for place in (found.submodule_search_locations or []) if found else []:
        file = Path(place) / ("pnnx.exe" if platform.system() == "Windows" else "pnnx")
        if file.is_file():
            return str(file)
    other = shutil.which("pnnx")
    if other:
        return other
    raise InputError("ncnn needs the package pnnx: pip install 'hwnas[ncnn]'")
