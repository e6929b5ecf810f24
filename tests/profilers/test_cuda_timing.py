"""On a machine with several GPUs everything happens on the one that is named; "fp32" is float32;
clocks are read.

Recorded on stand-ins for torch.cuda and ONNX Runtime: no GPU is needed to see which device is
asked.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import torch

from profilers import gpu_state, session, torch_latency
from profilers.backends import Options, cuda_index
from profilers.cuda_timing import captured, on_device
from profilers.device import Device
from profilers.errors import InputError
from profilers.gpu_state import GpuState, notes, settings
from profilers.measurement import Failure, Measurement
from profilers.memory import onnx_memory
from profilers.onnx_latency import OnnxOptions, latency_request, measure_latency
from profilers.runtime_backends import together
from profilers.timing import Duration
from profilers.torch_latency import full_float32
from tests.profilers.onnx_files import saved, small

SECOND = torch.device("cuda", 1)


class Cuda:
    """Stands for torch.cuda: remembers the current device, and on which one each thing was done."""

    def __init__(self) -> None:
        self.now = torch.device("cuda", 0)
        self.done: list[tuple[str, torch.device]] = []

    @contextmanager
    def device(self, place: torch.device) -> Iterator[None]:
        before, self.now = self.now, place
        yield
        self.now = before

    def note(self, what: str, place: torch.device | None = None) -> Any:
        self.done.append((what, place or self.now))
        return SimpleNamespace(wait_stream=lambda other: self.note("wait"), replay=lambda: None)

    def current_stream(self, place: torch.device | None = None) -> Any:
        return self.note("current stream", place)

    def Stream(self, place: torch.device | None = None) -> Any:
        return self.note("stream", place)

    @contextmanager
    def stream(self, stream: object) -> Iterator[None]:
        self.note("enter")
        yield

    def CUDAGraph(self) -> Any:
        return self.note("graph")

    @contextmanager
    def graph(self, graph: object, stream: object) -> Iterator[None]:
        self.note("capture")
        yield


def test_streams_and_graphs_are_those_of_the_device_that_holds_the_input(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    cuda = Cuda()
    monkeypatch.setattr(torch, "cuda", cuda)
    x: Any = SimpleNamespace(device=SECOND)
    module: Any = lambda given: cuda.note("run")  # noqa: E731
    captured(module, x)
    assert {place for _, place in cuda.done} == {SECOND}
    assert [what for what, _ in cuda.done if what in ("run", "capture")] == ["run"] * 3 + [
        "capture",
        "run",
    ]
    assert cuda.now == torch.device("cuda", 0)


def test_events_are_recorded_with_the_named_device_as_the_current_one(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    cuda = Cuda()
    monkeypatch.setattr(torch, "cuda", cuda)

    def sampler(n: int) -> list[Duration]:
        cuda.note("sample")
        return [Duration(own=1.0, wall=1.0)] * n

    assert len(on_device(SECOND, sampler)(3)) == 3
    assert cuda.done == [("sample", SECOND)]


def test_float32_is_not_tf32_while_a_gpu_is_measured_and_left_as_found() -> None:
    flags = torch.backends.cuda.matmul, torch.backends.cudnn
    before = [one.allow_tf32 for one in flags]
    torch.backends.cudnn.allow_tf32 = True
    with full_float32("cuda:0"):
        assert not any(one.allow_tf32 for one in flags)
    assert torch.backends.cudnn.allow_tf32
    with full_float32("cpu"):
        assert torch.backends.cudnn.allow_tf32
    flags[0].allow_tf32, flags[1].allow_tf32 = before
    assert torch_latency._precisions(torch_latency.TorchOptions(place="cuda:0"))["tf32"] is False


@pytest.mark.parametrize(
    ("place", "index"), [("cpu", 0), ("cuda", 0), ("cuda:0", 0), ("cuda:3", 3)]
)
def test_the_index_of_a_place(place: str, index: int) -> None:
    assert cuda_index(place) == index


def test_onnx_runtime_is_started_on_the_named_device_and_its_buffers_lie_there(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    made: dict[str, Any] = {}

    def start(
        path: str, options: object, providers: list[str], provider_options: list[dict[str, int]]
    ) -> Any:
        made.update(providers=providers, options=provider_options)
        return SimpleNamespace(get_providers=lambda: providers)

    class Binding:
        def bind_ortvalue_input(self, name: str, value: object) -> None:
            made["input"] = value

        def bind_output(self, *given: object) -> None:
            made["output"] = given

        synchronize_outputs = staticmethod(lambda: None)

    monkeypatch.setattr(
        session.onnxruntime, "get_available_providers", lambda: ["CUDAExecutionProvider"]
    )
    monkeypatch.setattr(session.onnxruntime, "InferenceSession", start)
    monkeypatch.setattr(
        session.onnxruntime, "preload_dlls", lambda: made.update(preloaded=True), raising=False
    )
    monkeypatch.setattr(
        session.onnxruntime.OrtValue, "ortvalue_from_numpy", staticmethod(lambda *given: given[1:])
    )
    request = {"provider": "cuda", "index": 1}
    session.load("file", request)
    assert made["providers"] == ["CUDAExecutionProvider"] and made["options"] == [{"device_id": 1}]
    assert made["preloaded"]
    running: Any = SimpleNamespace(
        io_binding=Binding,
        get_outputs=lambda: [SimpleNamespace(name="y")],
        run_with_iobinding=lambda binding: None,
    )
    session.bound_run(running, {"x": np.zeros(1)}, "cuda", 1)()
    assert made["input"] == ("cuda", 1) and made["output"] == ("y", "cuda", 1)
    # What TensorRT does not take, CUDA does, on the same device; buffers lie on that.
    with pytest.raises(RuntimeError, match=r"no TensorrtExecutionProvider: pip uninstall"):
        session.load("file", {**request, "provider": "tensorrt"})
    both = ["TensorrtExecutionProvider", "CUDAExecutionProvider"]
    monkeypatch.setattr(session.onnxruntime, "get_available_providers", lambda: both)
    session.load("file", {**request, "provider": "tensorrt"})
    assert made["providers"] == both and made["options"] == [{"device_id": 1}] * 2


def test_which_provider_took_how_many_nodes_is_read_from_the_session(tmp_path: Path) -> None:
    ort = session.onnxruntime
    file = str(saved(tmp_path, small()))
    options = ort.SessionOptions()
    options.add_session_config_entry(session.PLACEMENT, "1")
    told = ort.InferenceSession(file, options, providers=["CPUExecutionProvider"])
    if not hasattr(told, "get_provider_graph_assignment_info"):
        pytest.skip(f"ONNX Runtime {ort.__version__} does not tell")
    assert session.placed(told) == {"CPUExecutionProvider": 1}
    # One that was not told to remember, and versions that can't.
    assert session.placed(ort.InferenceSession(file, providers=["CPUExecutionProvider"])) == {}
    assert session.placed(SimpleNamespace()) == {}


@pytest.mark.parametrize(
    ("provider", "nodes", "note"),
    [
        ("cuda", {"CUDAExecutionProvider": 31}, ()),
        (
            "cuda",
            {"CUDAExecutionProvider": 31, "CPUExecutionProvider": 2},
            ("not all nodes ran by cuda: CUDA 31, CPU 2",),
        ),
        (
            "tensorrt",
            {"TensorrtExecutionProvider": 1, "CUDAExecutionProvider": 4},
            ("not all nodes ran by tensorrt: Tensorrt 1, CUDA 4",),
        ),
        ("tensorrt", {}, ()),
    ],
)
def test_a_receipt_names_the_providers_that_really_ran(
    tmp_path: Path, provider: Any, nodes: dict[str, int], note: tuple[str, ...]
) -> None:
    figures = ("min", "p10", "median", "p90", "p99", "iqr", "value", "low", "high", "noise")
    summary: dict[str, Any] = {**dict.fromkeys(figures, 0.1), "n": 2, "noisy": False}
    summary["statistic"] = "median"
    answer = {"model": 0, "own": [0.1, 0.1], "wall": [0.1, 0.1], "reference": [], "nodes": nodes}
    answer |= {"summary": summary, "wall_summary": summary}
    (found,) = measure_latency(
        [saved(tmp_path, small())],
        OnnxOptions(provider=provider),
        run=lambda *_: ({"versions": {}, "host": ""}, [answer]),
    )
    assert isinstance(found, Measurement) and found.receipt.notes == note
    assert dict(found.receipt.settings).get("nodes") == (
        note[0].partition(": ")[2] if note else "CUDA 31" if nodes else None
    )


def test_tensorrt_is_of_onnx_runtime_on_cuda_alone() -> None:
    for runtime, place in (("onnxruntime", "cpu"), ("openvino", "cuda:0")):
        with pytest.raises(InputError, match="--tensorrt"):
            together(
                runtime,
                [],
                Device(name="x", kind="gpu", description=""),
                Options(place=place, tensorrt=True),
            )


def test_the_request_of_a_measurement_names_the_device(tmp_path: Any) -> None:
    assert latency_request([], OnnxOptions(provider="cuda", index=2), None)["index"] == 2


def test_the_memory_of_a_gpu_is_not_told_by_the_resident_set(tmp_path: Any) -> None:
    found = onnx_memory(
        saved(tmp_path, small()), OnnxOptions(provider="cuda"), run=lambda *_: pytest.fail("run")
    )
    assert isinstance(found, Failure) and not found.went_wrong and "--backend torch" in found.detail


def test_clocks_and_other_processes_are_read_from_nvidia_smi(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    facts = SimpleNamespace(uuid="ab-cd")
    monkeypatch.setattr(torch.cuda, "get_device_properties", lambda index: facts)
    asked: list[list[str]] = []

    def ask(arguments: Any) -> str:
        asked.append(list(arguments))
        return "1980, 2619, 1980, 41\n" if "clocks.sm" in arguments[0] else "7\n8\n9\n"

    before = gpu_state.gpu_state(0, ask, own=8)
    assert before == GpuState(
        clock_mhz=1980, memory_clock_mhz=2619, most_mhz=1980, celsius=41, others=2
    )
    assert all(arguments[1:3] == ["-i", "GPU-ab-cd"] for arguments in asked)
    after = GpuState(clock_mhz=1200.0, others=0)
    assert (
        settings(before, after)["clock_mhz_before"] == 1980
        and settings(before, after)["clock_mhz_after"] == 1200
    )
    assert (
        notes(before, after) == ("2 other processes were on this GPU",)
        and notes(after, after) == ()
    )
    assert gpu_state.gpu_state(0, lambda arguments: "") == GpuState()
    assert gpu_state.gpu_state(0, lambda arguments: "[N/A], 1, [Not Supported]").clock_mhz is None
