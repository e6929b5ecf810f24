"""hwnas from Python: the words, the files and the answers of the command line."""

from __future__ import annotations

import inspect
import json
from pathlib import Path
from typing import Any

import pytest

from hwnas import api
from hwnas.api import export, load_run, predict, profile, report, search, train
from hwnas.api.shown import Result, View
from hwnas.api.words import OF_A_TERMINAL, words_of
from hwnas.cli import app
from hwnas.runs.directory import open_run
from hwnas.runs.precisions import keep_precisions
from profilers.errors import InputError
from tests.export.photos import hostile, made
from tests.export.test_preprocess import weights
from tests.runs.made import finished_run, trained_record
from tests.runs.points import point
from tests.search import tiny
from tests.typed import type_command

COMMANDS = {one.name: one.callback for one in app.registered_commands}
NOT_FLAGS = {"search": {"processes"}, "plan": {"config_option"}}


@pytest.mark.parametrize("name", sorted(set(api.__all__) - {"load_run"}))
def test_a_function_has_the_flags_of_its_command_with_their_defaults(name: str) -> None:
    command = COMMANDS[name]
    assert command is not None
    parameters = inspect.signature(getattr(api, name)).parameters
    for word in words_of(command).values():
        if word.name in NOT_FLAGS.get(name, ()) or word.default is inspect.Parameter.empty:
            continue
        if word.name in ("keys", "objective"):  # positional here
            continue
        assert parameters[word.name].default == word.default, word.name
        assert parameters[word.name].kind is inspect.Parameter.KEYWORD_ONLY
    assert not set(parameters) & set(OF_A_TERMINAL)


def test_a_keyword_is_called_as_its_flag_is() -> None:
    """Where the flag has another name than the command's function gives it: --all."""
    named = inspect.signature(train).parameters
    assert "all" in named and "every" not in named
    assert {"dtype", "precision"} <= set(inspect.signature(profile).parameters)


def test_python_and_the_run_directory_say_the_same(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    settings = tiny.config(Path("unused")).model_dump(exclude={"data", "objectives", "target"})
    data = str(tiny.images(tmp_path / "tiny.npz"))
    heard: list[int] = []
    found = search(
        "params",
        target="1080ti",
        data=data,
        out=tmp_path / "run",
        settings=settings,
        watch=lambda progress: heard.append(progress.epoch),
        quiet=True,
    )
    assert capsys.readouterr().out == "" and heard
    key = found["front"][0]["key"]
    assert key in repr(found) and f"<td>{key}</td>" in found._repr_html_()
    assert found.pop("run") == str(tmp_path / "run")
    kept = json.loads((tmp_path / "run/front.json").read_text())
    assert {key: found[key] for key in kept} == kept


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: search("params", seeds=3), "unknown key 'seeds'; did you mean 'seed'"),
        (lambda: search("params", seed="three"), "seed: expected a whole number, not 'three'"),
        (lambda: search("paramz"), "unknown metric 'paramz'"),
        (lambda: search("params", processes=2), "processes: only on the command line"),
        (lambda: train("nowhere"), "nowhere"),
        (lambda: train("nowhere", epoch=3), "unknown argument 'epoch'; did you mean 'epochs'"),
        (lambda: train("nowhere", threads=0), "threads: expected 1 to"),
        (lambda: train("nowhere", fresh="yes"), "fresh: expected True or False, not 'yes'"),
        (lambda: predict("nowhere.onnx", "x.jpg", top=True), "top: expected a number"),
        (lambda: load_run("nowhere"), "nowhere"),
        (lambda: report(), "report: runs: none is named"),
        (lambda: predict("nowhere.onnx"), "predict: photos: none is named"),
        (lambda: export("nowhere", formats=["onnx", "onxx"]), "unknown 'onxx'"),
    ],
)
def test_what_cannot_be_used_is_refused_in_the_command_lines_words(call: Any, message: str) -> None:
    with pytest.raises(InputError, match=message) as error:
        call()
    assert "\n" not in str(error.value)


