from __future__ import annotations

import json
import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from profilers.measurement import (
    LATENCY,
    PARAMS,
    Failure,
    Measurement,
    Metric,
    Receipt,
    counted,
    measurements,
    pairs,
)

RECEIPT = Receipt(
    backend="onnxruntime",
    device="cpu",
    versions=pairs({"onnxruntime": "1.2"}),
    threads=1,
    batch=2,
    shape=(2, 3, 8, 8),
    dtype="float32",
    host="a machine",
    time="2024-01-02T03:04:05+00:00",
    statistic="median",
    noisy=True,
    settings=pairs({"b": 1, "a": True}),
    notes=("a note",),
)


def test_a_measurement_survives_json_unchanged():
    measurement = Measurement(
        metric=LATENCY,
        value=1.5,
        low=1.0,
        high=2.0,
        samples=(1.0, 1.5, 2.0),
        origin="measured",
        receipt=RECEIPT,
        series=(("own", (1.0, 1.1)),),
    )
    assert Measurement.from_dict(json.loads(json.dumps(measurement.to_dict()))) == measurement


@given(st.floats(-1e9, 1e9), st.floats(0, 1e9), st.floats(0, 1e9))
def test_any_value_inside_its_interval_survives_json(value, below, above):
    metric = Metric(name="x", unit="ms", better="higher")
    measurement = Measurement(
        metric=metric,
        value=value,
        low=value - below,
        high=value + above,
        samples=(value,),
        origin="table",
        receipt=RECEIPT,
    )
    assert Measurement.from_dict(json.loads(json.dumps(measurement.to_dict()))) == measurement


@pytest.mark.parametrize("value", [math.nan, math.inf, 0.5, 3.0])
def test_a_value_outside_its_interval_is_no_measurement(value):
    with pytest.raises(ValueError, match="not inside"):
        Measurement(
            metric=LATENCY,
            value=value,
            low=1.0,
            high=2.0,
            samples=(),
            origin="measured",
            receipt=RECEIPT,
        )


def test_an_unknown_origin_is_refused():
    with pytest.raises(
        ValueError, match="origin 'guessed' is none of counted, measured, table, estimated"
    ):
        Measurement(
            metric=LATENCY,
            value=1.0,
            low=1.0,
            high=1.0,
            samples=(),
            origin="guessed",
            receipt=RECEIPT,
        )  # type: ignore[arg-type]


def test_a_receipt_names_an_unknown_key():
    with pytest.raises(ValueError, match="unknown key 'weather'"):
        Receipt.from_dict({"backend": "x", "weather": "fine"})


def test_a_receipt_keeps_its_settings_in_one_order_whatever_the_order_given():
    assert pairs({"b": 1, "a": True}) == pairs({"a": True, "b": 1}) == (("a", "True"), ("b", "1"))


def test_a_count_is_exact_and_has_no_samples():
    measurement = counted(PARAMS, 7, Receipt(backend="counts"))
    assert (measurement.low, measurement.value, measurement.high) == (7.0, 7.0, 7.0)
    assert measurement.samples == ()
    assert measurement.origin == "counted"


def test_a_failure_is_marked_and_has_no_number():
    failure = Failure(
        metric=LATENCY, reason="timeout", detail="no answer within 3 s", receipt=RECEIPT
    )
    assert failure.to_dict()["value"] is None
    assert failure.to_dict()["failure"] == {"reason": "timeout", "detail": "no answer within 3 s"}
    assert measurements([failure, counted(PARAMS, 1, RECEIPT)]) == [counted(PARAMS, 1, RECEIPT)]
