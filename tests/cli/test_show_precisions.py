"""The list of networks in their precisions below the front of ``hwnas show``."""

from __future__ import annotations

import pytest

from hwnas.runs.precisions import keep_precisions
from tests.runs.made import finished_run, trained_record
from tests.runs.points import point


def test_show_lists_the_files_of_a_run_and_marks_their_front(typed, tmp_path) -> None:
    run = finished_run(tmp_path / "run")
    name = trained_record(run, 0, 0.5)
    keep_precisions(run, [point(run, name, ms=1.0), point(run, name, "int8", right=80, ms=2.0)])
    out, _ = typed("show", str(run.path))
    lines = [line.split() for line in out[out.index("Exported files") :].splitlines()]
    rows = [line for line in lines if line[:1] == [name]]
    assert rows == [
        [name, "*", "fp32", "onnxruntime", "0.9000", "1", "0.99..1.01", "1"],
        [name, "int8", "onnxruntime", "0.8000", "2", "1.99..2.01", "1"],
    ]
    assert f"note: {name} int8 (onnxruntime): slower than float32, 2 ms instead of 1" in out


@pytest.mark.parametrize(
    "words, said",
    [
        (("--precision", "int4"), "--precision: unknown 'int4'"),
        (("--precision", "int8", "--untrained"), "--precision chooses among the trained networks"),
        (("--precision", "fp16"), "say which file with --formats: openvino-fp16, ncnn-fp16"),
        (("--precision", "int8", "--formats", "onnx,pt2"), "none of them is in int8"),
    ],
)
def test_a_precision_that_cannot_be_exported_is_refused(typed, tmp_path, words, said) -> None:
    run = finished_run(tmp_path / "run")
    trained_record(run, 0, 0.5)
    assert said in typed("export", str(run.path), *words, code=2)[1]
