"""OpenVINO as a measurement needs it: explicit precision, threads, one stream, static shapes.

It needs openvino and numpy only: this file travels to remote hosts together with `worker.py`.
OpenVINO reads ONNX files (and its own .xml) itself.
"""

from __future__ import annotations

import sys
from collections.abc import Sequence
from typing import Any, cast

import numpy as np

from profilers.opened import Opened, random_inputs

HINTS = {"fp32": "f32", "fp16": "f16", "bf16": "bf16", "int8": "f32"}
"""The precision that OpenVINO is asked for. By itself it takes bf16 or f16 where the CPU has it;
int8 is in the file, and what is not quantised in it runs in f32."""
NAMES = {"f32": "fp32", "f16": "fp16", "bf16": "bf16"}


def silent_openvino() -> Any:
    """The package openvino without its telemetry.

    Importing openvino sends usage to a web address, by the package openvino_telemetry; where that
    can't be imported it does without. A measurement sends nothing.
    """
    name, modules = "openvino_telemetry", cast(dict[str, Any], sys.modules)
    absent = name not in modules
    if absent:
        modules[name] = None  # Python's word for a package that can't be imported
    try:
        import openvino
    finally:
        if absent:
            modules.pop(name, None)
    return openvino


def opened(model: dict[str, Any], request: dict[str, Any]) -> Opened:
    """One model, compiled for the CPU with exactly the requested precision and threads.

    Raises RuntimeError where OpenVINO runs it in another precision.
    """
    precision = str(request.get("precision", "fp32"))
    core = silent_openvino().Core()
    network = core.read_model(model["path"])
    shapes = model.get("shapes") or {}
    if shapes:
        network.reshape({name: list(sizes) for name, sizes in shapes.items()})
    compiled = core.compile_model(
        network,
        "CPU",
        {
            "INFERENCE_PRECISION_HINT": HINTS[precision],
            "INFERENCE_NUM_THREADS": int(request.get("threads", 1)),
            "NUM_STREAMS": 1,
            "PERFORMANCE_HINT": "LATENCY",
            # A pinned thread waits for its core where another process took that one.
            "ENABLE_CPU_PINNING": False,
        },
    )
    refuse_another_precision(compiled, precision)
    inputs = random_inputs(
        int(request.get("seed", 0)),
        [list(one.shape) for one in compiled.inputs],
        [one.element_type.to_dtype() for one in compiled.inputs],
    )
    runner = compiled.create_infer_request()
    order = dict(enumerate(inputs))

    def infer(arrays: Sequence[Any]) -> list[Any]:
        runner.infer(dict(enumerate(arrays)))
        outputs = [np.array(runner.get_output_tensor(i).data) for i in range(len(compiled.outputs))]
        runner.infer(order)  # `run` goes on with the inputs that were made up
        return outputs

    runner.infer(order)
    return Opened(run=runner.infer, infer=infer, inputs=inputs)


def refuse_another_precision(compiled: Any, precision: str) -> None:
    """OpenVINO takes the next precision that the CPU has without a word: say so (RuntimeError)."""
    used = compiled.get_property("INFERENCE_PRECISION_HINT").get_type_name()
    if used != HINTS[precision]:
        raise RuntimeError(
            f"OpenVINO has no {precision} on this CPU: it would run {NAMES.get(used, used)}"
        )


def versions() -> dict[str, str]:
    """Version and build of OpenVINO."""
    return {"openvino": str(silent_openvino().__version__)}
