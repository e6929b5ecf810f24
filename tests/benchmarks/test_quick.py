"""The small evidence: floors and ceilings hold or miss, and what cannot be read misses."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from benchmarks import quick
from benchmarks.quick import Figure, Part


def test_a_figure_under_its_floor_misses_and_one_that_is_no_number_too() -> None:
    assert (
        Figure(name="share", value=0.9, floor=0.9).met
        and not Figure(name="share", value=0.89, floor=0.9).met
    )
    assert (
        Figure(name="ratio", value=1.4, floor=1.5, most=True).met
        and not Figure(name="ratio", value=1.6, floor=1.5, most=True).met
    )
    assert not Figure(name="share", value=float("nan"), floor=0.0).met


def test_a_part_whose_data_is_absent_is_left_out(tmp_path: Path) -> None:
    assert (
        quick.held(
            "absent",
            Part(
                command=("-c", "raise SystemExit(1)"),
                needs=(tmp_path / "none",),
                read=lambda text: [],
            ),
        )
        is None
    )


def test_a_part_that_fails_misses(capsys: pytest.CaptureFixture[str]) -> None:
    found = quick.held(
        "broken",
        Part(command=("-c", "raise SystemExit('why')"), needs=(), read=quick._read_policies),
    )
    assert found is not None and not found[0].met
    assert "why" in capsys.readouterr().err


def test_the_exit_code_is_1_where_a_figure_misses(monkeypatch: pytest.MonkeyPatch) -> None:
    def part(ratio: float) -> Part:
        return Part(
            command=("-c", f"print({json.dumps({'ratio_median': ratio})!r})"),
            needs=(),
            read=quick._read_policies,
        )

    monkeypatch.setattr(quick, "PARTS", {"good": part(1.0), "bad": part(9.0)})
    monkeypatch.setattr("sys.argv", ["quick"])
    assert quick.main() == 1
    monkeypatch.setattr("sys.argv", ["quick", "good"])
    assert quick.main() == 0
    monkeypatch.setattr("sys.argv", ["quick", "misspelt"])
    assert quick.main() == 1
