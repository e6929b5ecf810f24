"""A table takes another one's place: that is kept, and said to have been finer where it was."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from hwnas.cli.devices_saved import error_of, save_beside
from profilers.table import load, save
from tests.costs.test_tables import TABLE

HELD = {"held_out": {"networks": 40, "mape_percent": 3.95, "kendall_tau": 0.9}}
FEW = {"few_networks": {"networks": 10, "half_interval_percent": 12.3}}


@pytest.mark.parametrize(
    ("before", "after", "added"),
    [
        (HELD, FEW, " by a coarser one, +-12 % (90 % intervals) instead of MAPE 3.95 % (networks"
         " held out)"),
        (FEW, HELD, ""),
        (HELD, HELD, ""),
        (HELD, {}, ""),
        ({}, FEW, ""),
        # Half an interval of 6 % is that of a MAPE of 2.9 %.
        (HELD, {"few_networks": {"half_interval_percent": 6.0}}, ""),
        (HELD, {**FEW, "held_out": {"mape_percent": 8.0}},
         " by a coarser one, MAPE 8.00 % (networks held out) instead of MAPE 3.95 % (networks held"
         " out)"),
        ({"cross_validation": {"mape_percent": 2.0}}, HELD,
         " by a coarser one, MAPE 3.95 % (networks held out) instead of MAPE 2.00 %"
         " (cross-validated)"),
    ],
)  # fmt: skip
def test_a_coarser_table_is_said_to_be_coarser(
    before: Any, after: Any, added: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "t.json"
    save(replace(TABLE, agreement=before), path)
    save_beside(replace(TABLE, agreement=after), path)
    said = f"{path}: replaced{added}; the table that was there is t.json.before now"
    assert " ".join(capsys.readouterr().err.split()) == said
    assert load(tmp_path / "t.json.before").agreement == before
    assert load(path).agreement == after


def test_what_is_no_table_is_kept_and_not_compared(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "t.json"
    save_beside(replace(TABLE, agreement=FEW), path)
    assert capsys.readouterr().err == ""
    path.write_text("{}")
    save_beside(replace(TABLE, agreement=FEW), path)
    assert "replaced; the table that was there is t.json.before now" in capsys.readouterr().err
    assert (tmp_path / "t.json.before").read_text() == "{}"


def test_a_normal_errors_mean_is_half_of_half_its_interval() -> None:
    found = error_of(replace(TABLE, agreement=FEW))
    assert found is not None and found.percent == pytest.approx(12.3 * 0.7979 / 1.6449, rel=0.02)
