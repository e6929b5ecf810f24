"""The section of a report that shows the run's networks in several runtimes."""

from __future__ import annotations

import gzip

import pytest

from hwnas.report.load import load_run
from hwnas.report.runtimes import across_runtimes
from hwnas.runs.directory import open_run
from hwnas.runs.measurements import write_profile
from profilers.errors import InputError
from tests.measuring.test_comparison import ROWS


def written(run, rows):
    return write_profile(open_run(run), "cpu", [({"key": key}, outcome) for key, outcome in rows])


def test_a_run_that_was_profiled_in_two_runtimes_has_a_section(run) -> None:
    written(run, ROWS)
    (section,) = across_runtimes(load_run(run))
    latency, tau = section["tables"]
    assert latency["columns"] == ["network", "ort", "ncnn"]
    assert latency["rows"][0] == ["a", "1 (0.98..1.02) ◆", "6 (5.88..6.12)"]
    assert tau["rows"] == [["ort", "1.00", "0.33"], ["ncnn", "0.33", "0.33"]]
    assert "The fastest network changes with the runtime: a in ort; b in ncnn." in section["note"]


def test_a_single_runtime_has_nothing_to_be_compared_with(run) -> None:
    assert across_runtimes(load_run(run)) == []
    written(run, ROWS[:3])
    assert across_runtimes(load_run(run)) == []


def test_a_file_that_holds_no_measurements_is_named(run) -> None:
    path = written(run, ROWS)
    path.write_bytes(gzip.compress(b'{"key": "a", "value": 1, "name": "latency"}\n'))
    with pytest.raises(InputError, match=r"profiles/cpu\.jsonl\.gz"):
        across_runtimes(load_run(run))
