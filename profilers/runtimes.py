"""The runtimes that run a file in a process of its own: what each needs, which precisions it has,
and the file it reads.

`onnx_latency` measures any of them by the same protocol. Another runtime is one entry here, and one
session module that `worker.py` knows.
"""

from __future__ import annotations

import importlib.util
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import onnx

from profilers.answers import Answer
from profilers.errors import InputError, nearest
from profilers.ncnn_convert import convert
from profilers.onnx_check import OnnxModel
from profilers.parity import Arrays, of_file

Prepare = Callable[[OnnxModel, Path, str], Answer]
"""(a checked ONNX file, where to write files to (a stem), precision) -> the model of a request."""


Plainly = Callable[[str, Arrays], Arrays]
"""(a file that `prepare` wrote, inputs (feeds, *shape) each) -> the outputs, in float64."""


@dataclass(frozen=True, kw_only=True)
class Runtime:
    """A runtime by name.

    `plainly`: what its int8 file means, without the kernels that make it fast. `runs` and
    `prepares`: packages that must be installed where it measures, and here. `cuda`:
    whether it measures on CUDA devices. `reference`: the runtime that runs the reference network
    beside it, itself where empty.
    """

    name: str
    runs: tuple[str, ...]
    prepares: tuple[str, ...] = ()
    precisions: tuple[str, ...]
    prepare: Prepare
    plainly: Plainly = of_file
    cuda: bool = False
    reference: str = ""

    @property
    def install(self) -> str:
        """The command that installs what it needs."""
        return f"pip install 'hwnas[{self.name}]'"


def _onnx(model: OnnxModel, stem: Path, precision: str) -> Answer:
    """The ONNX file itself; for int8 a quantised one, with ranges of random inputs."""
    path = model.path
    if precision == "int8":
        from profilers.onnx_int8 import quantised

        if len(model.inputs) != 1 or model.dtype != "float32":
            raise InputError(f"{path}: int8 is for files with one input, of float32")
        rng = np.random.default_rng(0)
        shape = model.inputs[0][1]
        batches = [rng.standard_normal(shape).astype(np.float32) for _ in range(4)]
        path = stem.with_suffix(".onnx")
        path.write_bytes(quantised(onnx.load(str(model.path)), batches))
    return {"path": str(path.resolve()), "shapes": model.shapes}


def _ncnn(model: OnnxModel, stem: Path, precision: str) -> Answer:
    """A file of ncnn is taken as it is; an ONNX file is converted."""
    if model.path.suffix == ".param":
        weights_file = model.path.with_suffix(".bin")
        return {"path": str(model.path), "weights": str(weights_file), "shapes": model.shapes}
    loaded = onnx.load(str(model.path))
    param, weights = convert(loaded, model.shapes, fp16=precision == "fp16")
    files = stem.with_suffix(".param"), stem.with_suffix(".bin")
    files[0].write_bytes(param)
    files[1].write_bytes(weights)
    return {"path": str(files[0]), "weights": str(files[1]), "shapes": model.shapes}


def _litert(model: OnnxModel, stem: Path, precision: str) -> Answer:
    """The TFLite file that whoever made the ONNX file wrote beside it: nothing is converted."""
    if model.tflite is None:
        raise InputError(
            "litert measures no ONNX file: give a .tflite file, or the run and the network's key"
        )
    return {"path": str(model.tflite.resolve()), "shapes": model.shapes}


def _litert_plainly(path: str, inputs: Arrays) -> Arrays:
    from profilers.session_litert import plain_outputs

    return tuple(plain_outputs(path, inputs))


RUNTIMES: dict[str, Runtime] = {
    "onnxruntime": Runtime(
        name="onnxruntime",
        runs=("onnxruntime",),
        precisions=("fp32", "int8"),
        prepare=_onnx,
        cuda=True,
    ),
    "openvino": Runtime(
        name="openvino",
        runs=("openvino",),
        precisions=("fp32", "fp16", "bf16", "int8"),
        prepare=_onnx,
    ),
    "ncnn": Runtime(
        name="ncnn",
        runs=("ncnn",),
        prepares=("pnnx",),
        precisions=("fp32", "fp16"),
        prepare=_ncnn,
    ),
    "litert": Runtime(
        name="litert",
        runs=("ai_edge_litert",),
        prepares=("ai_edge_litert",),
        precisions=("fp32", "int8"),
        prepare=_litert,
        plainly=_litert_plainly,
        reference="onnxruntime",
    ),
}


def check_runtime(name: str, precision: str, place: str = "cpu", *, elsewhere: bool) -> Runtime:
    """A runtime that can measure in a precision at a place.

    `elsewhere`: another machine runs it, so that only what prepares files is needed here. Raises
    InputError.
    """
    runtime = RUNTIMES[name]
    if precision not in runtime.precisions:
        hint = nearest(precision, runtime.precisions)
        raise InputError(f"back end '{name}' has no precision '{precision}'{hint}")
    if place != "cpu" and not runtime.cuda:
        raise InputError(f"back end '{name}' measures on CPUs, not on {place or 'this target'}")
    needed = runtime.prepares if elsewhere else (*runtime.runs, *runtime.prepares)
    for package in needed:
        if importlib.util.find_spec(package) is None:
            raise InputError(
                f"back end '{name}' needs the package {package}, which is not installed:"
                f" {runtime.install}"
            )
    return runtime
