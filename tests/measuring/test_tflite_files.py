"""LiteRT measures what hwnas writes: networks and operations, with their parity; nothing else."""

from __future__ import annotations

from importlib.util import find_spec
from pathlib import Path

import numpy as np
import pytest
import torch

from hwnas.measuring.bench import BenchOperation, bench_at
from hwnas.measuring.subjects import Shape, build, genotype
from hwnas.measuring.tflite_files import operation_file
from hwnas.nets.operations import sequence
from hwnas.space import SPACES
from hwnas.space.family import family
from hwnas.space.layers import PRIMITIVES
from profilers.backends import BACKENDS, Options, Subject
from profilers.device import Device
from profilers.errors import InputError
from profilers.measurement import Failure, Measurement
from profilers.runtime_backends import UNCOMPARED
from profilers.runtimes import RUNTIMES
from profilers.tflite_check import check_tflite
from profilers.timing import Protocol
from tests.profilers.onnx_files import saved, small

pytestmark = pytest.mark.skipif(
    find_spec("ai_edge_litert") is None, reason=f"{RUNTIMES['litert'].install} was not done"
)
QUICK = Protocol(budget_s=0.05, min_s=0.01, warmup_s=0.01)
CPU = Device(name="cpu", kind="cpu", description="here")
SMALL = Shape(channels=4, cells=3, image=(3, 9, 8))


@pytest.mark.parametrize("stride", [1, 2])
@pytest.mark.parametrize("op", sorted(set(PRIMITIVES) - {"none", "skip_connect"}))
def test_an_operation_that_a_calibration_measures_is_the_torch_one(
    op: str, stride: int, tmp_path: Path
) -> None:
    from profilers.session_litert import opened, plain_outputs

    layers = PRIMITIVES[op](6, stride, (9, 8))
    module = sequence(layers).eval()
    path = operation_file(layers, module, "fp32", tmp_path / "operation.tflite")
    ready = opened({"path": str(path), "shapes": {"x": [2, 6, 9, 8]}}, {"threads": 1})
    (given,) = ready.inputs
    with torch.inference_mode():
        expected = module.double()(torch.from_numpy(given).double()).numpy()
    for found in (ready.infer([given])[0], plain_outputs(str(path), [given[None]])[0][0]):
        np.testing.assert_allclose(found, expected, atol=1e-5 * np.abs(expected).max())


def test_an_onnx_file_of_somebody_else_is_refused_and_costs_no_other_measurement(
    tmp_path: Path,
) -> None:
    subject = Subject(name="theirs", onnx=saved(tmp_path, small()))
    for outcome in BACKENDS["litert"](subject, CPU, Options(protocol=QUICK)):
        assert isinstance(outcome, Failure)
        assert "networks that hwnas writes" in outcome.detail


@pytest.mark.slow
@pytest.mark.parametrize("precision", ["fp32", "int8"])
@pytest.mark.parametrize("batch", [1, 2])
def test_a_network_is_measured_with_its_parity(precision: str, batch: int, tmp_path: Path) -> None:
    named = genotype("DARTS_V2", SMALL)
    subject = build(named, batch, tmp_path, tflite=precision)
    options = Options(protocol=QUICK, dtype=precision, batch=batch)  # type: ignore[arg-type]
    latency, memory = BACKENDS["litert"](subject, CPU, options)
    assert isinstance(latency, Measurement), latency
    receipt, settings = latency.receipt, dict(latency.receipt.settings)
    assert (receipt.backend, receipt.threads, receipt.batch) == ("litert", 1, batch)
    # The reference beside it runs in ONNX Runtime, and is said so.
    assert {"litert", "onnxruntime"} <= set(dict(receipt.versions))
    share = float(settings["parity_max"]) / float(settings["largest_output"])
    assert share < (0.005 if precision == "fp32" else 0.5)
    assert isinstance(memory, Measurement) and memory.value > 0


@pytest.mark.slow
@pytest.mark.parametrize("precision", ["fp32", "int8"])
def test_a_file_alone_is_measured_as_what_it_is_and_compared_with_nothing(
    precision: str, tmp_path: Path
) -> None:
    file = build(genotype("DARTS_V2", SMALL), 1, tmp_path, tflite=precision).tflite
    subject = Subject(name="alone", tflite=file)
    latency, memory = BACKENDS["litert"](subject, CPU, Options(protocol=QUICK))
    assert isinstance(latency, Measurement) and isinstance(memory, Measurement), latency
    receipt = latency.receipt
    assert (receipt.shape, receipt.batch) == ((1, 3, 9, 8), 1)
    assert receipt.dtype == ("float32" if precision == "fp32" else "int8")
    assert UNCOMPARED in receipt.notes and "parity_max" not in dict(receipt.settings)
    with pytest.raises(InputError, match="alone reads; give the ONNX file"):
        BACKENDS["onnxruntime"](subject, CPU, Options(protocol=QUICK))


@pytest.mark.parametrize("spoilt", ["cut", "turned", "renamed"])
def test_a_damaged_file_is_refused_in_a_line(spoilt: str, tmp_path: Path) -> None:
    layers = PRIMITIVES["sep_conv_3x3"](4, 1, (8, 8))
    file = operation_file(layers, sequence(layers).eval(), "fp32", tmp_path / "a.tflite")
    assert check_tflite(file).inputs[0][1] == (1, 4, 8, 8)
    whole = file.read_bytes()
    file.write_bytes(
        {"cut": whole[:60], "turned": whole[:8] + whole[:7:-1], "renamed": b"x" + whole}[spoilt]
    )
    with pytest.raises(InputError, match=r"a\.tflite: not a (readable )?TFLite file"):
        check_tflite(file)


@pytest.mark.slow
def test_another_networks_file_is_no_measurement(tmp_path: Path) -> None:
    right, wrong = (
        build(genotype(text, SMALL), 1, tmp_path, tflite="fp32") for text in ("DARTS_V2", "PDARTS")
    )
    mixed = Subject(
        name="mixed", module=right.module, shape=right.shape, onnx=right.onnx, tflite=wrong.tflite
    )
    latency = BACKENDS["litert"](mixed, CPU, Options(protocol=QUICK))[0]
    assert isinstance(latency, Failure)
    assert latency.reason == "parity"


@pytest.mark.slow
def test_a_calibration_measures_operations_and_networks(tmp_path: Path) -> None:
    of = family(SPACES["darts"], channels=4, cells=3, classes=10, image=(3, 9, 8), stem="cifar")
    bench = bench_at("cpu", of, CPU, QUICK, backend="litert")
    layers = PRIMITIVES["sep_conv_3x3"](4, 2, (9, 8))
    architecture = genotype("DARTS_V2", SMALL).architecture
    assert architecture is not None
    items = [BenchOperation(layers=layers, channels=4, size=(9, 8)), architecture]
    for outcome in (*bench.latencies(items), *bench.memories(items)):
        assert isinstance(outcome, Measurement), outcome
