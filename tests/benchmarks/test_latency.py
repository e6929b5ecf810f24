"""The profilers' bars in one command: what passes, what does not, and what a script sees of it."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import pytest

from benchmarks import latency
from benchmarks.latency import Bar


@pytest.mark.parametrize(
    ("value", "at_most", "met"),
    [
        (1.0, True, True),
        (1.01, True, False),
        (1.0, False, True),
        (0.99, False, False),
        (float("nan"), True, False),
    ],
)
def test_a_bar_is_met_at_its_value_and_never_by_nan(value: float, at_most: bool, met: bool) -> None:
    bar = Bar(name="MAPE", value=value, bar=1.0, at_most=at_most, unit=" %")
    assert bar.met is met
    assert bar.line().startswith("met" if met else "MISSED")


def run(monkeypatch: pytest.MonkeyPatch, *words: str) -> object:
    monkeypatch.setattr(sys, "argv", ["latency", *words])
    with pytest.raises(SystemExit) as end:
        latency.main()
    return end.value.code


def test_one_missed_bar_is_exit_code_1(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def good(path: Path) -> list[Bar]:
        return [Bar(name="tau", value=0.9, bar=0.8, at_most=False)]

    def bad(path: Path) -> list[Bar]:
        return [Bar(name="MAPE", value=6.0, bar=5.0, at_most=True, unit=" %")]

    monkeypatch.setattr(latency, "QUESTIONS", {"good": good, "bad": bad})
    assert run(monkeypatch, "good") == 0
    assert "met    tau: 0.9 (at least 0.8)" in capsys.readouterr().out
    assert run(monkeypatch, "--json") == 1
    found = json.loads(capsys.readouterr().out)
    assert [(one["question"], one["met"]) for one in found] == [("good", True), ("bad", False)]
    assert run(monkeypatch, "other") == 2
    assert "other: not one of good, bad" in capsys.readouterr().err
