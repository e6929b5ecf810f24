from __future__ import annotations

import json
import os

import onnx
import pytest
import torch

from profilers.counts import count
from profilers.onnx_counts import count_onnx
from profilers.reference import default_store, nominal_speed, quiet_level, reference_model
from profilers.torch_reference import ReferenceNetwork, reference_sampler


def test_the_reference_is_a_small_valid_file_of_some_150_million_macs(tmp_path):
    content = reference_model()
    assert len(content) < 5000
    assert content == reference_model()
    (tmp_path / "r.onnx").write_bytes(content)
    assert 100e6 < count_onnx(tmp_path / "r.onnx").macs < 200e6
    assert {node.op_type for node in onnx.load_from_string(content).graph.node} >= {
        "Conv",
        "MaxPool",
        "Concat",
    }


def test_the_torch_reference_draws_no_random_numbers_and_stays_finite():
    before = torch.get_rng_state()
    sampler = reference_sampler()
    assert torch.equal(before, torch.get_rng_state())
    assert sampler(1)[0].wall > 0
    network = ReferenceNetwork()
    with torch.no_grad():
        y = network(torch.ones(1, 3, 8, 8))
    assert bool(torch.isfinite(y).all())
    assert float(y.abs().max()) < 1e3
    assert count(network, (1, 3, 32, 32)).macs > 1e6


def test_the_quiet_level_is_that_of_the_least_disturbed_quarter():
    busy = [3.0] * 300
    assert quiet_level([*busy, *[2.0] * 100]) == 2.0
    assert quiet_level([2.0]) == 2.0


def test_a_new_host_is_remembered_and_stays_as_it_was_first_met(tmp_path):
    store = tmp_path / "cache" / "speed.json"
    assert nominal_speed(store, "a", [0.002] * 40).seconds == 0.002
    assert nominal_speed(store, "a", [0.003] * 40).seconds == 0.002
    assert nominal_speed(store, "a", [0.00195] * 40).seconds == 0.002
    assert nominal_speed(store, "b", [0.005] * 40).seconds == 0.005


def test_a_host_that_proves_faster_was_not_quiet_before(tmp_path):
    store = tmp_path / "speed.json"
    assert nominal_speed(store, "a", [0.003] * 40).notes == ()
    faster = nominal_speed(store, "a", [0.002] * 40)
    assert faster.seconds == 0.002
    # Whoever noted a latency before has to know, once.
    assert faster.notes[0].startswith("the host was not quiet until now: its earlier latencies")
    assert "1.50 times too long" in faster.notes[0]
    again = nominal_speed(store, "a", [0.003] * 40)
    assert again.seconds == 0.002 and again.notes == ()


def test_without_a_store_nothing_is_remembered():
    assert nominal_speed(None, "a", [0.003] * 40).seconds == 0.003
    assert nominal_speed(None, "a", [0.004] * 40).seconds == 0.004


@pytest.mark.parametrize(
    "content", ["", "[]", '{"a": "fast"}', '{"a": -1}', '{"a": 1e400}', "\xff"]
)
def test_a_damaged_store_is_none(tmp_path, content):
    store = tmp_path / "speed.json"
    store.write_text(content, encoding="latin-1")
    assert nominal_speed(store, "a", [0.002] * 40).seconds == 0.002
    assert json.loads(store.read_text()) == {"a": 0.002}


def test_a_store_that_cannot_be_written_does_not_stop_a_measurement(tmp_path):
    (tmp_path / "file").write_text("")
    assert nominal_speed(tmp_path / "file" / "speed.json", "a", [0.002] * 40).seconds == 0.002


def test_the_store_lies_in_the_users_cache_folder(monkeypatch, tmp_path):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    assert default_store() == tmp_path / "hwnas" / "reference-speed.json"
    monkeypatch.delenv("XDG_CACHE_HOME")
    assert os.path.join(".cache", "hwnas") in str(default_store())
