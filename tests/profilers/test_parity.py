"""A latency is one only where the outputs are the network's."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from torch import nn

from profilers import parity
from profilers.measurement import Failure, Measurement
from profilers.onnx_latency import OnnxOptions, measure_latency
from profilers.opened import Opened, difference
from profilers.parity import Expected, of_module, problem
from tests.profilers.onnx_files import saved, small

EXACT = Expected(inputs=(), outputs=(), source="torch in float64")
SUMMARY = dict.fromkeys(("min", "p10", "median", "p90", "p99", "iqr"), 0.25) | {
    "n": 2, "statistic": "median", "value": 0.25, "low": 0.25, "high": 0.25, "noise": 0.0, "noisy": False,
}  # fmt: skip
ANSWER = {
    "own": [0.25, 0.25],
    "wall": [0.25, 0.25],
    "reference": [],
    "summary": SUMMARY,
    "wall_summary": SUMMARY,
}


def found(largest_error: float, largest: float = 2.0) -> dict[str, float]:
    return {"rms": largest_error, "max": largest_error, "largest": largest}


def test_in_float32_half_a_percent_of_the_largest_output_is_the_end() -> None:
    assert problem(found(0.0099), EXACT, "fp32") == ""
    assert "off by 0.011, of at most 0.01 in fp32" in problem(found(0.011), EXACT, "fp32")


def test_a_lower_precision_may_have_twice_the_error_that_is_usual_in_it() -> None:
    usual = Expected(inputs=(), outputs=(), source="", own_max=0.1)
    assert problem(found(0.199), usual, "bf16") == ""
    assert problem(found(0.201), usual, "bf16") != ""
    # Unknown: only what is another network's output is told from rounding.
    assert problem(found(0.99), EXACT, "int8") == "" != problem(found(1.01), EXACT, "int8")


def test_a_module_is_compared_with_its_float64_and_left_as_it_was() -> None:
    module = nn.Sequential(nn.Conv2d(3, 4, 3), nn.Flatten(), nn.Dropout(0.5))
    before = {name: tensor.clone() for name, tensor in module.state_dict().items()}
    expected = of_module(module, (1, 3, 5, 5), "bf16")
    x = torch.from_numpy(expected.inputs[0][0])
    exact = module.double().eval()(x.double()).detach().numpy()
    assert np.array_equal(expected.outputs[0][0], exact)
    assert expected.inputs[0].shape == (parity.FEEDS, 1, 3, 5, 5)
    # bfloat16 keeps eight bits: its error is more than float32's, and less than the output.
    assert expected.own_max is not None and 1e-5 < expected.own_max < np.abs(exact).max()
    assert all(
        torch.equal(tensor.float(), before[name]) for name, tensor in module.state_dict().items()
    )


def test_errors_are_taken_over_all_inputs_and_outputs(tmp_path) -> None:
    inputs = (np.arange(6, dtype=np.float32).reshape(3, 1, 2),)
    outputs = (2.0 * inputs[0].astype(np.float64), np.zeros((3, 1)))
    path = Expected(inputs=inputs, outputs=outputs, source="").write(tmp_path / "e.npz")

    def infer(arrays):
        (x,) = arrays
        off = 0.5 if x[0, 0] == 2.0 else 0.0  # wrong for the second input alone
        return [2.0 * x + off, np.zeros(1)]

    got = difference(Opened(run=lambda: None, infer=infer, inputs=[]), str(path))
    # Nine numbers, two of them off by a half.
    assert got == {"rms": pytest.approx(np.sqrt(2 * 0.25 / 9)), "max": 0.5, "largest": 10.0}
    with pytest.raises(ValueError, match="1 outputs, not 2"):
        difference(Opened(run=lambda: None, infer=lambda a: [a[0]], inputs=[]), str(path))


@pytest.mark.parametrize("error", [0.0, 1.0])
def test_other_outputs_are_no_measurement(tmp_path, error) -> None:
    expected = Expected(
        inputs=(np.zeros((1, 1, 16, 32, 32), np.float32),), outputs=(np.ones((1, 1)),), source="me"
    )

    def there(request, limit_s):
        (model,) = request["models"]
        with np.load(model["expected"], allow_pickle=False) as file:
            assert sorted(file.files) == ["input0", "output0"]
        return {"versions": {}, "host": "h"}, [{"model": 0, **ANSWER, "parity": found(error)}]

    (outcome,) = measure_latency(
        [saved(tmp_path, small())],
        OnnxOptions(store=None, reference=False),
        run=there,
        expected=[expected],
    )
    settings = dict(outcome.receipt.settings)
    assert (settings["parity_max"], settings["parity_with"]) == (f"{error:.3g}", "me")
    if error:
        assert isinstance(outcome, Failure) and outcome.reason == "parity"
    else:
        assert isinstance(outcome, Measurement)
