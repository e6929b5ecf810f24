"""Sessions of ONNX Runtime as a measurement needs them: explicit threads, made-up inputs, bound
buffers.

It needs onnxruntime and numpy only: this file travels to remote hosts together with `worker.py`.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import onnxruntime

from profilers.opened import Opened, random_input

PROVIDERS = {
    "cpu": "CPUExecutionProvider",
    "cuda": "CUDAExecutionProvider",
    "tensorrt": "TensorrtExecutionProvider",
}
PLACEMENT = "session.record_ep_graph_assignment_info"
"""What makes ONNX Runtime, from 1.24 on, remember which provider took which nodes."""
GRAPH_LEVELS = {
    "disabled": "ORT_DISABLE_ALL",
    "basic": "ORT_ENABLE_BASIC",
    "extended": "ORT_ENABLE_EXTENDED",
    "all": "ORT_ENABLE_ALL",
}
NUMPY_TYPES = {
    "tensor(float)": np.float32,
    "tensor(double)": np.float64,
    "tensor(float16)": np.float16,
    "tensor(uint8)": np.uint8,
    "tensor(int8)": np.int8,
    "tensor(int32)": np.int32,
    "tensor(int64)": np.int64,
    "tensor(bool)": np.bool_,
}


def opened(model: dict[str, Any], request: dict[str, Any]) -> Opened:
    """One model in a session as the request asks for, its buffers bound where that is asked for."""
    session = load(model["path"], request)
    feeds = made_up(session, model, request)

    def infer(arrays: Sequence[Any]) -> list[Any]:
        found: list[Any] = session.run(None, {name: arrays[i] for i, name in enumerate(feeds)})
        return found

    provider = request.get("provider", "cpu")
    if request.get("io_binding") or provider != "cpu":
        place = "cpu" if provider == "cpu" else "cuda"
        run = bound_run(session, feeds, place, int(request.get("index", 0)))
    else:

        def run() -> object:
            return session.run(None, feeds)

    nodes = {} if provider == "cpu" else placed(session)
    return Opened(run=run, infer=infer, inputs=list(feeds.values()), nodes=nodes)


def placed(session: Any) -> dict[str, int]:
    """How many nodes each provider took of a session that remembers it; {} where this version can't
    tell. A node that TensorRT took stands for all that it made one of."""
    try:
        parts = session.get_provider_graph_assignment_info()
    except Exception:  # an older version, or one that was not told to remember
        return {}
    found: dict[str, int] = {}
    for part in parts:
        found[part.ep_name] = found.get(part.ep_name, 0) + len(part.get_nodes())
    return found


def versions() -> dict[str, str]:
    """Version of ONNX Runtime."""
    return {"onnxruntime": onnxruntime.__version__}


def made_up(session: Any, model: dict[str, Any], request: dict[str, Any]) -> dict[str, Any]:
    """Fixed random inputs by name."""
    rng = np.random.default_rng(request.get("seed", 0))
    shapes = model.get("shapes") or {}
    return {a.name: random_array(rng, sizes(a, shapes), a.type) for a in session.get_inputs()}


def load(path: str, request: dict[str, Any]) -> onnxruntime.InferenceSession:
    """A session of one model with exactly the requested provider, threads and graph level."""
    provider = PROVIDERS[request.get("provider", "cpu")]
    if provider not in onnxruntime.get_available_providers():
        advice = (
            ": pip uninstall onnxruntime, then pip install onnxruntime-gpu (they share a folder)"
        )
        raise RuntimeError(
            f"this onnxruntime has no {provider}{advice if provider != PROVIDERS['cpu'] else ''}"
        )
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = int(request.get("threads", 1))
    options.inter_op_num_threads = 1
    options.execution_mode = onnxruntime.ExecutionMode.ORT_SEQUENTIAL
    options.log_severity_level = 3
    level = GRAPH_LEVELS[request.get("graph_level", "all")]
    options.graph_optimization_level = getattr(onnxruntime.GraphOptimizationLevel, level)
    if "profile" in request:
        options.enable_profiling = True
        options.profile_file_prefix = request["profile"]
    # Spinning threads burn a shared host's cores and slow down what is measured there.
    options.add_session_config_entry("session.intra_op.allow_spinning", "0")
    providers: list[str] = [provider]
    settings: list[dict[str, int]] = [{}]
    if provider != PROVIDERS["cpu"]:
        options.add_session_config_entry(PLACEMENT, "1")
        if hasattr(onnxruntime, "preload_dlls"):
            # CUDA's and cuDNN's libraries from pip's packages, where there are any
            onnxruntime.preload_dlls()
        # What TensorRT does not take, CUDA does.
        providers = list(dict.fromkeys([provider, PROVIDERS["cuda"]]))
        settings = [{"device_id": int(request.get("index", 0))} for _ in providers]
    session = onnxruntime.InferenceSession(
        path, options, providers=providers, provider_options=settings
    )
    if session.get_providers()[0] != provider:
        raise RuntimeError(f"onnxruntime could not start {provider}")
    return session


def bound_run(
    session: Any, feeds: dict[str, Any], provider: str, index: int = 0
) -> Callable[[], object]:
    """A run whose inputs lie on device ``index`` and whose outputs stay there; it returns when
    all is done."""
    binding = session.io_binding()
    values = {
        name: onnxruntime.OrtValue.ortvalue_from_numpy(array, provider, index)
        for name, array in feeds.items()
    }
    for name, value in values.items():
        binding.bind_ortvalue_input(name, value)
    for output in session.get_outputs():
        binding.bind_output(output.name, provider, index)

    def run() -> object:
        session.run_with_iobinding(binding)
        binding.synchronize_outputs()
        return values

    return run


def sizes(argument: Any, shapes: dict[str, list[int]]) -> list[int]:
    """The shape of one input: as given, else as the model declares it."""
    declared = shapes.get(argument.name, argument.shape)
    if not all(isinstance(size, int) and size > 0 for size in declared):
        raise ValueError(f"input '{argument.name}' has the dynamic shape {declared}")
    return list(declared)


def random_array(rng: np.random.Generator, shape: list[int], kind: str) -> Any:
    """A fixed random input of one of ONNX Runtime's types."""
    if kind not in NUMPY_TYPES:
        raise ValueError(f"an input of type {kind} cannot be made up")
    return random_input(rng, shape, NUMPY_TYPES[kind])
