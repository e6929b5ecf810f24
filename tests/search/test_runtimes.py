"""A search for the latency in each runtime that is installed, in float32 and INT8, to its end."""

from __future__ import annotations

import json
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import pytest

from hwnas.costs.table_runtime import in_runtime, runtime_words
from hwnas.measuring import attached, calibration_runs
from hwnas.measuring.calibration_runs import CalibrationPlan
from hwnas.runs.directory import open_run
from hwnas.runs.measurements import kept_table
from hwnas.search.search import search, summary
from profilers.errors import InputError
from profilers.runtimes import RUNTIMES
from profilers.table import load
from tests.search import tiny
from tests.typed import type_command

SEARCHED = [
    pytest.param(
        name,
        precision,
        marks=[
            pytest.mark.slow,
            pytest.mark.skipif(
                any(find_spec(one) is None for one in (*runtime.runs, *runtime.prepares)),
                reason=f"{runtime.install} was not done",
            ),
        ],
    )
    for name, runtime in RUNTIMES.items()
    for precision in ("fp32", "int8")
    if precision in runtime.precisions
]


@pytest.mark.parametrize(("backend", "precision"), SEARCHED)
def test_a_search_ends_with_members_that_its_runtime_measured(
    backend: str,
    precision: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path / "data"))
    # As few networks as a fit needs: how good the table is, is not what is asked here.
    monkeypatch.setattr(calibration_runs, "FEWEST_NETWORKS", 16)
    few = {"train": 12, "held_out": 4, "budget_s": 5.0}
    monkeypatch.setattr(
        attached, "CalibrationPlan", lambda **more: CalibrationPlan(**{**more, **few})
    )
    config = tiny.config(
        tiny.images(tmp_path / "tiny.npz"),
        target="cpu",
        space="nasbench201",
        objectives=[{"metric": "latency"}],
        backend=backend,
        precision=precision,
        require="measured",
    )
    said: list[str] = []
    run = search(config, tmp_path / "run", say=said.append)
    assert "no latency table of these networks yet" in said[0]
    table = kept_table(open_run(run.path))
    assert table is not None and in_runtime(load(table), runtime_words(backend, precision))
    found = summary(run)
    assert found["front"]
    for member in found["front"]:
        latency = member["costs"]["latency"]
        assert latency["origin"] == "measured"
        assert latency["low"] <= latency["value"] <= latency["high"]
    notes = found["measured"]["latency"]
    receipt = notes["receipt"]
    assert notes["failed"] == 0, notes["reasons"]
    assert receipt["backend"] == backend
    assert receipt["dtype"] == ("float32" if precision == "fp32" else precision)
    monkeypatch.setenv("COLUMNS", "200")
    words = runtime_words(backend, precision)
    _, shown, _ = type_command(monkeypatch, capsys, "show", str(run.path))
    assert f"measured, {words}" in shown
    _, as_json, _ = type_command(monkeypatch, capsys, "show", str(run.path), "--json")
    assert json.loads(as_json)["runtime"] == words
    code, _, error = type_command(monkeypatch, capsys, "report", str(run.path))
    assert code == 0, error
    assert words in (run.path / "report.html").read_text()


def test_a_precision_that_a_runtime_lacks_is_refused_before_anything_is_trained(
    tmp_path: Path,
) -> None:
    config: Any = tiny.config(
        tiny.images(tmp_path / "tiny.npz"),
        target="cpu",
        objectives=[{"metric": "latency"}],
        backend="ncnn",
        precision="int8",
    )
    with pytest.raises(InputError, match="back end 'ncnn' has no precision 'int8'"):
        search(config, tmp_path / "run")
    assert not (tmp_path / "run").exists()
