"""``hwnas report`` as it is typed."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from typer.testing import CliRunner

from hwnas.cli import app
from hwnas.report import page as pages
from profilers.errors import InputError


@pytest.fixture(autouse=True)
def without_the_charting_library(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pages, "_bundle", lambda: "/* charts */")


def test_the_report_is_written_beside_the_run(run: Path) -> None:
    done = CliRunner().invoke(app, ["report", str(run)])
    assert done.exit_code == 0, done.output
    assert (run / "report.html").read_text().startswith("<!doctype html>")
    assert "report.html" in done.output


def test_it_is_written_where_it_is_asked_for_with_other_runs_and_devices(
    run: Path, tmp_path: Path
) -> None:
    out = tmp_path / "new" / "both.html"
    words = ["report", str(run), str(run), "--devices", "1080ti,pixel-3", "--out", str(out)]
    assert CliRunner().invoke(app, words).exit_code == 0
    assert "The front across devices" in out.read_text()


def test_a_folder_that_is_no_run_and_a_place_that_can_not_be_written_are_refused(
    run: Path, tmp_path: Path
) -> None:
    done = CliRunner().invoke(app, ["report", str(tmp_path)])
    assert isinstance(done.exception, InputError) and "not a run directory" in str(done.exception)
    done = CliRunner().invoke(
        app, ["report", str(run), "--out", str(run / "config.toml" / "report.html")]
    )
    assert isinstance(done.exception, InputError) and "can't be written" in str(done.exception)


def test_a_run_with_a_table_of_its_own_is_shown_with_sizes(chain_run, typed) -> None:
    out, _ = typed("show", str(chain_run))
    summary = json.loads((chain_run / "front.json").read_text())
    for member in summary["front"]:
        chosen = member["genotype"]["operations"]
        line = next(line for line in out.splitlines() if member["key"] in line)
        assert f"{chosen['side']}, {chosen['width']}" in line
    assert "not installed" not in out
