"""`hwnas predict`: a line per photo, one true line for each that can't be read, and its exit
code."""

from __future__ import annotations

import json
import re
from pathlib import Path

import onnx
import pytest

from hwnas.cli.predict import _counts
from hwnas.export.images import images_for, untrained
from hwnas.export.network_files import export
from hwnas.export.predict import PhotoTally
from tests.export.photos import hostile, made
from tests.export.test_preprocess import weights
from tests.runs.made import finished_run
from tests.typed import type_command


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("export")
    network = untrained(weights())
    export(network, folder, images_for(network, None, raw=False), formats=("onnx",))
    return folder / "model.onnx"


@pytest.fixture
def predict(monkeypatch, capsys):
    return lambda *words: type_command(monkeypatch, capsys, "predict", *map(str, words))


def test_each_photo_has_a_line_and_the_end_says_what_was_timed(predict, model, tmp_path) -> None:
    photos = made(tmp_path / "photos")
    done = predict(model, tmp_path / "photos", "--top", "2")
    assert done.code == 0
    *lines, counts, _ = done.out.splitlines()
    assert [line.partition(": ")[0] for line in lines] == list(map(str, photos))
    assert all(line.partition(": ")[2].count(" 0.") + line.count(" 1.0000") for line in lines)
    assert counts.startswith("likeliest: ") and "right by" not in counts
    assert sum(map(int, re.findall(r" \((\d+)\)(?=, |$)", counts))) == len(photos)
    lines = done.out.splitlines()
    assert lines[-1].startswith(f"{len(photos)} photos; {model} by ONNX Runtime, 1 thread, one ")
    assert "network " in lines[-1] and "reading and resizing" in lines[-1]
    assert f"note: {tmp_path}/photos/moving.webp: only the first page" in done.err


def test_photos_in_folders_of_classes_are_judged_by_them(predict, model, tmp_path) -> None:
    photos = made(tmp_path / "photos")[:3]
    names = weights().classes
    for name in names:
        (tmp_path / name).mkdir()
        for photo in photos:
            (tmp_path / name / photo.name).write_bytes(photo.read_bytes())
    done = predict(model, *(tmp_path / name for name in names))
    # The same photos in every folder: each is right in just one of them.
    assert (
        f"right by the names of their folders: {len(photos)} of {len(photos) * len(names)}"
        in (done.out.splitlines()[-2])
    )


def test_counts_of_classes_that_are_numbers_are_told_from_their_names() -> None:
    counted = PhotoTally(classes=(("5", 7), ("3", 1)), right=0, sorted=0)
    assert _counts(counted) == "likeliest: '5' (7), '3' (1)"


def test_photos_that_cannot_be_read_stop_no_others(predict, model, tmp_path) -> None:
    good = made(tmp_path / "photos")[0]
    bad = hostile(tmp_path / "bad")
    done = predict(model, *bad.values(), good, "--json")
    assert done.code == 2
    said = json.loads(done.out)
    assert [one["photo"] for one in said["photos"]] == [str(good)]
    assert {one["photo"] for one in said["failed"]} == set(map(str, bad.values()))
    assert len(done.err.splitlines()) == len(bad) and "Traceback" not in done.err
    reasons = {Path(one["photo"]).name: one["reason"] for one in said["failed"]}
    for name, words in {
        "truncated.jpg": "cannot be read (",
        "a.gif": "a GIF, not",
        "text.jpg": "damaged, or not",
        "empty.png": "the file is empty",
        "integers.tif": "whole numbers whose range is not known",
        "missing.jpg": "No such file",
    }.items():
        assert name in reasons[name] and words in reasons[name]
    probabilities = [one["probability"] for one in said["photos"][0]["classes"]]
    assert sum(probabilities) == pytest.approx(1) and probabilities == sorted(
        probabilities, reverse=True
    )
    assert set(said["median_ms"]) == {"network", "read"}


def test_what_is_no_network_is_refused_in_a_line(predict, model, tmp_path) -> None:
    photo = made(tmp_path / "photos")[0]
    (tmp_path / "none").mkdir()
    (tmp_path / "text.onnx").write_text("x")
    network = onnx.load(str(model))
    del network.metadata_props[:]
    onnx.save(network, str(tmp_path / "silent.onnx"))
    entry = network.metadata_props.add()
    entry.key, entry.value = "usage", '{"schema": 1, "classes": []}'
    onnx.save(network, str(tmp_path / "wrong.onnx"))
    run = finished_run(tmp_path / "run").path
    for words, reason in (
        ((tmp_path / "nowhere.onnx", photo), "no such file"),
        ((tmp_path / "text.onnx", photo), "not a model that ONNX Runtime can run"),
        ((tmp_path / "silent.onnx", photo), "does not say how photos become its images"),
        ((tmp_path / "wrong.onnx", photo), "classes"),
        ((tmp_path / "nowhere", photo), "neither a run directory nor an .onnx file"),
        ((model, tmp_path / "none"), "no photos in it"),
        ((model, photo, "--member", "abc"), "is no run directory, so it has no network 'abc'"),
        ((run, photo), "no network is trained yet: hwnas train"),
    ):
        done = predict(*words)
        assert done.code == 2 and done.out == "" and len(done.err.splitlines()) == 1, words
        assert reason in done.err, words
