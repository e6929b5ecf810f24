"""The section of a report that lists networks in their precisions."""

from __future__ import annotations

from pathlib import Path

import pytest

from hwnas.report.load import load_run
from hwnas.report.precisions import across_precisions
from hwnas.runs.directory import Run
from hwnas.runs.precisions import keep_precisions
from tests.runs.made import finished_run, trained_record
from tests.runs.points import point


@pytest.fixture
def run(tmp_path: Path) -> Run:
    return finished_run(tmp_path / "run")


def test_a_run_without_exports_has_no_such_section(run: Run) -> None:
    assert across_precisions(load_run(run.path)) == []


def test_files_are_listed_the_quickest_network_first_with_what_does_not_pay(run: Run) -> None:
    slow, quick = trained_record(run, 0, 0.5), trained_record(run, 1, 0.6)
    keep_precisions(
        run,
        [
            point(run, slow, right=95, ms=3.0, size=4096),
            point(run, slow, "int8", right=94, ms=4.0, size=1024, test_accuracy=0.7),
            point(run, quick, right=90, ms=1.0, size=2048),
            point(run, quick, "int8", ms=None, size=1024),
        ],
    )
    (section,) = across_precisions(load_run(run.path))
    (grid,) = section["tables"]
    assert [row[:3] for row in grid["rows"]] == [
        [f"{quick} \u25c6", "fp32", "onnxruntime"],
        [quick, "int8", "onnxruntime"],
        [f"{slow} \u25c6", "fp32", "onnxruntime"],
        [slow, "int8", "onnxruntime"],
    ]
    assert grid["rows"][3][3:] == ["0.9400", "0.7000", "4 (3.99 to 4.01)", "1"]
    assert f"{slow} int8 (onnxruntime): slower than float32, 4 ms instead of 3." in section["note"]
    (chart,) = section["charts"]  # the three files that were measured, a colour for each precision
    assert "fp32, onnxruntime" in str(chart["spec"]) and "int8, onnxruntime" in str(chart["spec"])