def test_a_run_is_loaded_and_reported_without_a_line_printed(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    run = finished_run(tmp_path / "run").path
    found = load_run(run)
    assert [one["accuracy"]["value"] for one in found["front"]] == [0.5, 0.8, 0.82]
    assert found["run"] == str(run)
    assert 1 <= len(repr(found).splitlines()) <= 10
    name = trained_record(open_run(run), 0, 0.5)
    keep_precisions(open_run(run), [point(open_run(run), name, ms=1.0)])
    assert f"exported files on the front: {name} fp32" in repr(load_run(run))
    told = report(run)
    assert told["path"] == str(run / "report.html") and Path(told["path"]).is_file()
    assert capsys.readouterr().out == ""


def test_photos_are_told_as_values_and_those_that_cannot_be_read_too(tmp_path: Path) -> None:
    from hwnas.export.images import images_for, untrained
    from hwnas.export.network_files import export as write

    network = untrained(weights())
    write(network, tmp_path, images_for(network, None, raw=False), formats=("onnx",))
    good = made(tmp_path / "photos")[:2]
    bad = hostile(tmp_path / "bad")["text"]
    found = predict(tmp_path / "model.onnx", *good, bad, top=1)
    assert [one["photo"] for one in found["photos"]] == list(map(str, good))
    assert found["failed"][0]["photo"] == str(bad) and "1 could not be read" in repr(found)


def test_what_a_network_costs_is_a_table(tmp_path: Path) -> None:
    (found,) = answers = profile("DARTS_V2", channels=4, cells=3, backend="counts", image=8)
    assert "params" in repr(answers) and found["target"] == "cpu"


def test_a_table_is_escaped_and_short() -> None:
    rows = tuple((f"<b>{number}</b>", "\x1b[1m") for number in range(50))
    result = Result({}, View(title="<i>", columns=("a", "b"), rows=rows, lines=("x",) * 5))
    page = result._repr_html_()
    assert "<i>" not in page and "<b>0" not in page and "&lt;b&gt;0&lt;/b&gt;" in page
    assert "\x1b" not in page + repr(result)
    assert page.count("<tr>") == 41 and "and 10 more" in page
    assert len(repr(result).splitlines()) == 10


def files(folder: Path) -> dict[str, bytes]:
    return {
        str(path.relative_to(folder)): path.read_bytes()
        for path in folder.rglob("*")
        if path.is_file() and not path.name.startswith((".", "events"))
    }


OF_THIS_MOMENT = (
    *("environment.json", "state.safetensors", "previous.safetensors", "trials.jsonl"),
    *("history.jsonl", "front.json", "training.json", "trained.json", "report.html"),
    *("export.json", "training.safetensors", "weights.safetensors", "best.safetensors"),
    "precisions.json",
)
"""Files with a time, or the command that was typed, in them."""


@pytest.mark.slow
def test_both_ways_write_the_same_files(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    data = str(tiny.images(tmp_path / "tiny.npz"))

    def typed(*words: str) -> None:
        done = type_command(monkeypatch, capsys, *words)
        assert done.code == 0, done.err

    def cli(run: str) -> None:
        how = ("--data", data, "--epochs", "1", "--channels", "4", "--cells", "3", "--out", run)
        typed("search", "--objective", "params", "--seed", "1", *how)
        typed("train", run, "--all", "--epochs", "1", "--batch", "32")
        typed("export", run, "--best", "--formats", "onnx,python", "--no-measure")
        typed("report", run)

    def python(run: str) -> None:
        search("params", data=data, seed=1, epochs=1, channels=4, cells=3, out=run, quiet=True)
        records = train(run, all=True, epochs=1, batch=32, quiet=True)
        assert records[0]["classes"]
        export(run, best=True, formats=["onnx", "python"], measure=False, quiet=True)
        report(run)

    written = []
    for number, way in enumerate((cli, python)):
        folder = tmp_path / str(number)
        folder.mkdir()
        monkeypatch.chdir(folder)
        way("run")
        written.append(files(folder / "run"))
    assert set(written[0]) == set(written[1])
    for name, content in written[0].items():
        if Path(name).name not in OF_THIS_MOMENT:
            assert written[1][name] == content, name
    front = [json.loads(each["front.json"])["front"] for each in written]
    assert front[0] == front[1]
