"""What a run keeps of its networks in their precisions, and the front of them."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from hwnas.runs.directory import Run
from hwnas.runs.precisions import (
    FILE,
    current_points,
    keep_precisions,
    precision_front,
    read_precisions,
    with_precisions,
)
from hwnas.runs.summary import read_front
from profilers.errors import InputError
from tests.runs.made import finished_run, trained_record
from tests.runs.points import point


@pytest.fixture
def run(tmp_path: Path) -> Run:
    return finished_run(tmp_path / "run")


@pytest.fixture
def names(run: Run) -> tuple[str, str]:
    """Two trained networks."""
    return trained_record(run, 0, 0.5), trained_record(run, 1, 0.6)


def test_what_is_kept_is_read_again_and_replaced_by_network_and_format(
    run: Run, names: tuple[str, str]
) -> None:
    first, second = names
    assert read_precisions(run).points == [] and precision_front(run) is None
    keep_precisions(run, [point(run, first, "int8", ms=2), point(run, first), point(run, second)])
    keep_precisions(run, [point(run, first, "int8", ms=3)])
    kept = {(one.network, one.format): one for one in read_precisions(run).points}
    assert set(kept) == {(first, "onnx"), (first, "int8"), (second, "onnx")}
    assert kept[first, "int8"] == point(run, first, "int8", ms=3)


def test_files_of_a_network_that_was_trained_anew_since_are_not_current(
    run: Run, names: tuple[str, str]
) -> None:
    first, second = names
    keep_precisions(run, [point(run, first), point(run, second)])
    file = run.path / "models" / first / "training.json"
    file.write_text(json.dumps({**json.loads(file.read_text()), "test_accuracy": 0.7}))
    assert [one.network for one in current_points(run)] == [second]


def test_what_another_file_beats_in_accuracy_and_latency_is_not_on_the_front(
    run: Run, names: tuple[str, str]
) -> None:
    first, second = names
    keep_precisions(
        run,
        [
            point(run, first, right=90, ms=2.0),
            point(run, first, "int8", right=88, ms=1.0),
            point(run, second, right=85, ms=1.5),  # the int8 file is quicker and more accurate
            point(run, second, "int8", right=80, ms=None),
        ],
    )
    found = with_precisions(run, read_front(run)).precisions
    assert found is not None and found.by == "latency"
    marked = {(one.network, one.format) for one in found.points if one.on_front}
    assert marked == {(first, "onnx"), (first, "int8")}


def test_latencies_that_cannot_be_told_apart_beat_nothing(run: Run, names: tuple[str, str]) -> None:
    first, _ = names
    keep_precisions(
        run,
        [point(run, first, right=90, ms=1.0), point(run, first, "int8", right=88, ms=1.1, off=0.2)],
    )
    found = precision_front(run)
    assert found is not None and all(one.on_front for one in found.points)


def test_without_any_latency_the_front_is_of_accuracy_and_size(
    run: Run, names: tuple[str, str]
) -> None:
    first, _ = names
    large = point(run, first, right=88, ms=None, size=3000)
    keep_precisions(run, [large, point(run, first, "int8", right=90, ms=None, size=1000)])
    found = precision_front(run)
    assert found is not None and found.by == "size"
    assert [one.format for one in found.points if one.on_front] == ["int8"]


@pytest.mark.parametrize(
    "wrong, said",
    [
        ({"accuracy": {"value": 0.5, "origin": ""}}, "accuracy: not the share of the images"),
        ({"right": "ff"}, "right"),
        ({"precision": "int4"}, "precision"),
        ({"network": "../x"}, "network"),
    ],
)
def test_a_damaged_file_is_refused_by_its_key(
    run: Run, names: tuple[str, str], wrong: dict[str, object], said: str
) -> None:
    keep_precisions(run, [point(run, names[0])])
    file = run.path / FILE
    damaged = json.loads(file.read_text())
    damaged["points"][0] |= wrong
    file.write_text(json.dumps(damaged))
    with pytest.raises(InputError, match=f"{FILE}: not networks in their precisions: .*{said}"):
        current_points(run)


def test_a_network_stands_once_in_each_format(run: Run, names: tuple[str, str]) -> None:
    keep_precisions(run, [point(run, names[0])])
    file = run.path / FILE
    twice = json.loads(file.read_text())
    twice["points"] *= 2
    file.write_text(json.dumps(twice))
    with pytest.raises(InputError, match="stands there twice as onnx"):
        current_points(run)
