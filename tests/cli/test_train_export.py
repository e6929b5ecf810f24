"""``hwnas train`` and ``hwnas export`` on a finished run: JSON, files, and one line for bad
input."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from hwnas.cli import main
from hwnas.runs.summary import read_front
from hwnas.training.data import Batch
from hwnas.training.loop import Training
from tests.runs.made import digits, finished_run


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return finished_run(tmp_path_factory.mktemp("cli") / "run").path


def called(
    arguments: list[str], monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> Any:
    monkeypatch.setattr("sys.argv", ["hwnas", *arguments])
    with pytest.raises(SystemExit) as ended:
        main()
    captured = capsys.readouterr()
    return ended.value.code or 0, captured.out, captured.err


def test_train_then_export_leaves_files_and_prints_json_alone(
    run: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    short = ["--epochs", "1", "--batch", "128", "--json"]
    code, out, err = called(["train", str(run), "--channels", "4,5", *short], monkeypatch, capsys)
    assert code == 0, err
    records = json.loads(out)
    assert [record["channels"] for record in records] == [4, 5]
    for record in records:
        assert set(record) >= {"key", "channels", "cells", "test_accuracy", "epochs", "seconds"}
        assert (run / "models" / record["name"] / "weights.safetensors").is_file()
    assert "epoch 1/1" in err

    formats = ["--formats", "onnx,int8,weights", "--no-measure", "--json", "--quiet"]
    code, out, err = called(["export", str(run), "--all", *formats], monkeypatch, capsys)
    assert (code, err) == (0, "")
    exported = json.loads(out)
    assert len(exported) == 2
    for one in exported:
        assert set(one) >= {"key", "files", "opset", "parity"}
        assert set(one["files"]) == {"onnx", "int8", "weights"} and one["parity"]["passed"]
        assert all(Path(path).is_file() for path in one["files"].values())

    shown = json.loads(called(["show", str(run), "--json"], monkeypatch, capsys)[1])["precisions"]
    assert shown["by"] == "size" and any(point["on_front"] for point in shown["points"])
    by_file = {(point["network"], point["format"]): point for point in shown["points"]}
    for one in exported:
        for name in ("onnx", "int8"):
            point = by_file[one["name"], name]
            assert point["accuracy"]["value"] == one["validation_accuracy"][name]
            assert point["size"] == one["bytes"][name]
            # The recipe keeps no images aside, so the training has used those of the search.
            validated = len(digits().split["policy"])
            assert (point["images"], point["trained_on"]) == (validated, True)

    words = ["export", str(run), "--precision", "int8", "--prefer", "accuracy", "--no-measure"]
    code, out, err = called([*words, "--json"], monkeypatch, capsys)
    (one,) = json.loads(out)
    assert code == 0 and set(one["files"]) == {"int8"}, err
    best = max(one["validation_accuracy"]["int8"] for one in exported)
    assert one["validation_accuracy"]["int8"] == best
    assert f"note: taken: {one['name']} in int8 (onnxruntime): accuracy {best:.4f}" in err


def test_train_and_export_print_tables(
    run: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    key = read_front_keys(run)[0]
    code, out, _ = called(
        ["train", str(run), key, "--epochs", "1", "--batch", "128", "--quiet"], monkeypatch, capsys
    )
    assert (
        code == 0
        and key in out
        and "trained (test)" in " ".join(out.split())
        and f"next:\n  hwnas train {run} --baselines\n  hwnas report {run}\n" in out
        and f"  hwnas export {run} --best\n" in out
        and "knee" in out
    )
    code, out, err = called(
        ["train", str(run), key, "--epochs", "2", "--batch", "128"], monkeypatch, capsys
    )
    assert code == 0 and f"{key} went on from an earlier call, after epoch 1" in err, err
    assert f"{key} epoch 2/2" in err and "after 2 epochs" in err
    code, out, _ = called(
        ["export", str(run), key, "--formats", "onnx", "--no-measure", "--quiet"],
        monkeypatch,
        capsys,
    )
    assert code == 0 and key in out and "verified on 359 images" in out
    on = ["train", str(run), key, "--batch", "128", "--epochs"]
    for epochs, stale in (("2", False), ("3", True)):  # two are made already
        _, _, err = called([*on, epochs], monkeypatch, capsys)
        assert (f"exported files of {key} hold its weights of before" in err) == stale


def test_a_stopped_training_goes_on_with_the_same_command(
    run: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    made, original = 0, Training.step

    def step(self: Training, batch: Batch) -> None:
        nonlocal made
        made += 1
        if made == 13:  # in the second epoch of 11 steps
            raise KeyboardInterrupt
        original(self, batch)

    command = ["train", str(run), "--channels", "6", "--epochs", "2", "--batch", "128"]
    with monkeypatch.context() as patch:
        patch.setattr(Training, "step", step)
        code, _, err = called(command, patch, capsys)
    assert code == 130 and "the same command goes on" in err
    code, _, err = called(command, monkeypatch, capsys)
    assert code == 0 and "went on from an earlier call, after epoch 1" in err and "epoch 2/2" in err


def read_front_keys(path: Path) -> list[str]:
    from hwnas.runs.directory import open_run

    return [member.key for member in read_front(open_run(path)).front]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["train", "RUN", "--all", "--knee"], "either --all, --best, --knee, --prefer or keys"),
        (["train", "RUN", "nonsense"], "no network has the key 'nonsense'"),
        (["train", "RUN", "--recipe", "cifr"], "did you mean 'cifar'"),
        (["train", "RUN", "--channels", "a,b"], "channels: expected whole numbers"),
        (["train", "RUN", "--channels", "0"], "channels must be within"),
        (["train", "RUN", "--epochs", "0"], "epochs must be within"),
        (["train", "RUN", "--patience", "3"], "say --hold-out too"),
        (["train", "RUN", "--mixup", "-1"], "mixup must be within"),
        (["train", "RUN", "--time", "10"], "--time: expected a time such as 90s"),
        (["train", "RUN", "--time", "1s", "--ray", "x:1"], "--time: not together with --ray"),
        (["train", "RUN", "--device", "gpu"], "device: unknown 'gpu'"),
        (["train", "RUN", "--precision", "float16", "--device", "cpu"], "needs a CUDA device"),
        (["train", "nowhere"], "not a run directory"),
        (["export", "RUN", "--formats", "onx"], "did you mean 'onnx'"),
        (["export", "RUN", "--formats", ","], "formats: none given"),
        (["export", "RUN", "--input", "bytes"], "input: unknown 'bytes'"),
        (["export", "DARTS_V3", "--untrained"], "no published network is called 'DARTS_V3'"),
        (["export", "DARTS_V2"], "either --weights FILE or --untrained"),
        (["export", "DARTS_V2", "key", "--untrained"], "is no run directory"),
        (
            ["export", "DARTS_V2", "--untrained", "--image", "3,4"],
            "--image: expected SIDE",
        ),
        (["export", "DARTS_V2", "--untrained", "--stem", "x"], "stem: unknown 'x'"),
        (["export", "DARTS_V2", "--untrained", "--channels", "0"], "channels must be within"),
        (["export", "RUN", "--channels", "8"], "are for --untrained"),
        (["export", "runs/nowhere", "--untrained"], "nor is there a run directory 'runs/nowhere'"),
        (["export", "RUN", "--weights", "w"], "a run has its own weights"),
        (["export", "RUN", "--image", "8"], "--classes and --image are for a genotype"),
    ],
)
def test_bad_input_is_one_line_and_exit_code_2(
    arguments: list[str],
    message: str,
    run: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    filled = [str(run) if word == "RUN" else word for word in arguments]
    code, out, err = called([*filled, "--quiet"], monkeypatch, capsys)
    assert code == 2 and out == ""
    assert message in err and len(err.strip().splitlines()) == 1


@pytest.mark.parametrize(
    "arguments",
    [
        ["train", "RUN", "--threads", "0"],
        ["export", "RUN", "--threads", "0"],
        ["export", "DARTS_V2", "--untrained", "--classes", "1"],
    ],
)
def test_a_number_out_of_range_is_refused_before_anything_is_done(
    arguments: list[str],
    run: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    filled = [str(run) if word == "RUN" else word for word in arguments]
    code, out, err = called(filled, monkeypatch, capsys)
    assert code == 2 and out == "" and arguments[-2] in err and "Traceback" not in err


def test_random_calibration_of_trained_weights_is_warned_of(
    run: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    key = read_front_keys(run)[0]
    code, _, err = called(
        ["train", str(run), key, "--epochs", "1", "--batch", "128", "--fresh", "--quiet"],
        monkeypatch,
        capsys,
    )
    assert code == 0, err
    folder = run / "models" / key
    text = json.loads((folder / "training.json").read_text())["text"]
    assert len(text) > 255  # longer than a file may be called
    bare = [
        "export",
        text,
        "--weights",
        str(folder / "weights.safetensors"),
        "--no-measure",
        "--quiet",
    ]
    bare += ["--out", str(tmp_path / "out"), "--formats", "onnx,int8"]
    code, out, err = called(bare, monkeypatch, capsys)
    assert code == 0 and "calibrated on random images" in out and "not tested" in out, err
    code, out, err = called([*bare, "--data", "digits"], monkeypatch, capsys)
    assert code == 0 and "calibrated" not in out and "trained (test)" in out, err
    code, out, err = called([*bare, "--formats", "int8"], monkeypatch, capsys)
    assert code == 0 and any(key in line and "int8" in line for line in out.splitlines()), err


def altered(path: Path, **changes: object) -> list[str]:
    """A run whose record of its images is another one; the words that name it."""
    run = finished_run(path)
    file = run.path / "environment.json"
    file.write_text(json.dumps({**json.loads(file.read_text()), **changes}))
    return [str(run.path)]


@pytest.mark.parametrize(
    "words",
    [
        ["train", "RUN"],
        ["export", "RUN", "--untrained"],
        ["train", "RUN", "--all", "--epochs", "1"],
    ],
)
def test_other_images_than_those_of_the_search_are_refused_wherever_they_are_read(
    words: list[str],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    (place,) = altered(tmp_path / "run", images={"train": {"count": 1438, "digest": "0" * 16}})
    code, out, err = called(
        [place if word == "RUN" else word for word in words], monkeypatch, capsys
    )
    assert (code, out) == (2, "")
    assert (
        "these are not the images of its search" in err
        and "of 1,438 training images some are others" in err
    )
    assert not (tmp_path / "run" / "models").exists()


def test_a_run_of_an_earlier_version_comes_with_one_warning(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    (place,) = altered(tmp_path / "run", data_digest="0123456789abcdef")
    short = ["--untrained", "--formats", "weights", "--no-measure", "--quiet"]
    code, _, err = called(["export", place, *short], monkeypatch, capsys)
    assert code == 0, err
    (line,) = err.strip().splitlines()
    assert line.startswith("warning:") and "earlier version" in line
