"""A latency table of one runtime, or one precision, says nothing about another."""

from __future__ import annotations

from dataclasses import replace

import pytest

from hwnas.costs.table_runtime import in_runtime, runtime_of, runtime_options, runtime_words
from hwnas.costs.tables import calibration, default_path, family_of, own_table
from hwnas.space import SPACES
from profilers.device import Device
from profilers.table import Table, save
from tests.costs.test_tables import NETWORK, TABLE


def measured_in(backend: str, dtype: str = "float32") -> Table:
    return replace(TABLE, provenance={"receipt": {"backend": backend, "dtype": dtype}})


@pytest.mark.parametrize(
    ("backend", "precision", "words"),
    [
        (None, "fp32", ""),
        ("openvino", "fp32", "openvino"),
        ("ncnn", "fp16", "ncnn fp16"),
        (None, "int8", "onnxruntime int8"),
    ],
)
def test_what_is_asked_for_finds_the_table_that_was_measured_so(backend, precision, words) -> None:
    assert runtime_words(backend, precision) == words
    dtype = "float32" if precision == "fp32" else precision
    if words:
        assert runtime_of(measured_in(backend or "onnxruntime", dtype)) == words
    assert in_runtime(measured_in(backend or "onnxruntime", dtype), words)


def test_nothing_else_is_found() -> None:
    asked = ("", "onnxruntime", "torch", "openvino", "openvino int8", "ncnn")
    for table, found_by in (
        (measured_in("openvino"), {"openvino"}),
        (measured_in("openvino", "int8"), {"openvino int8"}),
        (measured_in("onnxruntime"), {"", "onnxruntime"}),
        (measured_in("torch", "fp32"), {"", "torch"}),
        # A published table that does not say is of what is usual.
        (TABLE, {"", "onnxruntime", "torch"}),
    ):
        assert {words for words in asked if in_runtime(table, words)} == found_by


def test_each_runtime_has_a_file_and_a_command_of_its_own(tmp_path, monkeypatch) -> None:
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path))
    of = family_of(SPACES["darts"], NETWORK)
    device = Device(name="1080ti", kind="gpu", description="")
    path = default_path(device.name, of, runtime="openvino int8")
    assert path != default_path(device.name, of) == default_path(device.name, of, runtime="torch")
    path.parent.mkdir(parents=True)
    save(measured_in("openvino", "int8"), path)
    assert own_table(device, of, runtime="openvino int8") == path
    assert own_table(device, of, runtime="openvino") is None
    assert own_table(device, of) != path
    words = calibration(device, of, runtime="openvino int8")
    assert words.endswith(" --backend openvino --precision int8") and runtime_options("") == ""
