"""Real workers: what they measure, and what becomes of models that fail in each way."""

from __future__ import annotations

import json
import subprocess
import sys
import time

import pytest

from profilers.errors import InputError
from profilers.isolate import ending, run_worker
from profilers.measurement import Failure, Measurement
from profilers.memory import onnx_memory
from profilers.onnx_latency import OnnxOptions, measure_latency
from profilers.onnx_operations import onnx_operations
from profilers.timing import AT_REFERENCE, Protocol
from tests.profilers.onnx_files import endless, greedy, not_finite, saved, small

QUICK = Protocol(budget_s=0.1, min_s=0.02, warmup_s=0.01)
OPTIONS = OnnxOptions(protocol=QUICK, store=None, limit_s=60)


def test_a_measurement_has_samples_an_interval_and_a_full_receipt(tmp_path):
    path = saved(tmp_path, small())
    (found,) = measure_latency(
        [path], OPTIONS, device="cpu", now=lambda: "2024-01-02T03:04:05+00:00"
    )
    assert isinstance(found, Measurement)
    assert 0 < found.low <= found.value <= found.high
    assert len(found.samples) >= 20
    receipt = found.receipt
    assert (receipt.device, receipt.backend, receipt.threads) == ("cpu", "onnxruntime", 1)
    assert (receipt.batch, receipt.shape, receipt.dtype) == (1, (1, 16, 32, 32), "float32")
    assert (receipt.time, receipt.statistic) == ("2024-01-02T03:04:05+00:00", AT_REFERENCE)
    assert dict(receipt.versions).keys() == {"onnxruntime", "numpy", "python"}
    settings = dict(receipt.settings)
    assert settings["graph_level"] == "all"
    assert int(settings["runs"]) == len(found.samples)
    assert json.loads(json.dumps(found.to_dict()))


def test_one_bad_model_costs_one_marked_measurement_and_nothing_else(tmp_path):
    paths = [
        saved(tmp_path, made, f"{name}.onnx")
        for name, made in {"nan": not_finite(), "good": small(), "greedy": greedy()}.items()
    ]
    nan, good, big = measure_latency(paths, OPTIONS)
    assert isinstance(nan, Failure)
    assert nan.reason == "not finite"
    assert isinstance(good, Measurement)
    assert isinstance(big, Failure)
    assert big.reason == "out of memory"


def test_a_model_that_hangs_is_ended_at_its_limit(tmp_path):
    start = time.monotonic()
    (found,) = measure_latency(
        [saved(tmp_path, endless())], OnnxOptions(limit_s=3.0, protocol=QUICK, store=None)
    )
    assert isinstance(found, Failure)
    assert (found.reason, found.detail) == ("timeout", "no answer within 3 s")
    assert time.monotonic() - start < 20


def test_a_plain_statistic_runs_without_the_reference(tmp_path):
    protocol = Protocol(budget_s=0.1, min_s=0.02, warmup_s=0.01, statistic="min")
    (found,) = measure_latency(
        [saved(tmp_path, small())], OnnxOptions(protocol=protocol, store=None)
    )
    assert isinstance(found, Measurement)
    assert found.receipt.statistic == "min"
    assert dict(found.series)["reference"] == ()


def test_a_provider_that_is_not_here_is_a_failure(tmp_path):
    (found,) = measure_latency(
        [saved(tmp_path, small())], OnnxOptions(provider="cuda", protocol=QUICK)
    )
    assert isinstance(found, (Failure, Measurement))
    if isinstance(found, Failure):
        assert "CUDAExecutionProvider" in found.detail


def test_a_file_that_cannot_be_measured_anywhere_is_bad_input(tmp_path):
    with pytest.raises(InputError, match="no such file"):
        measure_latency([tmp_path / "none.onnx"], OPTIONS)


def test_memory_is_what_the_model_adds_to_a_fresh_process(tmp_path):
    found = onnx_memory(saved(tmp_path, small()), OPTIONS)
    assert isinstance(found, Measurement)
    assert 0 < found.value < 200
    assert found.metric.unit == "MiB"


@pytest.mark.skipif(sys.platform != "linux", reason="the limit is Linux's")
def test_a_worker_takes_no_more_than_what_is_free():
    program = (
        "from profilers import worker\n"
        "worker.available_mib = lambda: 500\n"
        "worker.limit_memory(None)\n"
        "small = bytearray(50 * 2**20)\n"
        "try:\n"
        "    large = bytearray(450 * 2**20)\n"
        "except MemoryError:\n"
        "    print('refused')\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=True
    )
    assert done.stdout == "refused\n"


def test_operations_are_listed_with_shares_that_add_up_to_one(tmp_path):
    found = onnx_operations(saved(tmp_path, small()), OPTIONS)
    assert isinstance(found, list)
    assert [operation.kind for operation in found] == ["Sigmoid"]
    assert sum(operation.share for operation in found) == pytest.approx(1.0)


def test_a_worker_that_crashes_is_told_by_its_signal():
    abort = [sys.executable, "-c", "import os; os.abort()"]
    _, answers, ended = run_worker({"models": [{}]}, 20, abort)
    assert (answers, ended["failure"]) == ({}, "crash")
    assert "SIGABRT" in ended["detail"]


def test_what_a_worker_said_before_it_died_is_kept():
    script = (
        "print('{\"model\": 0, \"own\": []}', flush=True); print('noise'); import os; os._exit(3)"
    )
    _, answers, ended = run_worker({"models": [{}, {}]}, 20, [sys.executable, "-c", script])
    assert list(answers) == [0]
    assert ended == {"failure": "crash", "detail": "exit code 3"}


def test_a_process_that_the_system_killed_ran_out_of_memory():
    assert ending(-9, "")["failure"] == "out of memory"
    assert ending(1, "Traceback\nMemoryError")["failure"] == "out of memory"
