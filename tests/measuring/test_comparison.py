"""Several runtimes side by side: what is fastest where, and how far they agree."""

from __future__ import annotations

import pytest

from hwnas.measuring.comparison import compared
from profilers.measurement import LATENCY, Failure, Measurement, Outcome, Receipt


def one(
    network: str, runtime: str, ms: float, half: float | None = None, dtype: str = "float32"
) -> tuple[str, Outcome]:
    """A latency whose second half of samples took `half` ms."""
    halves = (ms, ms, ms, *(3 * (ms if half is None else half,)))
    measured = Measurement(
        metric=LATENCY,
        value=ms,
        low=0.98 * ms,
        high=1.02 * ms,
        samples=halves,
        origin="measured",
        receipt=Receipt(backend=runtime, dtype=dtype),
    )
    return network, measured


ROWS = [
    *[one(name, "ort", ms) for name, ms in (("a", 1.0), ("b", 2.0), ("c", 3.0))],
    *[one(name, "ncnn", ms, half) for name, ms, half in (("a", 6.0, 4.0), ("b", 5.0, 5.0), ("c", 7.0, 7.0))],
]  # fmt: skip


def test_kendalls_tau_stands_beside_its_ceiling() -> None:
    found = compared(ROWS)
    assert (found.networks, found.runtimes) == (("a", "b", "c"), ("ort", "ncnn"))
    tau = found.agreement()
    # One of three pairs is in the other order; so are the halves of ncnn, of a: 6 and 4.
    assert tau[0, 1] == tau[1, 0] == pytest.approx(1 / 3)
    assert tau[0, 0] == pytest.approx(1.0) and tau[1, 1] == pytest.approx(1 / 3)


def test_a_fastest_network_that_changes_is_said() -> None:
    found = compared(ROWS)
    assert found.fastest() == {"ort": "a", "ncnn": "b"}
    assert found.lines() == [
        "the fastest network changes with the runtime: a in ort; b in ncnn",
        "1 of 3 pairs of networks change their order from ort to ncnn, beyond their intervals",
    ]
    same = compared(ROWS[:3] + [one(name, "x", ms) for name, ms in (("a", 1), ("b", 2), ("c", 4))])
    assert same.lines() == ["the fastest network is a in every runtime"]


def test_orders_within_the_intervals_are_not_called_changed() -> None:
    rows = [one("a", "x", 1.0), one("b", "x", 1.01), one("a", "y", 1.01), one("b", "y", 1.0)]
    assert compared(rows).reversals(0, 1) == (0, 1)


def test_what_failed_is_missing_and_a_precision_is_a_runtime_of_its_own() -> None:
    failed = Failure(metric=LATENCY, reason="parity", detail="", receipt=Receipt(backend="ncnn"))
    found = compared([one("a", "ncnn", 2.0, dtype="fp16"), one("a", "ort", 1.0), ("b", failed)])
    assert found.runtimes == ("ncnn fp16", "ort") and found.networks == ("a",)
    assert found.lines() == []


def test_the_reference_takes_a_busy_half_out() -> None:
    key, measured = one("a", "x", 1.0)
    busy = (("own", (1.0, 1.0, 2.0, 2.0)), ("reference", (0.5, 0.5, 1.0, 1.0)))
    from dataclasses import replace

    halves = compared([(key, replace(measured, series=busy))]).halves
    assert halves[0, 0, 0] == halves[1, 0, 0] == 2.0
