"""The doctor tells what is wrong in words, breaks at nothing, and changes nothing."""

from __future__ import annotations

import json
import shutil
import sys
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace

import pytest
import torch

from hwnas import doctor
from hwnas.cli import main
from hwnas.doctor import examine
from hwnas.finding import Finding
from hwnas.runs import directory as runs
from hwnas.search.progress import SearchProgress
from hwnas.search.search import search
from tests.runs.made import finished_run
from tests.search import tiny


@pytest.fixture
def of_a_run(monkeypatch: pytest.MonkeyPatch) -> Callable[[Path], list[Finding]]:
    """What is found about a run directory alone."""
    for check in ("_installation", "_hardware", "_back_ends"):
        monkeypatch.setattr(doctor, check, lambda: iter(()))
    return lambda path: list(examine(path))


def texts(findings: list[Finding], level: str) -> str:
    return "\n".join(f"{one.text}; {one.advice}" for one in findings if one.level == level)


def test_this_installation_is_whole(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(doctor, "_back_ends", lambda: iter(()))
    findings = list(examine())
    assert not texts([one for one in findings if one.area == "installation"], "problem")
    assert "torchvision" in texts(findings, "ok")


def test_builds_that_do_not_go_together_are_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "torchvision", SimpleNamespace(__version__="0.28.0+cu130"))
    monkeypatch.setattr(torch.version, "cuda", None)
    both = {"onnxruntime": ["onnxruntime", "onnxruntime-gpu"]}
    monkeypatch.setattr("importlib.metadata.packages_distributions", lambda: both)
    found = list(doctor._mixed_builds())
    assert [one.level for one in found] == ["note", "problem"]
    assert "torchvision 0.28.0+cu130" in found[0].text
    assert "onnxruntime and onnxruntime-gpu are both installed" in found[1].text
    monkeypatch.setattr(torch.version, "cuda", "13.0")
    both["onnxruntime"].pop()
    assert list(doctor._mixed_builds()) == []


def test_a_usable_gpu_without_its_provider_of_onnx_runtime_is_noted(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    (found,) = doctor._providers()
    assert "CPUExecutionProvider" in found.text and found.level == "ok"
    monkeypatch.setattr("profilers.cuda.usable_cuda", lambda: True)
    (found,) = doctor._providers()
    assert found.level == "note" and "onnxruntime-gpu" in found.advice


def test_each_gpu_is_tried_and_one_that_can_not_be_used_is_a_problem_with_advice(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 2)
    monkeypatch.setattr(torch.cuda, "get_device_name", lambda index: f"card {index}")
    problem = "torch has no kernels for card 1: install another build, or take --device cpu"
    monkeypatch.setattr("profilers.cuda.cuda_problem", lambda index=0: problem if index else "")
    found = [one for one in doctor._hardware() if "card" in one.text]
    assert [(one.level, one.advice) for one in found] == [
        ("ok", ""),
        ("problem", "install another build, or take --device cpu"),
    ]


def test_a_check_that_breaks_is_a_finding(monkeypatch: pytest.MonkeyPatch) -> None:
    def broken() -> None:
        raise RuntimeError("no such thing")

    for check in ("_installation", "_hardware", "_back_ends"):
        monkeypatch.setattr(doctor, check, broken)
    assert [(one.level, one.text) for one in examine()] == [
        ("problem", "RuntimeError: no such thing")
    ] * 3


def test_a_finished_run_is_healthy(
    tmp_path: Path, of_a_run: Callable[[Path], list[Finding]]
) -> None:
    run = search(tiny.config(tiny.images(tmp_path / "images.npz")), tmp_path / "run")
    before = {path: path.read_bytes() for path in run.path.rglob("*") if path.is_file()}
    findings = of_a_run(run.path)
    assert not texts(findings, "problem")
    assert "36 trials, 4 epochs" in texts(findings, "ok") and "all stages done" in texts(
        findings, "ok"
    )
    assert all(path.read_bytes() == content for path, content in before.items())


def test_a_stopped_run_is_told_how_to_go_on(
    tmp_path: Path, of_a_run: Callable[[Path], list[Finding]]
) -> None:
    def stop(progress: SearchProgress) -> None:
        if progress.epoch == 2:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        search(tiny.config(tiny.images(tmp_path / "images.npz")), tmp_path / "run", stop)
    findings = of_a_run(tmp_path / "run")
    assert f"hwnas resume {tmp_path / 'run'}" in texts(findings, "note")
    assert "next: stage 1, epoch 2, step 1" in texts(findings, "ok")
    held = runs.lock(runs.open_run(tmp_path / "run"))
    assert "a process is working on it now" in texts(of_a_run(tmp_path / "run"), "ok")
    held.release()


def test_damage_is_named(tmp_path: Path, of_a_run: Callable[[Path], list[Finding]]) -> None:
    run = finished_run(tmp_path / "run")
    run.front_path.write_text("{")
    run.checkpoint_path.write_bytes(b"torn")
    found = texts(of_a_run(run.path), "problem")
    assert "no checkpoint in it can be read" in found and "not the summary of a search" in found
    shutil.rmtree(run.path)
    problems = [one.text for one in of_a_run(run.path) if one.level == "problem"]
    assert len(problems) == 1 and "not a run directory" in problems[0]


def test_the_command_prints_json_and_ends_with_1_where_there_is_a_problem(
    tmp_path: Path,
    of_a_run: Callable[[Path], list[Finding]],
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    run = finished_run(tmp_path / "run")
    for content, code in ((None, 0), (b"{", 1)):
        if content:
            run.front_path.write_bytes(content)
        monkeypatch.setattr(sys, "argv", ["hwnas", "doctor", str(run.path), "--json"])
        with pytest.raises(SystemExit) as ended:
            main()
        assert (ended.value.code or 0) == code
        levels = [one["level"] for one in json.loads(capsys.readouterr().out)]
        assert ("problem" in levels) == bool(code)


def test_images_that_are_gone_are_said_with_the_way_to_point_to_them(
    of_a_run: Callable[[Path], list[Finding]], tmp_path: Path
) -> None:
    run, photos = finished_run(tmp_path / "run"), tmp_path / "photos"
    assert not [one for one in of_a_run(run.path) if one.area == "images"]  # digits are always here
    photos.mkdir()
    config = run.path / "config.toml"
    kept = config.read_text().replace('"digits"', f'"{photos}"')
    config.write_text(kept.replace("[data]", f'[data]\ntest = "{tmp_path / "tests"}"'))
    said = texts(of_a_run(run.path), "problem")
    assert f"{photos} is an empty folder; it can be shown; train, export and resume take" in said
    assert f"no longer at {tmp_path / 'tests'}" in said and f"hwnas train {run.path} --test" in said
    (photos / "oak").mkdir()
    (tmp_path / "tests").mkdir()
    (tmp_path / "tests" / "oak").mkdir()
    assert not texts(of_a_run(run.path), "problem")
    shutil.rmtree(photos)
    assert f"no longer at {photos}" in texts(of_a_run(run.path), "problem")
