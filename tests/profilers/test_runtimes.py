"""What each runtime has, what it is given, and what it measures where it is installed."""

from __future__ import annotations

import subprocess
import sys
from dataclasses import replace
from importlib.util import find_spec

import onnx
import pytest
import torch
from torch import nn

from profilers import ncnn_convert, runtimes
from profilers.backends import BACKENDS, Options, Subject
from profilers.device import Device
from profilers.errors import InputError
from profilers.measurement import Failure, Measurement
from profilers.onnx_check import check_onnx
from profilers.onnx_latency import OnnxOptions, measure_latency
from profilers.parity import of_onnx
from profilers.prepared import prepare_models, prepare_reference
from profilers.runtimes import RUNTIMES, check_runtime
from profilers.timing import Protocol
from tests.profilers.installed import INSTALLED
from tests.profilers.onnx_files import endless, model, saved, small

QUICK = Protocol(budget_s=0.05, min_s=0.01, warmup_s=0.01)
CPU = Device(name="cpu", kind="cpu", description="here")

OF_ONNX = [one for one in INSTALLED if one.values != ("litert",)]
"""LiteRT reads what hwnas writes (tests/measuring/test_tflite_files.py)."""


def network() -> nn.Module:
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        layers = (nn.Conv2d(3, 8, 3, stride=2), nn.ReLU(), nn.Flatten(), nn.Linear(8 * 9, 5))
        return nn.Sequential(*layers).eval()


@pytest.mark.parametrize(
    ("name", "precision", "place", "said"),
    [
        ("ncnn", "int8", "cpu", "back end 'ncnn' has no precision 'int8'"),
        ("onnxruntime", "bf16", "cpu", "(choices: fp32, int8)"),
        ("openvino", "fp32", "cuda:0", "measures on CPUs, not on cuda:0"),
    ],
)
def test_what_a_runtime_has_not_is_refused(name, precision, place, said) -> None:
    with pytest.raises(InputError, match="back end") as error:
        check_runtime(name, precision, place, elsewhere=True)
    assert said in str(error.value)


@pytest.mark.parametrize("name", RUNTIMES)
def test_a_runtime_that_is_not_installed_is_named_with_its_extra(monkeypatch, name) -> None:
    monkeypatch.setattr(runtimes.importlib.util, "find_spec", lambda package: None)
    with pytest.raises(InputError) as error:
        check_runtime(name, "fp32", elsewhere=False)
    assert f"needs the package {RUNTIMES[name].runs[0]}" in str(error.value)
    assert str(error.value).endswith(f"pip install 'hwnas[{name}]'")
    # Another machine runs it: only what prepares files is needed here.
    if not RUNTIMES[name].prepares:
        assert check_runtime(name, "fp32", elsewhere=True).name == name


def test_a_model_that_cannot_be_prepared_costs_no_other_one(tmp_path, monkeypatch) -> None:
    first, second = (check_onnx(saved(tmp_path, small(), f"{i}.onnx")) for i in range(2))

    def prepare(model, stem, precision):
        if model is first:
            raise ncnn_convert.NotConverted("pnnx could not convert it: a layer")
        return {"path": str(model.path)}

    monkeypatch.setitem(RUNTIMES, "ncnn", replace(RUNTIMES["ncnn"], prepare=prepare))
    bad, good = prepare_models([first, second], [None, None], "ncnn", "fp32", tmp_path)
    assert bad.model is None and "a layer" in bad.failure["detail"]
    assert good.model == {"path": str(second.path)}


@pytest.mark.parametrize("program", ["import sys; sys.exit(3)", "import time; time.sleep(60)"])
def test_a_converter_that_fails_or_hangs_is_said(monkeypatch, tmp_path, program) -> None:
    script = tmp_path / "pnnx"
    script.write_text(f"#!{sys.executable}\n{program}\n")
    script.chmod(0o755)
    monkeypatch.setattr(ncnn_convert, "program", lambda: str(script))
    monkeypatch.setattr(ncnn_convert, "LIMIT_S", 0.5)
    with pytest.raises(ncnn_convert.NotConverted, match="pnnx could not convert it"):
        ncnn_convert.convert(small(), {"x": (1, 16, 32, 32)})


