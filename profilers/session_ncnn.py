"""ncnn as a measurement needs it: explicit precision and threads, on the CPU.

It needs ncnn and numpy only: this file travels to remote hosts together with `worker.py`. A model
is what pnnx wrote: a .param file, with its .bin beside it.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import ncnn
import numpy as np

from profilers.opened import Opened, random_inputs


def opened(model: dict[str, Any], request: dict[str, Any]) -> Opened:
    """One model with exactly the requested precision and threads; it has no batch.

    Raises RuntimeError where ncnn can't read the files.
    """
    net = ncnn.Net()
    set_options(net.opt, str(request.get("precision", "fp32")), int(request.get("threads", 1)))
    if net.load_param(model["path"]) or net.load_model(model["weights"]):
        raise RuntimeError("ncnn can't read what pnnx wrote: the file holds a layer it lacks")
    names, results = net.input_names(), net.output_names()
    shapes = [sizes[1:] for sizes in (model.get("shapes") or {}).values()]
    inputs = random_inputs(int(request.get("seed", 0)), shapes, [np.float32] * len(shapes))

    def bound(arrays: Sequence[Any]) -> list[Any]:
        # A clone owns its memory, so that no layer works in place on what is ours.
        return [ncnn.Mat(np.ascontiguousarray(array)).clone() for array in arrays]

    def run_on(mats: Sequence[Any]) -> list[Any]:
        extractor = net.create_extractor()
        for i, mat in enumerate(mats):
            extractor.input(names[i], mat)
        return [extractor.extract(name) for name in results]

    def infer(arrays: Sequence[Any]) -> list[Any]:
        outputs = run_on(bound([np.reshape(one, shapes[i]) for i, one in enumerate(arrays)]))
        if any(code for code, _ in outputs):
            raise RuntimeError("ncnn could not run the network: no memory, or a layer it lacks")
        return [np.array(mat) for _, mat in outputs]

    mats = bound(inputs)
    return Opened(run=lambda: run_on(mats), infer=infer, inputs=inputs)


def set_options(options: Any, precision: str, threads: int) -> None:
    """fp32 is float32 everywhere; fp16 is what ncnn does by itself: half precision where it can."""
    half = precision == "fp16"
    options.num_threads = threads
    options.use_vulkan_compute = False
    options.use_fp16_packed = options.use_fp16_storage = options.use_fp16_arithmetic = half
    options.use_bf16_storage = options.use_bf16_packed = False


def versions() -> dict[str, str]:
    """Version of ncnn."""
    return {"ncnn": ncnn.__version__}
