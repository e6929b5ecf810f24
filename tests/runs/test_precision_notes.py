"""What is said of files that do not pay, and of figures that can't be compared."""

from __future__ import annotations

from pathlib import Path

import pytest

from hwnas.runs.directory import Run
from hwnas.runs.precision_notes import does_not_pay, notes_on
from tests.runs.made import finished_run, trained_record
from tests.runs.points import point


@pytest.fixture
def run(tmp_path: Path) -> Run:
    return finished_run(tmp_path / "run")


def test_a_slower_larger_or_worse_file_is_told_of_in_one_line(run: Run) -> None:
    name = trained_record(run, 0, 0.5)
    plain = point(run, name, right=90, ms=1.0, size=2048)
    # 9 images that float32 alone gets right: 9 of them are 9 / sqrt(9 - 81 / 100) = 3.1 errors.
    worse = point(run, name, "int8", right=81, ms=1.5, size=4096)
    said = does_not_pay(worse, [plain, worse])
    assert said == (
        f"{name} int8 (onnxruntime): slower than float32, 1.5 ms instead of 1; no smaller, 4 KiB"
        " instead of 2; loses 9.0 points of accuracy (3.1 standard errors)"
    )
    assert notes_on([plain, worse], "again") == [said]


def test_what_can_be_chance_is_not_told_of(run: Run) -> None:
    name = trained_record(run, 0, 0.5)
    plain = point(run, name, right=90, ms=1.0, size=2000)
    # 4 images are 4 / sqrt(4 - 16 / 100) = 2.04 errors, 3 are 3 / sqrt(3 - 9 / 100) = 1.76.
    near = point(run, name, "int8", right=87, ms=1.015, size=1000)
    assert does_not_pay(near, [plain, near]) == ""
    assert "loses 4.0" in does_not_pay(point(run, name, "int8", right=86, size=1000), [plain])


def test_float32_and_a_file_without_its_float32_one_have_nothing_to_be_compared_with(
    run: Run,
) -> None:
    name = trained_record(run, 0, 0.5)
    slow = point(run, name, "int8", ms=9.0, size=9000)
    assert does_not_pay(slow, [slow]) == "" == does_not_pay(point(run, name), [slow])


def test_latencies_of_two_runtimes_are_not_compared_but_sizes_are(run: Run) -> None:
    name = trained_record(run, 0, 0.5)
    plain = point(run, name, ms=1.0, size=1024)
    other = point(run, name, "openvino-fp16", ms=2.0, size=2048)
    assert does_not_pay(other, [plain, other]) == (
        f"{name} fp16 (openvino): no smaller, 2 KiB instead of 1"
    )
    own = point(run, name, "openvino", ms=1.5, size=4096)
    assert "slower than float32, 2 ms instead of 1.5" in does_not_pay(other, [plain, own, other])


def test_figures_that_cannot_be_compared_are_told_of(run: Run) -> None:
    name, other = trained_record(run, 0, 0.5), trained_record(run, 1, 0.5)
    points = [point(run, name), point(run, other, measured="2026-01-02T00:00:00+00:00")]
    assert notes_on(points, "hwnas export RUN --all") == [
        "the latencies were measured in 2 sittings; hwnas export RUN --all measures all files in"
        " turn"
    ]
    (line,) = notes_on([point(run, name, trained_on=True)], "again")
    assert "trained on the validation images too" in line
    quiet = point(run, name)
    assert quiet.latency is not None
    noisy = point(run, other, latency=quiet.latency.model_copy(update={"noisy": True}))
    assert notes_on([quiet, noisy], "again") == [
        "the host was busy while 1 of the 2 files were measured"
    ]
