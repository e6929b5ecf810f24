"""``hwnas sweep`` as it is typed, its searches pretended: tables, JSON, a report, and going on."""

from __future__ import annotations

import json
import shutil
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from hwnas.cli import main
from hwnas.report import page as pages
from hwnas.runs.directory import create
from hwnas.search import search as module
from profilers.errors import InputError
from tests.runs.made import finished_run

Hwnas = Callable[..., tuple[int, str, str]]


@pytest.fixture
def hwnas(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> Hwnas:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("COLUMNS", "120")
    monkeypatch.setattr(pages, "_bundle", lambda: "/* charts */")
    front = finished_run(tmp_path / "searched").front_path

    def search(config: Any, out: Path, watch: Any) -> None:
        if config.seed == 13:
            raise InputError("the target is out of reach")
        create(out, config, sys.argv, "0" * 16)
        found = json.loads(front.read_text())
        chance = {"stage": 0, "kind": "chance", "text": "right by chance", "advice": "do more"}
        found |= {"hypervolume": config.seed / 10, "target": config.target}
        found["health"] = [chance] if config.seed in (3, 5) else []
        (out / "front.json").write_text(json.dumps(found))

    monkeypatch.setattr(module, "search", search)
    (tmp_path / "s.toml").write_text(
        "objectives = [{metric = 'params'}]\n[sweep]\nseed = [1, 3]\nspace = ['darts']\n"
    )

    def run(*words: str) -> tuple[int, str, str]:
        monkeypatch.setattr(sys, "argv", ["hwnas", "sweep", *words])
        with pytest.raises(SystemExit) as ended:
            main()
        printed = capsys.readouterr()
        return int(ended.value.code or 0), printed.out, printed.err

    return run


def test_a_sweep_leaves_runs_a_comparison_and_a_report(hwnas: Hwnas, tmp_path: Path) -> None:
    code, out, err = hwnas("s.toml")
    assert code == 0, err
    assert "2 runs: 2 missing" in err and "seed=1,space=darts: done (1 of 2)" in err
    for text in (
        "seed=1,space=darts",
        "seed=3,space=darts",
        "over seeds",
        "0.2000 ± 0.1414",
        "report.html",
        "note: seed=3,space=darts: stage 1: right by chance; do more",
    ):
        assert text in out
    assert "runs have notes" not in out
    runs = tmp_path / "runs" / "s"
    assert sorted(path.name for path in runs.iterdir() if path.name[0] != ".") == [
        "report.html", "seed=1,space=darts", "seed=3,space=darts", "sweep.json",
    ]  # fmt: skip
    assert json.loads((runs / "sweep.json").read_text())["over_seeds"][0]["seeds"] == [1, 3]
    assert "The runs side by side" in (runs / "report.html").read_text()


def test_what_there_is_to_know_of_several_runs_is_told_once(hwnas: Hwnas, tmp_path: Path) -> None:
    (tmp_path / "more.toml").write_text(
        "objectives = [{metric = 'params'}]\n[sweep]\nseed = [1, 3, 5]\n"
    )
    _, out, _ = hwnas("more.toml")
    assert out.count("right by chance") == 1
    assert f"2 of 3 runs have notes: hwnas show {tmp_path / 'runs' / 'more' / 'seed=3'}" in out


def test_called_again_it_only_compares_and_json_is_alone_on_standard_output(
    hwnas: Hwnas, tmp_path: Path
) -> None:
    hwnas("s.toml", "--out", "there")
    code, out, err = hwnas("s.toml", "--out", "there", "--json", "--quiet")
    found = json.loads(out)
    assert (code, err, found["comparable"]) == (0, "", True)
    assert [row["hypervolume"] for row in found["runs"]] == [0.1, 0.3]
    assert found["report"] == str(tmp_path / "there" / "report.html")
    shutil.rmtree(tmp_path / "there" / "seed=1,space=darts")
    code, _, err = hwnas("s.toml", "--out", "there")
    assert code == 0 and "2 runs: 1 finished, 1 missing" in err and "(2 of 2)" in err


def test_what_can_not_be_searched_costs_itself_and_is_tried_again(
    hwnas: Hwnas, tmp_path: Path
) -> None:
    (tmp_path / "s.toml").write_text(
        "objectives = [{metric = 'params'}]\n[sweep]\nseed = [1, 13]\n"
    )
    code, out, err = hwnas("s.toml", "--json", "--quiet")
    assert code == 3
    assert err.splitlines() == [
        "warning: seed=13: the target is out of reach",
        "stopped: 1 of 2 runs did not end; the same command tries them again: hwnas sweep s.toml",
    ]
    assert [row["state"] for row in json.loads(out)["runs"]] == ["finished", "missing"]


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["no.toml"], "error: no.toml: cannot be read"),
        (["s.toml", "--ray", "--gpus", "-1"], "gpus"),
        (["s.toml", "--out", "s.toml"], "sweep "),
    ],
)
def test_bad_input_is_one_line_and_exit_code_2(hwnas: Hwnas, words: list[str], said: str) -> None:
    code, out, err = hwnas(*words, "--quiet")
    assert code == 2 and out == "" and said in err and len(err.splitlines()) == 1