def test_ncnn_takes_one_image_of_float32() -> None:
    with pytest.raises(InputError, match="one image at a time: input 'x' has 2"):
        ncnn_convert.convert(small(), {"x": (2, 16, 32, 32)})
    raw = model([onnx.helper.make_node("Identity", ["x"], ["y"])], [1, 3])
    raw.graph.input[0].type.tensor_type.elem_type = onnx.TensorProto.UINT8
    with pytest.raises(InputError, match="takes float32: input 'x' is uint8"):
        ncnn_convert.convert(raw, {"x": (1, 3)})


@pytest.mark.skipif(find_spec("openvino") is None, reason="hwnas[openvino] is not installed")
def test_openvino_is_imported_without_what_sends_usage_to_the_web() -> None:
    code = (
        "import sys; from profilers.session_openvino import silent_openvino, versions; versions();"
        "sys.exit(any(name.startswith('openvino_telemetry') for name in sys.modules))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr


@pytest.mark.parametrize("name", INSTALLED)
def test_the_reference_network_is_one_that_the_runtime_reads(name, tmp_path) -> None:
    import importlib

    reference = prepare_reference(name, tmp_path)
    name = reference.get("runtime", name)
    session = importlib.import_module(
        {"onnxruntime": "profilers.session"}.get(name, f"profilers.session_{name}")
    )
    ready = session.opened(reference, {"threads": 1})
    first, again = ready.infer(ready.inputs), ready.infer(ready.inputs)
    # 432 channels, and nothing that a run leaves behind changes the next one.
    assert first[0].size == 432 and (first[0] == again[0]).all()
    assert set(session.versions()) == {name}


@pytest.mark.slow
@pytest.mark.parametrize("name", OF_ONNX)
def test_each_measures_a_module_with_a_receipt_and_its_parity(name, tmp_path) -> None:
    subject = Subject(name="net", module=network(), shape=(1, 3, 8, 8))
    latency, memory = BACKENDS[name](subject, CPU, Options(protocol=QUICK))
    assert isinstance(latency, Measurement) and 0 < latency.low <= latency.value
    receipt, settings = latency.receipt, dict(latency.receipt.settings)
    assert (receipt.backend, receipt.threads, receipt.dtype) == (name, 1, "float32")
    assert dict(receipt.versions)[name]
    assert float(settings["parity_max"]) < 0.005 * float(settings["largest_output"])
    assert settings["parity_with"] == "torch in float64"
    assert isinstance(memory, Measurement) and memory.value > 0


@pytest.mark.slow
@pytest.mark.parametrize("precision", ["fp16", "bf16", "int8"])
@pytest.mark.parametrize("name", OF_ONNX)
def test_a_precision_is_measured_as_such_or_said_to_be_missing(name, precision) -> None:
    subject = Subject(name="net", module=network(), shape=(1, 3, 8, 8))
    options = Options(protocol=QUICK, dtype=precision)
    if precision not in RUNTIMES[name].precisions:
        with pytest.raises(InputError, match=f"has no precision '{precision}'"):
            BACKENDS[name](subject, CPU, options)
        return
    latency, _ = BACKENDS[name](subject, CPU, options)
    assert latency.receipt.dtype == precision
    if isinstance(latency, Failure):  # the processor lacks it, and the runtime would take another
        assert f"OpenVINO has no {precision} on this CPU" in latency.detail


@pytest.mark.slow
@pytest.mark.parametrize("name", OF_ONNX)
def test_a_runtime_that_hangs_costs_its_own_measurement(name, tmp_path, monkeypatch) -> None:
    # A package of the same name that never ends its import stands in for the runtime.
    (tmp_path / f"{name}.py").write_text("import time\nwhile True: time.sleep(1)\n")
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    options = OnnxOptions(runtime=name, limit_s=2.0, protocol=QUICK, store=None, reference=False)
    (found,) = measure_latency([saved(tmp_path, small())], options)
    assert isinstance(found, Failure)
    assert (found.reason, found.detail) == ("timeout", "no answer within 2 s")


@pytest.mark.slow
def test_a_file_that_never_answers_has_nothing_to_be_compared_with(tmp_path) -> None:
    hanging = check_onnx(saved(tmp_path, endless()))
    assert of_onnx(hanging, tmp_path, 2.0) is None
    runs = of_onnx(check_onnx(saved(tmp_path, small())), tmp_path, 20.0)
    assert runs is not None and runs.inputs[0].shape == (4, 1, 16, 32, 32)
